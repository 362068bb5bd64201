"""Many workers, janitors and people at once, on real connections (workorders §6.6, §12.3)."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import accounts, workorders
from portal.core import clock, db
from portal.core.access import Actor
from portal.core.errors import Conflict, Invalid
from portal.projects.models import Project
from portal.workorders import Created, rows
from portal.workorders.models import UNFINISHED, Run, Workorder
from tests.support.factories import MadeWorkflow, make_project, make_user, make_workflow
from tests.support.history import received, run_of


def made(project: Project | None = None, **columns: object) -> MadeWorkflow:
    flow = make_workflow(project or make_project(), **columns)  # type: ignore[arg-type]
    db.session().commit()
    return flow


def drain(claimed: list[uuid.UUID]) -> None:
    while found := workorders.claim(3, "w"):
        claimed.extend(run.id for run in found)


def test_6_6_no_run_is_claimed_twice(committed: sa.orm.Session, at_once: Callable[..., list[object]]) -> None:
    flow = made()
    wanted = {received(flow).run_id for _ in range(40)}

    def worker(_number: int) -> list[uuid.UUID]:
        mine: list[uuid.UUID] = []
        drain(mine)
        return mine

    claimed = [run_id for share in at_once(worker) for run_id in share]  # type: ignore[attr-defined]
    assert len(claimed) == len(set(claimed))
    drain(claimed)
    assert set(claimed) == wanted


def test_6_4_no_limit_is_broken_while_runs_arrive_and_end(
    committed: sa.orm.Session, at_once: Callable[..., list[object]]
) -> None:
    project = make_project(concurrency=2)
    flows = [made(project), made(project), made(project, concurrency=1)]
    for flow in flows:
        for _ in range(6):
            received(flow)
    shared = [flow.id for flow in flows[:2]]
    worst = {"shared": 0, "own": 0}

    def busy(ids: list[uuid.UUID]) -> int:
        rule = sa.select(sa.func.count()).select_from(Run)
        rule = rule.where(Run.workflow_id.in_(ids), Run.state.in_(["claimed", "started"]))
        return db.session().scalar(rule) or 0

    def worker(number: int) -> None:
        dice = random.Random(number)
        for _ in range(25):
            found = workorders.claim(2, f"w{number}")
            worst["shared"] = max(worst["shared"], busy(shared))
            worst["own"] = max(worst["own"], busy([flows[2].id]))
            db.session().rollback()
            for run in found:
                if dice.random() < 0.5:
                    workorders.start_run(run.id)
                workorders.complete_run(run.id, state=dice.choice(["success", "failed"]))
            if dice.random() < 0.3:
                received(dice.choice(flows))

    at_once(worker)
    assert worst == {"shared": 2, "own": 1}


def test_an_older_run_that_arrives_between_two_claimers_finds_no_free_slot(
    committed: sa.orm.Session, at_once: Callable[..., list[object]]
) -> None:
    flow = made(concurrency=1)
    received(flow)

    def other(_number: int) -> int:
        with clock.frozen_at(clock.now() - timedelta(minutes=1)):
            received(flow)
        return len(workorders.claim())

    with db.unit_of_work():
        assert len(workorders.claim()) == 1
        assert at_once(other, 1) == [0]
    assert workorders.claim() == []


def test_whoever_waits_for_a_work_order_holds_none_of_its_runs(app: Flask, committed: sa.orm.Session) -> None:
    created = received(made())
    run_id = run_of(created).id
    workorders.claim_run(run_id)

    def start() -> None:
        with app.app_context():
            workorders.start_run(run_id)

    free = sa.select(Run.id).where(Run.id == run_id).with_for_update(nowait=True, key_share=True)
    with ThreadPoolExecutor(1) as pool:
        with db.unit_of_work():
            rows.lock_workorders({created.work_order_id})
            waiting = pool.submit(start)
            until_somebody_waits()
            assert db.session().scalars(free).one() == run_id
        waiting.result(timeout=10)
    assert run_of(created).state == "started"


def until_somebody_waits() -> None:
    """Return once another connection waits for a lock."""
    asked = sa.text("""
        SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()
    """)
    for _ in range(500):
        if db.session().scalar(asked):
            return
        time.sleep(0.01)
        # Activity is a snapshot that lasts as long as the transaction.
        db.session().execute(sa.text("SELECT pg_stat_clear_snapshot()"))
    raise AssertionError("nobody waits")


def test_12_3_a_cancel_never_wins_over_a_claim(
    committed: sa.orm.Session, at_once: Callable[..., list[object]]
) -> None:
    flow = made()
    orders = [received(flow) for _ in range(30)]

    def deed(number: int) -> set[object]:
        if number % 2:
            mine: list[uuid.UUID] = []
            drain(mine)
            return set(mine)
        return {order.run_id for order in orders if cancelled(order)}

    first, second, third, fourth = at_once(deed)
    sets = [first, second, third, fourth]
    assert sum(len(each) for each in sets) == len(set().union(*sets))  # type: ignore[arg-type,call-overload]
    for order in orders:
        run = run_of(order)
        assert (run.state == "cancelled") == (run.id in first | third)  # type: ignore[operator]


def cancelled(order: Created) -> bool:
    try:
        workorders.cancel_workorder(order.project_id, order.work_order_id)
    except Conflict:
        return False
    return True


def test_two_ends_of_one_run_leave_one_state(
    committed: sa.orm.Session, at_once: Callable[..., list[object]]
) -> None:
    flow = made()
    for _ in range(10):
        created = received(flow)
        run_id = run_of(created).id
        workorders.claim_run(run_id)
        db.session().commit()

        def end(number: int, run_id: uuid.UUID = run_id) -> bool:
            try:
                workorders.complete_run(run_id, state=["success", "failed", "crashed", "killed"][number])
            except Invalid:
                return False
            return True

        assert sum(map(bool, at_once(end))) == 1


def test_log_lines_of_many_writers_are_numbered_without_gap(
    committed: sa.orm.Session, at_once: Callable[..., list[object]]
) -> None:
    run_id = run_of(received(made())).id
    db.session().commit()
    line = {"message": "x", "timestamp": datetime(2026, 11, 2, tzinfo=UTC)}

    def write(_number: int) -> list[int]:
        return [seq for _ in range(10) for seq in workorders.append_logs(run_id, [line, line])]

    numbers = [seq for share in at_once(write) for seq in share]  # type: ignore[attr-defined]
    assert sorted(numbers) == list(range(1, 81))


@pytest.mark.slow
def test_whatever_happens_at_once_the_history_stays_true(
    committed: sa.orm.Session, at_once: Callable[..., list[object]]
) -> None:
    """Claims, starts, ends, cancels, retries and the janitor on a few work orders; no deadlock, no lie."""
    flow = made()
    actor = accounts.actor_of(make_user())
    db.session().commit()
    orders = [received(flow) for _ in range(5)]
    db.session().commit()

    def live(number: int) -> None:
        dice = random.Random(number)
        mine: list[uuid.UUID] = []
        for _ in range(40):
            with suppress(Conflict, Invalid):
                act(dice, dice.choice(orders), mine, actor)

    at_once(live)
    for order in orders:
        check(order)


def act(dice: random.Random, order: Created, mine: list[uuid.UUID], actor: Actor) -> None:
    """One deed of a worker, a person or the janitor."""
    deed = dice.choice(["claim", "claim", "start", "end", "cancel", "retry", "janitor"])
    if deed == "claim":
        mine.extend(run.id for run in workorders.claim(2))
    elif deed == "start" and mine:
        workorders.start_run(dice.choice(mine))
    elif deed == "end" and mine:
        workorders.complete_run(mine.pop(), state=dice.choice(["success", "failed"]))
    elif deed == "cancel":
        workorders.cancel_workorder(order.project_id, order.work_order_id)
    elif deed == "retry":
        workorders.retry_from_start(order.project_id, order.work_order_id, actor=actor)
    elif deed == "janitor" and dice.random() < 0.2:
        with clock.frozen_at(clock.now() + timedelta(hours=1)):
            workorders.mark_lost()


def check(order: Created) -> None:
    """The work order's state is what its runs say (workorders §4)."""
    session = db.session()
    session.expire_all()
    state = session.scalars(sa.select(Workorder.state).where(Workorder.id == order.work_order_id)).one()
    runs = list(session.scalars(sa.select(Run).where(Run.work_order_id == order.work_order_id)))
    open_states = {run.state for run in runs if run.state in UNFINISHED}
    if open_states == {"started"}:
        assert state == "running"
    elif open_states:
        assert state in {"pending", "running"}
        assert state == "pending" or "started" in open_states
    else:
        assert state in {run.state for run in runs}
    for run in runs:
        assert run.finished == (run.finished_at is not None)
