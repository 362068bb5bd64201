"""Real spec files of other projects, where they are at hand; none of them is part of this repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.provisioning.spec_v1 import read_project_spec

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "projects"

pytestmark = pytest.mark.skipif(
    not REAL.is_dir(),
    reason="the real project files are not beside this repository (../shared/data/projects)",
)


def test_the_unicode_project_is_read_with_text_where_old_yaml_sees_other_types() -> None:
    reading = read_project_spec((REAL / "lightning-unicode-v1.yaml").read_bytes(), base_dir=REAL)
    assert reading.document is not None, reading.problems
    off = reading.document.workflows[2]
    assert (off.name, off.jobs[0].name, off.edges[0].target_job) == ("off", "2026-08-27", "2026-08-27")
    assert reading.document.workflows[1].jobs[1].name == "trailing space"
    assert [warning.path for warning in reading.warnings] == ["collections", "channels"]


def test_the_reply_and_cursor_project_is_read() -> None:
    reading = read_project_spec((REAL / "lightning-webhook-reply-cron-cursor-v1.yaml").read_bytes())
    assert reading.document is not None, reading.problems
    cron, webhook = (workflow.triggers[0] for workflow in reading.document.workflows)
    assert cron.cron_cursor_job == "cursor-job"
    assert webhook.webhook_reply == "after_completion"


def test_the_project_with_body_files_names_them_and_is_read_once_they_are_there(tmp_path: Path) -> None:
    source = (REAL / "malawi-hiv-report-v1.yaml").read_bytes()
    missing = read_project_spec(source, base_dir=tmp_path).problems
    names = ["get-report-data.js", "generate-dhis2-payload.js", "upload-to-dhis2.js"]
    assert [
        (problem.line, name in problem.message) for problem, name in zip(missing, names, strict=True)
    ] == [
        (20, True),
        (26, True),
        (33, True),
    ]
    folder = tmp_path / "workflows" / "reports-data-upload-workflow" / "jobs"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("fn(state => state)\n")
    assert read_project_spec(source, base_dir=tmp_path).document is not None


def test_the_malformed_project_is_refused_with_its_line() -> None:
    reading = read_project_spec((REAL / "malawi-sftp-malformed-v1.yaml").read_bytes(), base_dir=REAL)
    assert [str(problem) for problem in reading.problems] == [
        "document (line 8): is not valid YAML: mapping values are not allowed here (column 34)"
    ]


def test_the_malformed_project_has_only_missing_files_once_its_line_is_mended() -> None:
    text = (REAL / "malawi-sftp-malformed-v1.yaml").read_text()
    mended = text.replace("CheckSFTPFiles:        name", "CheckSFTPFiles:\n        name")
    problems = read_project_spec(mended, base_dir=REAL).problems
    assert len(problems) == 6
    assert all(problem.message.endswith("is missing") for problem in problems)


@pytest.mark.parametrize("name", ["bahmni-skeleton-v2.yaml", "lightning-canonical-v2.yaml"])
def test_format_v2_is_recognised_and_refused(name: str) -> None:
    problems = read_project_spec((REAL / name).read_bytes(), base_dir=REAL).problems
    assert [problem.path for problem in problems] == ["schema_version"]
    assert "format v2 is not read yet" in problems[0].message
