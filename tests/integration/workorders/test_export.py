"""CSV exports: exactly the filtered rows, harmless cells, whole after any crash (workorders §13, §18.78)."""

from __future__ import annotations

import csv
import io
import os
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import audit, operations, workorders
from portal.audit import AuditEvent
from portal.core import broker, clock, storage
from portal.core.db import session
from portal.operations import Operation, turn
from portal.projects import FileStatus, Project, ProjectFile
from portal.workorders import SearchFilters, csv_export, jobs
from portal.workorders.indexing import index_due
from portal.workorders.models import Workorder, WorkorderState
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_workflow
from tests.support.past import happen
from tests.support.processes import (
    crash_at_every_statement,
    crashes_at,
    end_lease,
    eventually,
    forget_sending,
    worker,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def written(project: Project, **filters: object) -> bytes:
    sink, ids = io.BytesIO(), io.BytesIO()
    chosen = SearchFilters.model_validate(filters)
    end = csv_export.write_csv(project, chosen, cut_off=clock.now(), sink=sink, ids=ids)
    assert end.length == len(sink.getvalue())
    return sink.getvalue()


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def past(flow: MadeWorkflow, number: int) -> list[uuid.UUID]:
    states = ("failed", "success", "crashed")
    return [
        happen(flow, at=NOW - timedelta(minutes=n), state=states[n % 3], logs=[f"line {n} anvil"]).id
        for n in range(number)
    ]


@pytest.fixture
def scene(committed: sa.orm.Session) -> tuple[Cast, MadeWorkflow]:
    """A cast and a workflow that other processes see too."""
    cast = Cast.make()
    flow = make_workflow(cast.project)
    committed.commit()
    return cast, flow


def test_each_row_holds_what_its_column_says(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, state="failed", name='Say "hi", Zoë', runs=2, error_type="TypeError", at=NOW)
    header, line, end = written(cast.project).decode().split("\r\n")
    assert header == ",".join(csv_export.COLUMNS)
    assert end == ""
    assert line.split(",")[0] == str(made.id)
    (row,) = rows_of(written(cast.project))
    assert row == {
        "work_order_id": str(made.id),
        "workflow": flow.workflow.name,
        "state": "failed",
        "trigger_type": "webhook",
        "input_dataclip_id": str(made.order.dataclip_id),
        "input_dataclip_name": 'Say "hi", Zoë',
        "runs": "2",
        "last_error_type": "TypeError",
        "inserted_at": "2026-11-20T12:00:00.000000Z",
        "last_activity": "2026-11-20T12:00:00.000000Z",
        "project": "clinic",
    }


def test_what_is_missing_is_empty(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, state="rejected", manual=True)
    made.order.dataclip_id = None
    session().flush()
    (row,) = rows_of(written(cast.project))
    assert [name for name, value in row.items() if value == ""] == [
        "trigger_type",
        "input_dataclip_id",
        "input_dataclip_name",
        "last_error_type",
    ]
    assert row["runs"] == "0"


@pytest.mark.parametrize("start", [*"=+-@\t\r\n＝＋－＠", " =", "\u00a0="])
def test_no_cell_begins_like_a_formula(cast: Cast, flow: MadeWorkflow, start: str) -> None:
    name = start + 'HYPERLINK("x","y")\r\nsecond line'
    happen(flow, name=name, error_type=name)
    (row,) = rows_of(written(cast.project))
    assert row["input_dataclip_name"] == row["last_error_type"] == "'" + name


def test_harmless_cells_stay_as_they_are(cast: Cast, flow: MadeWorkflow) -> None:
    for name in ("a=1", "x-y", "'quoted'", "3 + 4", ""):
        happen(flow, name=name)
    assert {row["input_dataclip_name"] for row in rows_of(written(cast.project))} == {
        *("a=1", "x-y", "'quoted'", "3 + 4", "")
    }


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"states": ["failed"]},
        {"states": ["failed", "success"], "sort": "inserted_at"},
        {"q": "anvil"},
        {"q": "line 1", "states": ["success"]},
        {"q": "anvil", "search_in": []},
        {"active_from": NOW - timedelta(minutes=8), "sort": "last_activity"},
    ],
)
def test_the_file_holds_exactly_the_filtered_rows_in_order(
    cast: Cast, flow: MadeWorkflow, filters: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_export, "BATCH", 4)
    past(flow, 19)
    past(make_workflow(cast.project), 3)
    while index_due():
        pass
    shown, cursor = [], None
    while True:
        page = workorders.search(cast.project, SearchFilters.model_validate(filters), cursor, size=6)
        shown += [str(row.id) for row in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert [row["work_order_id"] for row in rows_of(written(cast.project, **filters))] == shown


def test_the_set_is_that_of_the_beginning(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_export, "BATCH", 2)
    ids = past(flow, 6)
    late = happen(flow, at=NOW + timedelta(days=2)).id
    sink, files = io.BytesIO(), io.BytesIO()

    def meddle(reached: csv_export.Checkpoint) -> None:
        if reached.done == 2:
            happen(flow, at=NOW)
            moved = session().get_one(Workorder, ids[5])
            moved.last_activity, moved.state = NOW + timedelta(hours=1), WorkorderState.PENDING
            session().flush()

    csv_export.write_csv(cast.project, SearchFilters(), cut_off=NOW, sink=sink, ids=files, on_batch=meddle)
    found = [row["work_order_id"] for row in rows_of(sink.getvalue())]
    assert found == [str(id_) for id_ in ids]
    assert str(late) not in found


def test_18_78_a_request_is_audited_and_enqueued(cast: Cast, flow: MadeWorkflow) -> None:
    actor = cast.actor(cast.viewer)
    filters = SearchFilters(states=("failed",), q="anvil", active_from=NOW)
    with clock.frozen_at(NOW):
        file = workorders.request_export(cast.project, filters, actor=actor)
    assert (file.status, file.path, file.created_by_id) == (FileStatus.ENQUEUED, None, cast.viewer.id)
    assert file.name == "clinic-history-20261120-120000.csv"
    event = session().scalars(sa.select(AuditEvent)).one()
    assert (event.event, event.item_type, event.item_id) == ("requested", "history_export", cast.project.id)
    assert (event.actor_id, event.details) == (
        cast.viewer.id,
        {"states": ["failed"], "q": "anvil", "active_from": "2026-11-20T12:00:00Z"},
    )
    operation = operation_of(file)
    assert SearchFilters.model_validate(operation.arguments["filters"]) == filters


def test_a_refused_request_leaves_nothing(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch, db_session: sa.orm.Session
) -> None:
    db_session.commit()

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(RuntimeError):
        workorders.request_export(cast.project, SearchFilters(), actor=cast.actor(cast.owner))
    for table in (ProjectFile, Operation, AuditEvent):
        assert db_session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def ask(cast: Cast) -> ProjectFile:
    file = workorders.request_export(cast.project, SearchFilters(), actor=cast.actor(cast.owner))
    session().commit()
    return file


def operation_of(file: ProjectFile) -> Operation:
    found = session().get_one(Operation, file.operation_id, populate_existing=True)
    session().commit()
    return found


def fresh(file: ProjectFile) -> ProjectFile:
    found = session().get_one(ProjectFile, file.id, populate_existing=True)
    session().rollback()
    return found


def content(file: ProjectFile) -> bytes:
    with storage.open_for_read(fresh(file).path or "") as stream:
        return stream.read()


def test_a_finished_export_tells_size_rows_and_digest(scene: tuple[Cast, MadeWorkflow]) -> None:
    cast, flow = scene
    past(flow, 5)
    file = ask(cast)
    assert turn.take(file.operation_id)
    done = fresh(file)
    assert (done.status, done.rows, done.size) == (FileStatus.COMPLETED, 5, len(content(file)))
    assert not storage.exists(f"exports/{cast.project.id}/{file.id}.ids")
    assert operation_of(file).state == "done"


@pytest.mark.slow
def test_export_crash_every_statement(
    scene: tuple[Cast, MadeWorkflow], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, flow = scene
    monkeypatch.setattr(csv_export, "BATCH", 3)
    past(flow, 5)
    wanted = written(cast.project)
    session().commit()

    def check(operation: Operation) -> None:
        file = session().get_one(ProjectFile, uuid.UUID(operation.arguments["file_id"]))
        assert (file.status, file.rows) == (FileStatus.COMPLETED, 5)
        assert content(file) == wanted
        assert not storage.exists(f"exports/{cast.project.id}/{file.id}.ids")

    def make() -> Operation:
        return session().get_one(Operation, ask(cast).operation_id)

    assert crash_at_every_statement(app, make, check) > 10


def test_kill_9_in_the_middle_leaves_one_whole_file(
    scene: tuple[Cast, MadeWorkflow], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, flow = scene
    ids = past(flow, 40)
    file = slow_export(cast, monkeypatch)
    first = worker(app)
    eventually(lambda: done_of(file) >= 4)
    first.kill()
    assert 4 <= done_of(file) < 40
    end_lease(file.operation_id)
    operations.sweep()
    second = worker(app)
    eventually(lambda: fresh(file).status == FileStatus.COMPLETED)
    second.kill()
    assert [row["work_order_id"] for row in rows_of(content(file))] == [str(id_) for id_ in ids]


def test_flushing_the_broker_in_the_middle_loses_nothing(
    scene: tuple[Cast, MadeWorkflow], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, flow = scene
    ids = past(flow, 40)
    under_way, waiting = slow_export(cast, monkeypatch), ask(cast)
    only = worker(app)
    eventually(lambda: done_of(under_way) >= 4)
    broker.client().flushall()
    forget_sending(waiting.operation_id)
    operations.sweep()
    for file in (under_way, waiting):
        eventually(lambda file=file: fresh(file).status == FileStatus.COMPLETED)
        assert [row["work_order_id"] for row in rows_of(content(file))] == [str(id_) for id_ in ids]
    only.kill()


def slow_export(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> ProjectFile:
    """An export whose batches hold two rows and take a while, also in workers forked from here."""
    batch = csv_export._batch

    def slowly(*given: object) -> csv_export.Checkpoint:
        time.sleep(0.02)
        return batch(*given)

    monkeypatch.setattr(csv_export, "BATCH", 2)
    monkeypatch.setattr(csv_export, "_batch", slowly)
    return ask(cast)


def done_of(file: ProjectFile) -> int:
    done = session().scalar(sa.select(Operation.done).where(Operation.id == file.operation_id))
    session().rollback()
    return done or 0


def test_files_that_were_lost_are_written_anew(
    scene: tuple[Cast, MadeWorkflow], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, flow = scene
    monkeypatch.setattr(csv_export, "BATCH", 2)
    past(flow, 6)
    wanted = written(cast.project)
    file = ask(cast)
    point = 4
    while not done_of(file):
        point += 4
        assert crashes_at(app, point, lambda: turn.take(file.operation_id))
        end_lease(file.operation_id)
        operations.sweep()
    storage.delete(f"exports/{cast.project.id}/{file.id}.csv")
    assert turn.take(file.operation_id)
    assert content(file) == wanted


def test_a_full_disk_fails_with_a_reason_and_leaves_no_bytes(
    scene: tuple[Cast, MadeWorkflow], monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, flow = scene
    past(flow, 2)
    file = ask(cast)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(csv_export.Checkpoint, "to_json", full)
    turn.take(file.operation_id)
    assert (fresh(file).status, fresh(file).error) == (FileStatus.FAILED, jobs.NO_ROOM)
    operation = operation_of(file)
    assert (operation.state, operation.error) == ("failed", jobs.NO_ROOM)
    for end in ("csv", "ids"):
        assert not storage.exists(f"exports/{cast.project.id}/{file.id}.{end}")


def test_an_export_without_its_file_row_fails(scene: tuple[Cast, MadeWorkflow]) -> None:
    cast, _ = scene
    file = ask(cast)
    session().delete(session().get_one(ProjectFile, file.id))
    session().commit()
    turn.take(file.operation_id)
    assert operation_of(file).state == "failed"


def test_a_failed_export_tried_again_succeeds(
    scene: tuple[Cast, MadeWorkflow], monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, flow = scene
    past(flow, 3)
    file = ask(cast)
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "write_csv", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
        turn.take(file.operation_id)
    assert fresh(file).status == FileStatus.FAILED
    workorders.retry_export(cast.project.id, file.id, actor=cast.actor(cast.owner))
    assert turn.take(file.operation_id)
    assert fresh(file).status == FileStatus.COMPLETED
    assert content(file) == written(cast.project)


def test_cancelling_marks_the_file_failed(scene: tuple[Cast, MadeWorkflow]) -> None:
    cast, _ = scene
    file = ask(cast)
    workorders.cancel_export(cast.project.id, file.id, actor=cast.actor(cast.owner))
    found = fresh(file)
    assert (found.status, found.error) == (FileStatus.FAILED, "Cancelled.")
