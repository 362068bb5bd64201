"""A stop, an end and a loss of one run at the same moment, on real connections (workorders §12.6-8)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError

from portal import accounts, workorders
from portal.core import clock, db
from portal.core.errors import Conflict, Invalid
from portal.workorders import rows, stopping
from portal.workorders.models import Run, Step, Workorder
from tests.support.factories import MadeWorkflow, make_project, make_user, make_workflow
from tests.support.history import order_of, row, run_of, started, step_of

LATER = timedelta(hours=1)


@pytest.fixture
def flow(committed: sa.orm.Session) -> MadeWorkflow:
    made = make_workflow(make_project())
    committed.commit()
    return made


def stop_asked(flow: MadeWorkflow) -> workorders.Created:
    """A run that works, with an open step, and that somebody asked to stop."""
    created = started(flow)
    step_of(flow, created, "First")
    actor = accounts.actor_of(make_user())
    db.session().commit()
    workorders.ask_stop(created.project_id, run_of(created).id, actor=actor)
    db.session().commit()
    return created


def ended(session: sa.orm.Session, created: workorders.Created) -> tuple[str, str | None]:
    """State and error type, which agree with the work order's."""
    session.expire_all()
    run = row(Run, created.run_id)
    assert row(Workorder, created.work_order_id).state == run.state
    assert run.finished_at is not None
    return run.state, run.error_type


def test_a_stop_an_end_and_a_loss_leave_one_state(
    flow: MadeWorkflow, committed: sa.orm.Session, at_once: Callable[..., list[object]]
) -> None:
    found = set()
    for _ in range(12):
        created = stop_asked(flow)
        run_id = run_of(created).id
        committed.commit()

        def deed(number: int, run_id: uuid.UUID = run_id) -> str | None:
            if number == 0:
                with suppress(Invalid):
                    workorders.complete_run(run_id, state="success")
                    return "success"
                return None
            with clock.frozen_at(clock.now() + LATER):
                if number == 1:
                    return "killed" if workorders.force_stops() else None
                return "lost" if workorders.mark_lost() else None

        winners = {word for word in at_once(deed, 3) if word}
        state, error_type = ended(committed, created)
        assert winners == {state}
        assert {"killed": "StoppedByUser", "lost": "LostAfterStart", "success": None}[state] == error_type
        found.add(state)
    assert found


def test_asking_and_ending_at_once_never_brings_a_run_back(
    flow: MadeWorkflow, committed: sa.orm.Session, at_once: Callable[..., list[object]]
) -> None:
    actor = accounts.actor_of(make_user())
    for _ in range(12):
        created = started(flow)
        run_id = run_of(created).id
        committed.commit()

        def deed(number: int, created: workorders.Created = created, run_id: uuid.UUID = run_id) -> bool:
            if number:
                workorders.complete_run(run_id, state="failed")
                return True
            with suppress(Conflict):
                workorders.ask_stop(created.project_id, run_id, actor=actor)
                return True
            return False

        accepted, _ = at_once(deed, 2)
        assert ended(committed, created) == ("failed", None)
        assert (run_of(created).stop_asked_at is not None) == accepted


def test_a_result_that_waits_while_its_run_is_taken_away_is_refused(
    app: Flask, flow: MadeWorkflow, committed: sa.orm.Session
) -> None:
    created = stop_asked(flow)
    run_id = run_of(created).id
    (step_id,) = committed.scalars(sa.select(Step.id)).all()
    committed.commit()

    def report() -> dict[str, list[str]]:
        with app.app_context():
            try:
                workorders.complete_step(run_id, step_id, "success")
            except Invalid as refused:
                return dict(refused.fields)
        return {}

    with ThreadPoolExecutor(1) as pool:
        with db.unit_of_work(), clock.frozen_at(clock.now() + LATER):
            assert stopping._kill(run_id)
            waiting = pool.submit(report)
            somebody_waits()
        assert waiting.result(timeout=10) == {"run_id": ["already in completed state"]}
    committed.expire_all()
    assert row(Step, step_id).exit_reason == "kill"


def somebody_waits() -> None:
    asked = sa.text("""
        SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()
    """)
    for _ in range(1000):
        db.session().execute(sa.text("SELECT pg_stat_clear_snapshot(), pg_sleep(0.01)"))
        if db.session().scalar(asked):
            return
    raise AssertionError("nobody waits")


def test_a_run_that_somebody_works_on_waits_for_the_next_turn(
    app: Flask, flow: MadeWorkflow, committed: sa.orm.Session
) -> None:
    created = stop_asked(flow)
    run_id = run_of(created).id
    committed.commit()

    def turn() -> int:
        with app.app_context(), clock.frozen_at(clock.now() + LATER):
            return workorders.force_stops()

    with ThreadPoolExecutor(1) as pool:
        with db.unit_of_work():
            rows.lock_run(run_id)
            assert pool.submit(turn).result(timeout=10) == 0
        assert pool.submit(turn).result(timeout=10) == 1
    assert ended(committed, created) == ("killed", "StoppedByUser")


def test_a_janitor_whose_connection_dies_half_way_leaves_nothing_half_done(
    flow: MadeWorkflow, committed: sa.orm.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = stop_asked(flow)
    (step_id,) = committed.scalars(sa.select(Step.id)).all()
    committed.commit()

    def die(*_args: object, **_more: object) -> int:
        with suppress(DBAPIError):
            db.session().execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return int(db.session().scalar(sa.text("SELECT 1")) or 0)

    with clock.frozen_at(clock.now() + LATER):
        with monkeypatch.context() as patch:
            patch.setattr(stopping.steps, "close_open", die)
            assert workorders.force_stops() == 0
        db.session().rollback()
        assert (run_of(created).state, order_of(created).state) == ("started", "running")
        assert row(Step, step_id).exit_reason is None
        assert workorders.force_stops() == 1
    assert ended(committed, created) == ("killed", "StoppedByUser")
    assert row(Step, step_id).exit_reason == "kill"
