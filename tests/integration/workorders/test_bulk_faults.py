"""Bulk work under faults and beside others: each work order once, whatever happens (reliability §2)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import operations, workorders
from portal.core import broker, clock
from portal.core.db import db, session
from portal.core.errors import Conflict
from portal.operations import Operation, jobs
from portal.operations.models import OperationItem
from portal.workorders import Deed, Selection, bulk_keys, bulk_work
from portal.workorders.models import Run, Workorder
from tests.support.bulk import FAILED, NOW, did, items, many, new_runs, preview, start
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_workflow
from tests.support.history import received, run_of
from tests.support.past import happen
from tests.support.processes import Forked, crash_at_every_statement, eventually, forget_sending, worker

Scene = tuple[Cast, MadeWorkflow]


@pytest.fixture
def scene(committed: sa.orm.Session) -> Scene:
    """A cast and a workflow that other processes see too."""
    cast = Cast.make()
    flow = make_workflow(cast.project)
    committed.commit()
    return cast, flow


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two in blocks of four."""
    monkeypatch.setattr(bulk_work, "BATCH", 2)
    monkeypatch.setattr(bulk_keys, "BLOCK", 4)


def fresh(operation: Operation) -> Operation:
    found = session().get_one(Operation, operation.id, populate_existing=True)
    session().commit()
    return found


@pytest.mark.slow
def test_bulk_retry_crash_every_statement(scene: Scene, small: None, app: Flask) -> None:
    cast, flow = scene
    orders: list[uuid.UUID] = []
    bad: list[uuid.UUID] = []

    def make() -> Operation:
        orders[:] = [each.id for each in many(flow, 5)]
        bad[:] = [happen(flow, at=NOW, state="failed", wiped=True).id]
        session().commit()
        return start(cast, preview(cast, Selection(ids=(*orders, *bad, uuid.UUID(int=7)))))

    def check(operation: Operation) -> None:
        assert operation.result == {"done": 5, "skipped": {"input_wiped": 1, "not_here": 1}}
        made = session().execute(
            sa.select(Run.work_order_id, Run.id).where(
                Run.work_order_id.in_([*orders, *bad]), Run.created_by_id == cast.editor.id
            )
        )
        runs = [tuple(row) for row in made]
        assert sorted(work_order for work_order, _ in runs) == sorted(orders)
        found = session().execute(
            sa.select(OperationItem.item_id, OperationItem.made_id).where(
                OperationItem.operation_id == operation.id, OperationItem.result == "done"
            )
        )
        assert {tuple(row) for row in found} == set(runs)

    points = crash_at_every_statement(app, make, check)
    assert points > 30


@pytest.mark.slow
def test_bulk_cancel_crash_every_statement(scene: Scene, small: None, app: Flask) -> None:
    cast, flow = scene
    waiting: list[workorders.Created] = []

    def make() -> Operation:
        waiting[:] = [received(flow) for _ in range(3)]
        ids = tuple(created.work_order_id for created in waiting)
        return start(cast, preview(cast, Selection(ids=ids), Deed.CANCEL))

    def check(operation: Operation) -> None:
        assert operation.result == {"done": 3, "skipped": {}}
        assert {run_of(created).state for created in waiting} == {"cancelled"}

    assert crash_at_every_statement(app, make, check) > 20


def test_a_selection_by_filter_goes_on_behind_the_last_batch(scene: Scene, small: None, app: Flask) -> None:
    cast, flow = scene
    orders = many(flow, 9)
    session().commit()
    operation = start(cast, preview(cast))
    interrupt(operation, after=3, by=lambda row: operations.pause(row, actor=cast.actor(cast.editor)))
    assert (fresh(operation).done, len(new_runs(cast))) == (6, 6)
    session().commit()
    operations.resume(fresh(operation), actor=cast.actor(cast.editor))
    assert did(operation).result == {"done": 9, "skipped": {}}
    assert [run.work_order_id for run in new_runs(cast)] == [each.id for each in orders]


def interrupt(operation: Operation, *, after: int, by: Callable[[Operation], object]) -> None:
    """Work until `after` batches are done; `by` steers the operation during the last of them."""
    batches = 0

    def act(*given: object) -> object:
        nonlocal batches
        batches += 1
        if batches == after:
            by(session().get_one(Operation, operation.id))
        return real(*given)

    real = bulk_work._act
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk_work, "_act", act)
        jobs.work(str(operation.id))


def test_an_aborted_deed_keeps_what_is_done_and_can_go_on(scene: Scene, small: None) -> None:
    cast, flow = scene
    many(flow, 7)
    session().commit()
    actor = cast.actor(cast.editor)
    operation = start(cast, preview(cast))
    interrupt(operation, after=2, by=lambda row: operations.ask_cancel(row, actor=actor))
    assert (fresh(operation).state, len(new_runs(cast))) == ("cancelled", 4)
    session().commit()
    operations.try_again(fresh(operation), actor=actor)
    assert did(operation).result == {"done": 7, "skipped": {}}
    assert len({run.work_order_id for run in new_runs(cast)}) == 7


