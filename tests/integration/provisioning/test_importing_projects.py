"""Importing a project from a spec: everything is written, or nothing."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskCliRunner

from portal.cli.projects import projects as command
from portal.core.db import Base
from portal.credentials import Credential, ProjectCredential
from portal.projects import Project, ProjectUser, Role
from portal.provisioning import ImportResult, SpecRefused, import_project, read_project_spec
from portal.workflows import Edge, Job, Snapshot, Trigger, Workflow, graph_of, history
from tests.support.cast import Cast
from tests.support.factories import make_user

SPEC = Path(__file__).parents[2] / "unit" / "provisioning" / "specs" / "clinic.yaml"
REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "projects"
needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(),
    reason="the real project files are not beside this repository (../shared/data/projects)",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the clinic's spec and the body file that it names."""
    (tmp_path / "project.yaml").write_bytes(SPEC.read_bytes())
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "count.js").write_text("fn(s => s)\n")
    return tmp_path


def imported(folder: Path, cast: Cast) -> ImportResult:
    reading = read_project_spec((folder / "project.yaml").read_bytes(), base_dir=folder)
    return import_project(reading, owner=cast.owner, actor=cast.actor(cast.owner))


def counts(session: sa.orm.Session) -> dict[str, int]:
    """Rows in every table."""
    return {
        table.name: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for table in Base.metadata.sorted_tables
    }


def test_a_spec_becomes_a_project_with_its_owner_and_workflows(folder: Path, cast: Cast) -> None:
    result = imported(folder, cast)
    assert (result.project.name, result.project.env) == ("harbour-clinic", "main")
    assert [workflow.name for workflow in result.workflows] == ["Patient intake", "Nightly stock"]
    assert (result.workflows[0].concurrency, result.workflows[0].enable_job_logs) == (2, False)
    graph = graph_of(result.workflows[0])
    assert [job.name for job in graph.jobs] == ["Check form", "Évaluer 患者", "off"]
    assert len(history(result.workflows[0].id)) == 1


def test_the_owner_is_a_member_and_nobody_else(folder: Path, cast: Cast, db_session: sa.orm.Session) -> None:
    project = imported(folder, cast).project
    members = db_session.scalars(sa.select(ProjectUser).where(ProjectUser.project_id == project.id)).all()
    assert [(member.user_id, member.role) for member in members] == [(cast.owner.id, Role.OWNER)]


def test_webhooks_are_told_with_their_paths(folder: Path, cast: Cast) -> None:
    result = imported(folder, cast)
    trigger = graph_of(result.workflows[0]).triggers[0]
    assert [(hook.path, hook.enabled) for hook in result.webhooks] == [(f"/i/{trigger.id}", True)]


def test_a_credential_of_the_owner_is_attached(folder: Path, cast: Cast, db_session: sa.orm.Session) -> None:
    keeper = make_user("Keeper@example.org")
    credential = Credential(name="Stock register", schema="raw", user_id=keeper.id)
    db_session.add(credential)
    db_session.flush()
    reading = read_project_spec((folder / "project.yaml").read_bytes(), base_dir=folder)
    result = import_project(reading, owner=keeper, actor=cast.actor(keeper))
    link = db_session.scalars(sa.select(ProjectCredential).filter_by(project_id=result.project.id)).one()
    assert link.credential_id == credential.id
    assert [job.project_credential_id for job in graph_of(result.workflows[0]).jobs] == [None, link.id, None]
    assert result.warnings == ()


def test_a_credential_of_somebody_else_is_left_out_with_a_warning(
    folder: Path, cast: Cast, db_session: sa.orm.Session
) -> None:
    db_session.add(Credential(name="Stock register", schema="raw", user_id=cast.owner.id))
    db_session.flush()
    result = imported(folder, cast)
    assert [job.project_credential_id for job in graph_of(result.workflows[0]).jobs] == [None, None, None]
    assert [(warning.line, warning.message) for warning in result.warnings] == [
        (
            7,
            "belongs to keeper@example.org, not to owner@example.org; its jobs are left without a credential",
        )
    ]


def test_a_document_with_problems_writes_nothing(
    folder: Path, cast: Cast, db_session: sa.orm.Session
) -> None:
    before = counts(db_session)
    text = (folder / "project.yaml").read_text().replace("target_job: off", "target_job: nobody")
    with pytest.raises(SpecRefused) as refusal:
        import_project(
            read_project_spec(text, base_dir=folder), owner=cast.owner, actor=cast.actor(cast.owner)
        )
    assert [problem.line for problem in refusal.value.problems] == [54]
    assert counts(db_session) == before


def test_a_failure_in_the_middle_writes_nothing(folder: Path, cast: Cast, db_session: sa.orm.Session) -> None:
    before = counts(db_session)
    db_session.execute(
        sa.text("ALTER TABLE workflows ADD CONSTRAINT refuse_for_this_test CHECK (name <> 'Nightly stock')")
    )
    db_session.commit()
    with pytest.raises(Exception, match="base"):
        imported(folder, cast)
    assert counts(db_session) == before


