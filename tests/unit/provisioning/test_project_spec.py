# ruff: noqa: E501 - the table of refusals reads best with one case a line
"""Reading a whole project spec of format v1, and every rule that can refuse one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.provisioning.conversion import new_workflow
from portal.provisioning.spec_models import PositionSpec, ProjectSpec, ReplySpec, SpecReading
from portal.provisioning.spec_v1 import read_project_spec

SPECS = Path(__file__).parent / "specs"
CLINIC = (SPECS / "clinic.yaml").read_text()

SMALL = """\
name: clinic
workflows:
  intake:
    name: intake
    jobs:
      first:
        name: first
        adaptor: '@openfn/language-common@latest'
        body: fn(s => s)
      second:
        name: second
        body: fn(s => s)
    triggers:
      webhook:
        type: webhook
    edges:
      webhook->first:
        source_trigger: webhook
        target_job: first
        condition_type: always
      first->second:
        source_job: first
        target_job: second
        condition_type: on_job_success
"""


def changed(old: str, new: str) -> SpecReading:
    """The small spec read with one passage changed."""
    assert SMALL.count(old) >= 1
    return read_project_spec(SMALL.replace(old, new, 1))


def said(reading: SpecReading) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in reading.problems]


def document(reading: SpecReading) -> ProjectSpec:
    assert reading.document is not None, said(reading)
    return reading.document


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the body file that the clinic's spec names."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "count.js").write_text("fn(s => s)\n")
    return tmp_path


def test_a_whole_project_is_read(folder: Path) -> None:
    reading = read_project_spec(CLINIC, base_dir=folder)
    project = document(reading)
    assert (project.name, project.description) == (
        "harbour-clinic",
        "Intake and nightly stock of a clinic that does not exist\n",
    )
    assert [workflow.name for workflow in project.workflows] == ["Patient intake", "Nightly stock"]
    assert [(c.key, c.name, c.owner) for c in project.credentials] == [
        ("keeper@example.org-Stock-register", "Stock register", "keeper@example.org")
    ]
    assert reading.warnings == ()


def test_jobs_keep_their_text_and_lose_spaces_at_the_ends_of_names(folder: Path) -> None:
    jobs = document(read_project_spec(CLINIC, base_dir=folder)).workflows[0].jobs
    assert [job.name for job in jobs] == ["Check form", "Évaluer 患者", "off"]
    assert jobs[0].body == "fn(state => state)\n"
    assert jobs[1].credential == "keeper@example.org-Stock-register"
    assert jobs[2].adaptor == "@openfn/language-common@latest"


def test_triggers_get_the_defaults_of_the_format(folder: Path) -> None:
    intake, nightly = document(read_project_spec(CLINIC, base_dir=folder)).workflows
    webhook, cron = intake.triggers[0], nightly.triggers[0]
    assert (webhook.type, webhook.enabled, webhook.custom_path) == ("webhook", True, "intake_v1")
    assert webhook.webhook_response_config == ReplySpec(success_code=202, error_code=None)
    assert (cron.cron_expression, cron.cron_cursor_job, cron.enabled) == ("0 23 * * *", "2026-08-27", True)
    assert (cron.webhook_reply, cron.custom_path) == (None, None)


def test_edges_find_their_ends_by_key_and_by_hyphenated_name(folder: Path) -> None:
    edges = document(read_project_spec(CLINIC, base_dir=folder)).workflows[0].edges
    assert [(e.source_trigger, e.source_job, e.target_job, e.enabled) for e in edges] == [
        ("webhook", None, "Check-form", True),
        (None, "Check-form", "Évaluer-患者", True),
        (None, "Check-form", "off", False),
    ]
    assert edges[1].condition_expression == "state.data.ok === true\n"


def test_a_trigger_without_fields_is_an_enabled_webhook() -> None:
    trigger = document(changed("        type: webhook\n", "        enabled: null\n")).workflows[0].triggers[0]
    assert (trigger.type, trigger.enabled, trigger.webhook_reply) == ("webhook", True, "before_start")


def test_a_kafka_trigger_becomes_a_disabled_webhook_with_a_warning() -> None:
    reading = changed(
        "        type: webhook\n", "        type: kafka\n        kafka_configuration: {topics: [t]}\n"
    )
    trigger = document(reading).workflows[0].triggers[0]
    assert (trigger.type, trigger.enabled) == ("webhook", False)
    assert [warning.path for warning in reading.warnings] == ["workflows.intake.triggers.webhook.type"]


def test_positions_are_read_for_known_nodes_only() -> None:
    reading = changed(
        "    name: intake\n",
        "    name: intake\n    positions: {first: {x: 1, y: -2.5}, webhook: {x: 0, y: 0}, gone: {x: 1, y: 1}}\n",
    )
    assert document(reading).workflows[0].positions == (
        PositionSpec("first", False, 1, -2.5),
        PositionSpec("webhook", True, 0, 0),
    )
    assert [warning.path for warning in reading.warnings] == ["workflows.intake.positions.gone"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: clinic", "name: My Clinic", "name: has invalid format; a fitting name is my-clinic"),
        ("name: clinic\n", "", "name: can't be blank"),
        ("name: clinic", "name: 2026", "name: must be text; write it in quotes: '2026'"),
        ("name: clinic", "name: a\ndescription: " + "x" * 241, "description: String should have at most 240 characters"),
        ("name: clinic", "name: a\nenv: Main", "env: must be a short slug"),
        ("name: clinic", "name: a\ncolor: '#ab'", "color: must be hex"),
        ("name: clinic", "name: a\nworkflow: {}", "workflow: is not a known key; did you mean workflows?"),
        ("name: clinic", "name: a\ncredentials: [x]", "credentials: must be a map"),
        ("name: clinic", "name: a\ncredentials: {k: {name: n}}", "credentials.k.owner: can't be blank"),
        ("    name: intake\n", "", "workflows.intake.name: can't be blank"),
        ("    name: intake", "    name: intake_del2", "workflows.intake.name: cannot end with _del followed by digits"),
        ("    name: intake", "    name: i\n    concurrency: no", "workflows.intake.concurrency: must be a whole number from 1 to 2147483647"),
        ("    name: intake", "    name: i\n    enable_job_logs: off", "workflows.intake.enable_job_logs: must be true or false"),
        ("        name: first\n", "", "workflows.intake.jobs.first.name: can't be blank"),
        ("        name: first", "        name: ' '", "workflows.intake.jobs.first.name: can't be blank"),
        ("        name: first", "        name: " + "x" * 101, "workflows.intake.jobs.first.name: should be at most 100 character(s)"),
        ("        name: first", '        name: "a\\tb"', "workflows.intake.jobs.first.name: can't contain control characters"),
        ("        name: second", "        name: 'first '", "workflows.intake.jobs.second.name: job name has already been taken (line 7)"),
        ("'@openfn/language-common@latest'", "'@openfn/../common'", "workflows.intake.jobs.first.adaptor: must name an adaptor package, such as @openfn/language-common@latest"),
        ("        body: fn(s => s)\n", "", "workflows.intake.jobs.first.body: can't be blank"),
        ("        body: fn(s => s)", "        body: '  '", "workflows.intake.jobs.first.body: can't be blank"),
        ("        body: fn(s => s)", "        body: fn(s => s)\n        credential: k", "workflows.intake.jobs.first.credential: there is no credential 'k' here"),
        ("        body: fn(s => s)", "        body: {path: a.js}", "workflows.intake.jobs.first.body.path: names a file, but the document did not come from a folder"),
        ("        type: webhook", "        type: event", "workflows.intake.triggers.webhook.type: must be one of webhook, cron, kafka; not 'event'"),
        ("        type: webhook", "        type: cron\n        cron_expression: 0 0 * *", "workflows.intake.triggers.webhook.cron_expression: must be a cron expression of five fields, such as 0 6 * * *"),
        ("        type: webhook", "        type: cron\n        cron_cursor_job: third", "workflows.intake.triggers.webhook.cron_cursor_job: there is no job 'third' here"),
        ("        type: webhook", "        webhook_reply: later", "workflows.intake.triggers.webhook.webhook_reply: must be one of before_start, after_completion, custom; not 'later'"),
        ("        type: webhook", "        custom_path: Orders", "workflows.intake.triggers.webhook.custom_path: has invalid format"),
        ("        type: webhook", "        custom_path: 00000000-0000-4000-8000-000000000001", "workflows.intake.triggers.webhook.custom_path: cannot be a UUID"),
        ("        type: webhook", "        webhook_response_config: {success_code: 99}", "workflows.intake.triggers.webhook.webhook_response_config.success_code: must be a whole number from 200 to 599"),
        ("        source_trigger: webhook\n", "", "workflows.intake.edges.webhook->first: source_job or source_trigger must be present"),
        ("source_trigger: webhook", "source_trigger: hook", "workflows.intake.edges.webhook->first.source_trigger: there is no trigger 'hook' here"),
        ("source_trigger: webhook", "source_trigger: webhook\n        source_job: second", "workflows.intake.edges.webhook->first.source_job: source_job and source_trigger exclude each other"),
        ("        target_job: first\n", "", "workflows.intake.edges.webhook->first.target_job: can't be blank"),
        ("target_job: second", "target_job: third", "workflows.intake.edges.first->second.target_job: there is no job 'third' here"),
        ("target_job: second", "target_job: first", "workflows.intake.edges.first->second.target_job: target job must be different from source job"),
        ("        condition_type: always\n", "", "workflows.intake.edges.webhook->first.condition_type: can't be blank"),
        ("condition_type: always", "condition_type: on_job_success", "workflows.intake.edges.webhook->first.condition_type: must be always or js_expression when a trigger is the source"),
        ("condition_type: always", "condition_type: js_expression", "workflows.intake.edges.webhook->first.condition_expression: can't be blank"),
        ("condition_type: always", "condition_type: always\n        condition_expression: " + "x" * 256, "workflows.intake.edges.webhook->first.condition_expression: should be at most 255 character(s)"),
        ("condition_type: always", 'condition_type: always\n        condition_label: "a\\tb"', "workflows.intake.edges.webhook->first.condition_label: can't contain control characters"),
        ("  intake:\n", "  empty: null\n  intake:\n", "workflows.empty: must be a map"),
        ("name: clinic\n", "name: clinic\nschema_version: '4.0'\n", "schema_version: format v2 is not read yet; export the project in format v1"),
    ],
)  # fmt: skip
def test_each_broken_rule_is_one_problem_with_its_path(old: str, new: str, expected: str) -> None:
    reading = changed(old, new)
    assert said(reading) == [expected]
    assert reading.document is None


def test_a_mistyped_key_is_named_and_so_is_what_it_leaves_out() -> None:
    assert said(changed("        body: fn(s => s)", "        boby: fn(s => s)")) == [
        "workflows.intake.jobs.first.body: can't be blank",
        "workflows.intake.jobs.first.boby: is not a known key; did you mean body?",
    ]
    assert said(changed("        body: fn(s => s)", "        body: {file: a.js}")) == [
        "workflows.intake.jobs.first.body.file: is not a known key",
        "workflows.intake.jobs.first.body.path: can't be blank",
    ]


def test_workflow_names_and_custom_paths_are_unique_in_the_project() -> None:
    twin = SMALL.split("workflows:\n")[1].replace("  intake:\n", "  twin:\n", 1)
    source = (SMALL + twin).replace("        type: webhook\n", "        custom_path: p\n")
    assert said(read_project_spec(source)) == [
        "workflows.twin.name: a workflow with this name already exists in this project (line 4)",
        "workflows.twin.triggers.webhook.custom_path: is already used by another workflow in this project (line 15)",
    ]


def test_all_problems_are_listed_in_the_order_of_the_document() -> None:
    source = SMALL.replace("name: clinic", "name: A B").replace(
        "condition_type: always", "condition_type: never"
    )
    reading = read_project_spec(source.replace("target_job: second", "target_job: third"))
    assert [problem.line for problem in reading.problems] == [1, 20, 23]


def test_problems_of_yaml_and_of_rules_come_together() -> None:
    reading = read_project_spec(
        SMALL.replace("name: clinic", "name: A B").replace("body: fn(s => s)", "body: !t x", 1)
    )
    assert said(reading) == [
        "name: has invalid format; a fitting name is a-b",
        "workflows.intake.jobs.first.body: has a YAML tag (!); remove it",
    ]


def test_a_loop_between_jobs_is_read_with_a_warning() -> None:
    back = "      second->first:\n        source_job: second\n        target_job: first\n        condition_type: always\n"
    reading = read_project_spec(SMALL + back)
    assert len(document(reading).workflows[0].edges) == 3
    assert [w.path for w in reading.warnings] == ["workflows.intake.edges"]


def test_an_edge_from_a_trigger_is_always_enabled() -> None:
    reading = changed("condition_type: always", "condition_type: always\n        enabled: false")
    assert document(reading).workflows[0].edges[0].enabled is True
    assert [w.message for w in reading.warnings] == ["edges from a trigger are always enabled"]


def test_sections_that_are_not_read_yet_warn_only_when_they_hold_something() -> None:
    assert changed("name: clinic", "name: clinic\ncollections: null\nchannels: {}").warnings == ()
    reading = changed("name: clinic", "name: clinic\ncollections: {c: {name: c}}")
    assert [(w.path, w.line) for w in reading.warnings] == [("collections", 2)]
    assert reading.document is not None


def test_a_reference_that_fits_two_names_is_refused() -> None:
    source = SMALL.replace("name: first\n", "name: a b\n").replace("name: second\n", "name: a-b\n")
    reading = read_project_spec(source.replace("target_job: first", "target_job: a-b"))
    assert said(reading) == [
        "workflows.intake.edges.webhook->first.target_job: could mean several jobs: first, second"
    ]


def test_a_workflow_of_format_v2_is_recognised_by_its_steps() -> None:
    reading = read_project_spec("name: a\nworkflows:\n  w:\n    name: w\n    steps: []\n")
    assert [(p.path, p.line) for p in reading.problems] == [("workflows.w.steps", 5)]


@pytest.mark.parametrize("source", ["", "# nothing\n", "- a\n", "text", "null"])
def test_a_document_that_is_no_map_is_refused(source: str) -> None:
    assert len(read_project_spec(source).problems) == 1


class TestBodyFiles:
    """Bodies in files: below the document's folder and nowhere else."""

    def read(self, path: str, base_dir: Path) -> SpecReading:
        return read_project_spec(
            SMALL.replace("body: fn(s => s)", f"body: {{path: {path!r}}}", 1), base_dir=base_dir
        )

    def test_a_file_beside_the_document_is_the_body(self, folder: Path) -> None:
        assert document(self.read("./jobs/count.js", folder)).workflows[0].jobs[0].body == "fn(s => s)\n"

    def test_a_link_that_stays_inside_is_followed(self, folder: Path) -> None:
        (folder / "link.js").symlink_to(folder / "jobs" / "count.js")
        assert self.read("link.js", folder).document is not None

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("jobs/none.js", "the file 'jobs/none.js' is missing"),
            ("jobs", "the file 'jobs' is missing"),
            ("/etc/hostname", "the path '/etc/hostname' must be relative to the document"),
            ("C:/a.js", "the path 'C:/a.js' must be relative to the document"),
            ("../secret.js", "the path '../secret.js' leads out of the document's folder"),
            ("jobs/../../secret.js", "the path 'jobs/../../secret.js' leads out of the document's folder"),
            ("escape.js", "the path 'escape.js' leads out of the document's folder"),
            ("loop.js", "the file 'loop.js' cannot be read"),
            ("binary.js", "the file 'binary.js' is not UTF-8 text"),
            ("nul.js", "the file 'nul.js' has a NUL character"),
            ("blank.js", "the file 'blank.js' is empty"),
            ("large.js", "the file 'large.js' is larger than 1 MB"),
            ("x" * 300, f"the file '{'x' * 300}' cannot be read"),
        ],
    )
    def test_any_other_path_is_refused_by_name(self, folder: Path, path: str, reason: str) -> None:
        base = folder / "project"
        base.mkdir()
        (folder / "jobs").rename(base / "jobs")
        (folder / "secret.js").write_text("secret")
        (base / "escape.js").symlink_to(folder / "secret.js")
        (base / "loop.js").symlink_to(base / "loop.js")
        (base / "binary.js").write_bytes(b"\xff")
        (base / "nul.js").write_bytes(b"a\0")
        (base / "blank.js").write_text("\n")
        (base / "large.js").write_text("x" * 1_000_001)
        assert said(self.read(path, base)) == [f"workflows.intake.jobs.first.body.path: {reason}"]