def test_an_emptied_broker_loses_no_bulk_work(scene: Scene, small: None, app: Flask) -> None:
    cast, flow = scene
    many(flow, 5)
    session().commit()
    operation = start(cast, preview(cast))
    broker.client().flushdb()
    forget_sending(operation.id)
    working = worker(app)
    try:
        assert operations.sweep().unanswered == 1
        eventually(lambda: fresh(operation).state == "done", 20)
    finally:
        working.terminate()
    assert len(new_runs(cast)) == 5


def test_confirming_the_same_preview_at_the_same_time_starts_one_operation(scene: Scene, app: Flask) -> None:
    cast, flow = scene
    many(flow, 3)
    session().commit()
    shown = preview(cast)
    session().commit()
    tabs = [Forked(app, lambda: start(cast, shown)) for _ in range(4)]
    assert [tab.wait() for tab in tabs] == [0] * 4
    started = list(session().scalars(sa.select(Operation.id).where(Operation.kind == "workorders:bulk")))
    assert len(started) == 1


def test_a_bulk_retry_beside_single_retries_makes_one_run_each(scene: Scene, small: None, app: Flask) -> None:
    """Who comes second finds a work order that waits: single retries are refused, bulk ones skip it."""
    cast, flow = scene
    orders = [each.id for each in many(flow, 12)]
    session().commit()
    operation = start(cast, preview(cast, FAILED))
    session().commit()

    def one_by_one() -> None:
        for id_ in reversed(orders):
            try:
                workorders.retry_by_hand(cast.project.id, id_, actor=cast.actor(cast.editor))
            except Conflict:
                session().rollback()

    others = [
        Forked(app, lambda: jobs.work(str(operation.id))),
        Forked(app, one_by_one),
        Forked(app, one_by_one),
    ]
    assert [other.wait() for other in others] == [0] * 3
    per_order = session().execute(
        sa.select(Run.work_order_id, sa.func.count())
        .where(Run.created_by_id == cast.editor.id)
        .group_by(Run.work_order_id)
    )
    assert dict(tuple(row) for row in per_order) == dict.fromkeys(orders, 1)
    result = fresh(operation).result
    assert result is not None
    assert result["done"] + sum(result["skipped"].values()) == 12


def test_a_bulk_cancellation_beside_claims_leaves_no_run_in_two_hands(
    scene: Scene, small: None, app: Flask
) -> None:
    cast, flow = scene
    waiting = [received(flow) for _ in range(16)]
    ids = tuple(created.work_order_id for created in waiting)
    operation = start(cast, preview(cast, Selection(ids=ids), Deed.CANCEL))
    session().commit()

    def claim() -> None:
        for _ in range(10):
            workorders.claim(1, f"worker-{uuid.uuid4()}")

    others = [
        Forked(app, claim),
        Forked(app, lambda: jobs.work(str(operation.id))),
        Forked(app, claim),
    ]
    assert [other.wait() for other in others] == [0] * 3
    rows = session().execute(
        sa.select(Run.state, Run.worker_name, Run.finished_at, Workorder.state).join(
            Workorder, Workorder.id == Run.work_order_id
        )
    )
    for state, name, finished_at, order_state in rows:
        assert (state, name is None, finished_at is None, order_state) in (
            ("claimed", False, True, "pending"),
            ("cancelled", True, False, "cancelled"),
        )
    outcome = {result for result, _ in items(operation).values()}
    assert outcome <= {"done", "skipped"}
    assert len(items(operation)) == 16


def test_a_lost_worker_comes_too_late(scene: Scene, small: None) -> None:
    """A worker that wakes up after its lease saves nothing: not the runs, nor the items."""
    cast, flow = scene
    many(flow, 4)
    session().commit()
    operation = start(cast, preview(cast))

    def rob(row: Operation) -> None:
        past = sa.func.clock_timestamp() - timedelta(seconds=1)
        with db.engine.begin() as other:
            other.execute(
                sa.update(Operation).where(Operation.id == row.id).values(fence=99, lease_until=past)
            )

    interrupt(operation, after=1, by=rob)
    assert new_runs(cast) == []
    assert items(operation) == {}
    session().commit()
    operations.sweep()
    assert did(operation).result == {"done": 4, "skipped": {}}


def test_a_clock_that_stands_still_excludes_nothing(scene: Scene) -> None:
    cast, flow = scene
    with clock.frozen_at(NOW + timedelta(days=1)):
        orders = [happen(flow, at=clock.now(), state="failed") for _ in range(3)]
        session().commit()
        operation = start(cast, preview(cast))
        assert did(operation).result == {"done": 3, "skipped": {}}
    assert len(orders) == 3