def test_the_same_file_twice_makes_two_projects(folder: Path, cast: Cast) -> None:
    assert imported(folder, cast).project.id != imported(folder, cast).project.id


class TestCommand:
    """`portal projects import` and `list`."""

    @pytest.fixture
    def runner(self, app: Flask, cast: Cast) -> FlaskCliRunner:
        return app.test_cli_runner()

    def test_success_prints_ids_and_webhook_addresses(
        self, folder: Path, runner: FlaskCliRunner, db_session: sa.orm.Session
    ) -> None:
        done = runner.invoke(
            command, ["import", str(folder / "project.yaml"), "--owner", "owner@example.org"]
        )
        assert done.exit_code == 0, done.output
        project = db_session.scalars(sa.select(Project).where(Project.name == "harbour-clinic")).one()
        hook = db_session.scalars(
            sa.select(Trigger).where(Trigger.project_id == project.id, Trigger.custom_path == "intake_v1")
        ).one()
        assert f"project harbour-clinic  {project.id}" in done.output
        assert f"/i/{hook.id}\n" in done.output
        assert "warning: credentials" in done.output
        assert str(project.id) in runner.invoke(command, ["list"]).output

    def test_every_problem_stands_on_its_own_line_and_nothing_is_written(
        self, tmp_path: Path, runner: FlaskCliRunner, db_session: sa.orm.Session
    ) -> None:
        file = tmp_path / "broken.yaml"
        file.write_text("name: A B\nworkflows:\n  w:\n    name: x_del\n    jobz: {}\n")
        before = counts(db_session)
        done = runner.invoke(command, ["import", str(file), "--owner", "owner@example.org"])
        assert done.exit_code == 1
        assert done.output.splitlines() == [
            "name (line 1): has invalid format; a fitting name is a-b",
            "workflows.w.name (line 4): cannot end with _del followed by digits",
            "workflows.w.jobz (line 5): is not a known key; did you mean jobs?",
            f"{file} was not imported: 3 problems, nothing was written.",
        ]
        assert counts(db_session) == before

    @pytest.mark.parametrize("name", ["none.yaml", "."])
    def test_a_file_that_cannot_be_read_is_one_clear_line(
        self, tmp_path: Path, runner: FlaskCliRunner, name: str
    ) -> None:
        done = runner.invoke(command, ["import", str(tmp_path / name), "--owner", "owner@example.org"])
        assert (done.exit_code, len(done.output.splitlines())) == (1, 1)

    def test_an_unknown_owner_is_refused(self, folder: Path, runner: FlaskCliRunner) -> None:
        done = runner.invoke(
            command, ["import", str(folder / "project.yaml"), "--owner", "nobody@example.org"]
        )
        assert (done.exit_code, done.output) == (1, "Error: there is no account nobody@example.org\n")


@needs_real_files
@pytest.mark.parametrize(
    ("name", "workflows"),
    [("lightning-unicode-v1.yaml", 3), ("lightning-webhook-reply-cron-cursor-v1.yaml", 2)],
)
def test_real_projects_are_stored_whole(
    name: str, workflows: int, cast: Cast, db_session: sa.orm.Session
) -> None:
    reading = read_project_spec((REAL / name).read_bytes(), base_dir=REAL)
    result = import_project(reading, owner=cast.owner, actor=cast.actor(cast.owner))
    assert reading.document is not None
    ids: list[uuid.UUID] = [workflow.id for workflow in result.workflows]
    assert len(ids) == workflows
    for model, part in ((Job, "jobs"), (Trigger, "triggers"), (Edge, "edges")):
        stored = db_session.scalar(sa.select(sa.func.count()).where(model.workflow_id.in_(ids)))
        assert stored == sum(len(getattr(workflow, part)) for workflow in reading.document.workflows)
    assert db_session.scalar(sa.select(sa.func.count()).where(Snapshot.workflow_id.in_(ids))) == workflows
    assert db_session.scalar(sa.select(sa.func.count()).where(Workflow.id.in_(ids))) == workflows


@needs_real_files
def test_the_real_project_with_body_files_is_stored_once_they_stand_beside_it(
    tmp_path: Path, cast: Cast
) -> None:
    source = (REAL / "malawi-hiv-report-v1.yaml").read_bytes()
    with pytest.raises(SpecRefused):
        import_project(
            read_project_spec(source, base_dir=tmp_path), owner=cast.owner, actor=cast.actor(cast.owner)
        )
    bodies = tmp_path / "workflows" / "reports-data-upload-workflow" / "jobs"
    bodies.mkdir(parents=True)
    for name in ("get-report-data", "generate-dhis2-payload", "upload-to-dhis2"):
        (bodies / f"{name}.js").write_text(f"// {name}\n")
    reading = read_project_spec(source, base_dir=tmp_path)
    result = import_project(reading, owner=cast.owner, actor=cast.actor(cast.owner))
    assert [job.body for job in graph_of(result.workflows[0]).jobs] == [
        "// get-report-data\n",
        "// generate-dhis2-payload\n",
        "// upload-to-dhis2\n",
    ]
    assert len(result.warnings) == 2