def test_what_is_read_fits_the_input_of_the_workflows_context(folder: Path) -> None:
    intake = document(read_project_spec(CLINIC, base_dir=folder)).workflows[0]
    new = new_workflow(intake, {})
    assert [(job.key, job.name, job.project_credential_id) for job in new.jobs] == [
        ("Check-form", "Check form", None),
        ("Évaluer-患者", "Évaluer 患者", None),
        ("off", "off", None),
    ]
    assert new.triggers[0].settled() == new.triggers[0]
    assert new.edges[1].condition_label == 'has "data"'


LINES = SMALL.splitlines(keepends=True)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(LINES) - 1),
            st.sampled_from(
                ["", "x: y\n", "        enabled: [1]\n", "    jobs: 3\n", "  &a b: *a\n", "        type: cron\n",
                 "    edges: {e: {source_job: [a], target_job: {}}}\n", "        name: .nan\n", "\t\n", "? [\n",
                 "    positions: {first: {x: .inf, y: a}}\n", "        custom_path: 1\n", "    triggers: {t: null}\n"]
            ),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_a_mangled_document_gives_a_document_or_problems_and_never_an_exception(
    edits: list[tuple[int, str]],
) -> None:
    lines = list(LINES)
    for at, text in edits:
        lines[at] = text
    reading = read_project_spec("".join(lines))
    assert (reading.document is None) == bool(reading.problems)
    for workflow in reading.document.workflows if reading.document else ():
        assert new_workflow(workflow, {}).name == workflow.name
