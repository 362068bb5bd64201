"""The archive of an export (workorders §13): what is in it, in which order, verified against its manifest."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from portal import operations, workorders
from portal.core import clock, storage
from portal.core.db import session
from portal.dataclips.models import DataclipType
from portal.operations import turn
from portal.projects import FileStatus, ProjectFile
from portal.workorders import ExportFormat, SearchFilters, step_secrets, zip_export, zip_sort
from portal.workorders.models import LogLine, Run, RunStep, Step, Workorder
from tests.support.archives import verified
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project, make_workflow
from tests.support.past import Happened, happen, make_clip

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Content = tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]


def exported(cast: Cast, **filters: object) -> Content:
    """Ask, let a worker work, verify."""
    chosen = SearchFilters.model_validate(filters)
    file = workorders.request_export(
        cast.project, chosen, actor=cast.actor(cast.viewer), format=ExportFormat.ZIP
    )
    session().commit()
    assert turn.take(file.operation_id)
    return content_of(file)


def content_of(file: ProjectFile) -> Content:
    found = session().get_one(ProjectFile, file.id, populate_existing=True)
    assert (found.status, found.error) == (FileStatus.COMPLETED, None)
    with storage.open_for_read(found.path or "") as stream:
        whole = io.BytesIO(stream.read())
    assert len(whole.getvalue()) == found.size
    manifest, rows, entries = verified(whole)
    assert found.rows == len(rows["work_orders"])
    session().rollback()
    return manifest, rows, entries


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def full(flow: MadeWorkflow, minutes: int = 0, **more: Any) -> Happened:
    """A failed work order with a step that has input and output, and two lines."""
    made = happen(
        flow,
        at=NOW - timedelta(minutes=minutes),
        state="failed",
        steps=[{"visit": minutes}],
        logs=["begins", 'says "hi"\nover two lines \\ \t ünï'],
        error_type="TypeError",
        **more,
    )
    made.steps[0].output_dataclip_id = make_clip(flow, {"left": minutes}, kind=DataclipType.STEP_RESULT).id
    session().flush()
    return made


def test_18_79_more_than_fifty_work_orders_are_one_object(cast: Cast, flow: MadeWorkflow) -> None:
    made = [happen(flow, at=NOW - timedelta(minutes=n), logs=["x"]) for n in range(120)]
    _, rows, _ = exported(cast)
    assert ids(rows["work_orders"]) == [str(each.id) for each in made]
    assert ids(rows["runs"]) == [str(each.run.id) for each in made]


def test_the_fields_are_those_of_the_specification(cast: Cast, flow: MadeWorkflow) -> None:
    """workorders §13.6"""
    made = full(flow)
    made.run.options = {"run_timeout_ms": 1000}
    session().flush()
    _, rows, _ = exported(cast)
    (order,), (run,), (step,), (link,) = (
        rows[name] for name in ("work_orders", "runs", "steps", "run_steps")
    )
    assert " ".join(order) == (
        "id dataclip_id inserted_at last_activity snapshot_id state trigger_id updated_at workflow_id"
        " workflow_name"
    )
    assert " ".join(run) == (
        "id work_order_id state error_type claimed_at started_at finished_at inserted_at created_by_id"
        " dataclip_id options snapshot_id starting_job_id starting_trigger_id"
    )
    assert " ".join(step) == (
        "id job_id credential_id exit_reason error_type started_at finished_at inserted_at input_dataclip"
        " output_dataclip snapshot_id"
    )
    assert " ".join(link) == "id run_id step_id inserted_at"
    assert (order["workflow_name"], order["state"]) == (flow.workflow.name, "failed")
    assert datetime.fromisoformat(order["last_activity"]) == NOW
    assert (run["options"], run["claimed_at"]) == ({"run_timeout_ms": 1000}, None)
    assert (link["run_id"], link["step_id"]) == (run["id"], step["id"])


def test_logs_are_the_messages_joined_by_line_feeds(cast: Cast, flow: MadeWorkflow) -> None:
    made, silent = full(flow), happen(flow, at=NOW)
    late = session().scalars(sa.select(LogLine).where(LogLine.run_id == made.run.id, LogLine.seq == 1)).one()
    late.timestamp = clock.now() + timedelta(hours=1)
    session().flush()
    _, _, entries = exported(cast)
    assert entries[f"logs/{made.run.id}.txt"].decode() == 'says "hi"\nover two lines \\ \t ünï\nbegins'
    assert f"logs/{silent.run.id}.txt" not in entries


def test_bodies_of_the_steps_are_there_wrapped_as_a_job_sees_them(cast: Cast, flow: MadeWorkflow) -> None:
    """workorders §13.5, §13.8; §5.6 for what arrived from outside."""
    made = full(flow, 3, body={"only": "the work order's"})
    arrived = make_clip(flow, {"a": 1})
    wiped = make_clip(flow, wiped=True, kind=DataclipType.STEP_RESULT)
    second = Step(
        job_id=flow.jobs["Second"].id,
        input_dataclip_id=arrived.id,
        output_dataclip_id=wiped.id,
        started_at=NOW,
    )
    session().add(second)
    session().flush()
    session().add(RunStep(run_id=made.run.id, step_id=second.id))
    session().flush()
    step = made.steps[0]
    _, _, entries = exported(cast)
    bodies = {name: json.loads(text) for name, text in entries.items() if name.startswith("dataclips/")}
    assert bodies == {
        f"dataclips/{step.input_dataclip_id}.json": {"visit": 3},
        f"dataclips/{step.output_dataclip_id}.json": {"left": 3},
        f"dataclips/{arrived.id}.json": {"data": {"a": 1}, "request": None},
        f"dataclips/{wiped.id}.json": None,
    }


def test_a_step_shared_by_two_runs_appears_once_for_each(cast: Cast, flow: MadeWorkflow) -> None:
    """workorders §13.7"""
    made = full(flow, runs=2)
    session().add(RunStep(run_id=made.runs[0].id, step_id=made.steps[0].id))
    session().flush()
    _, rows, entries = exported(cast)
    assert ids(rows["runs"]) == [str(run.id) for run in made.runs]
    assert ids(rows["steps"]) == [str(made.steps[0].id)] * 2
    assert [link["run_id"] for link in rows["run_steps"]] == [str(run.id) for run in made.runs]
    assert len([name for name in entries if name.startswith("dataclips/")]) == 2


def test_a_dataclip_used_by_many_work_orders_is_stored_once(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_export, "BATCH", 2)
    monkeypatch.setattr(zip_export, "BODIES", 2)
    monkeypatch.setattr(zip_sort, "CHUNK", 3)
    made = [full(flow, minutes) for minutes in range(7)]
    for each in made:
        each.steps[0].input_dataclip_id = made[0].steps[0].input_dataclip_id
    session().flush()
    _, _, entries = exported(cast)
    assert len([name for name in entries if name.startswith("dataclips/")]) == 8


def test_an_empty_set_is_a_whole_archive(cast: Cast, flow: MadeWorkflow) -> None:
    happen(flow, state="success")
    manifest, rows, entries = exported(cast, states=["lost"])
    assert rows == {"work_orders": [], "runs": [], "steps": [], "run_steps": []}
    assert set(entries) == {"export.json", "manifest.json"}
    assert manifest["filters"] == {"states": ["lost"]}


def test_the_manifest_says_what_was_asked_where_and_by_which_portal(cast: Cast, flow: MadeWorkflow) -> None:
    full(flow)
    with clock.frozen_at(NOW):
        file = workorders.request_export(
            cast.project, SearchFilters(), actor=cast.actor(cast.viewer), format=ExportFormat.ZIP
        )
    session().commit()
    turn.take(file.operation_id)
    manifest, _, _ = content_of(file)
    assert manifest["project"] == {"id": str(cast.project.id), "name": "clinic"}
    assert manifest["cut_off"] == NOW.isoformat()
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["portal_version"])
    assert file.name == "clinic-history-20261120-120000.zip"


def test_only_the_filtered_work_orders_of_the_project_are_in_it(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = full(flow)
    happen(flow, state="success", logs=["secret"])
    full(make_workflow(make_project("elsewhere")))
    _, rows, entries = exported(cast, states=["failed"])
    assert ids(rows["work_orders"]) == [str(wanted.id)]
    assert [name for name in entries if name.startswith("logs/")] == [f"logs/{wanted.run.id}.txt"]


def test_a_work_order_that_has_gone_meanwhile_is_left_out(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """workorders §13.3"""
    monkeypatch.setattr(zip_export, "BATCH", 1)
    stays, goes = happen(flow, at=NOW), happen(flow, at=NOW - timedelta(minutes=1), logs=["gone"])
    batch = zip_export._row_batch

    def meddle(work: Any, asked: list[str]) -> None:
        if asked == [str(goes.id)]:
            for model, column in ((LogLine, "run_id"), (Run, "id")):
                session().execute(sa.delete(model).where(getattr(model, column) == goes.run.id))
            session().execute(sa.delete(Workorder).where(Workorder.id == goes.id))
            session().commit()
        batch(work, asked)

    monkeypatch.setattr(zip_export, "_row_batch", meddle)
    _, rows, entries = exported(cast)
    assert ids(rows["work_orders"]) == [str(stays.id)]
    assert not any(name.startswith("logs/") for name in entries)


def test_names_of_entries_come_from_ids_only(cast: Cast, project_names: str) -> None:
    """reliability §4: names that people gave reach no path."""
    flow = make_workflow(cast.project, project_names)
    full(flow, name=project_names[:200])
    _, _, entries = exported(cast)
    uuid_ = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    fit = rf"export\.json|manifest\.json|logs/{uuid_}\.txt|dataclips/{uuid_}\.json"
    assert all(re.fullmatch(fit, name) for name in entries)


@pytest.fixture(params=["../../etc/passwd", "CON", "a" * 300, "C:\\x", "logs/../x"])
def project_names(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_secrets_of_a_steps_credentials_are_replaced(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dataclips-and-accounts §1.11: the one place that knows secrets is asked for every body."""
    made = full(flow, 1, body={})
    clip = made.steps[0].output_dataclip_id
    session().execute(
        sa.text("UPDATE dataclip_bodies SET body = CAST(:body AS jsonb) WHERE dataclip_id = :id"),
        {"body": json.dumps({"token": 'hun"ter2', "n": "xhunx"}), "id": clip},
    )
    known = {clip: ["hun", 'hun"ter2']}
    monkeypatch.setattr(step_secrets, "secrets_of_step_output", lambda asked: known)
    _, _, entries = exported(cast)
    assert json.loads(entries[f"dataclips/{clip}.json"]) == {"token": "***", "n": "x***x"}


def test_a_failed_archive_leaves_nothing_and_says_why(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(flow)
    file = workorders.request_export(
        cast.project, SearchFilters(), actor=cast.actor(cast.viewer), format=ExportFormat.ZIP
    )
    operation = session().get_one(operations.Operation, file.operation_id)
    operation.arguments = {**operation.arguments, "filters": {"colour": "purple"}}
    session().commit()
    turn.take(file.operation_id)
    found = session().get_one(ProjectFile, file.id, populate_existing=True)
    assert (found.status, found.path, found.size) == (FileStatus.FAILED, None, None)
    assert "cannot be read" in (found.error or "")
