"""Stopping a run that works (workorders §12.6-8)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from portal import operations, workorders
from portal.audit import AuditEvent
from portal.core import access, clock, db
from portal.core.access import Actor
from portal.core.errors import Conflict, Invalid, NotFound
from portal.core.limits import limits
from portal.schedule import PERIODICS
from portal.workorders import stopping
from portal.workorders.models import LogLine, Run, Step
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project
from tests.support.history import (
    News,
    claimed,
    done_step,
    finished,
    order_of,
    received,
    refusals,
    row,
    run_of,
    started,
    step_of,
)

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon() -> object:
    with clock.frozen_at(NOON):
        yield


@pytest.fixture
def editor(cast: Cast) -> Actor:
    return cast.actor(cast.editor)


def after(seconds: int) -> int:
    """Let the janitor come `seconds` after the deadline of what was asked at noon."""
    with clock.frozen_at(NOON + timedelta(seconds=limits().run_stop_seconds + seconds)):
        return workorders.force_stops()


def asked(created: workorders.Created, actor: Actor) -> uuid.UUID:
    run_id = run_of(created).id
    workorders.ask_stop(created.project_id, run_id, actor=actor)
    return run_id


@pytest.mark.parametrize("make", [claimed, started])
def test_12_6_asking_is_recorded_told_and_changes_no_state(
    flow: MadeWorkflow, cast: Cast, editor: Actor, news: News, make
) -> None:
    created = make(flow)
    before = (run_of(created).state, order_of(created).state)
    news.heard()
    run_id = asked(created, editor)
    run = run_of(created)
    assert (run.stop_asked_at, run.stop_asked_by_id) == (NOON, cast.editor.id)
    assert (run.state, order_of(created).state) == before
    assert news.heard() == [
        (f"project:{cast.project.id}", "run-stop-asked", str(run_id)),
        (f"run:{run_id}", "run-stop-asked", str(run_id)),
    ]
    entry = db.session().scalars(sa.select(AuditEvent).where(AuditEvent.item_id == run_id)).one()
    assert (entry.event, entry.item_type, entry.project_id, entry.actor_id) == (
        "stop_asked",
        "run",
        cast.project.id,
        cast.editor.id,
    )


def test_12_6_asking_again_changes_nothing(flow: MadeWorkflow, cast: Cast, editor: Actor, news: News) -> None:
    created = started(flow)
    run_id = asked(created, editor)
    news.heard()
    with clock.frozen_at(NOON + timedelta(seconds=9)):
        workorders.ask_stop(created.project_id, run_id, actor=cast.actor(cast.owner))
    assert (run_of(created).stop_asked_at, run_of(created).stop_asked_by_id) == (NOON, cast.editor.id)
    assert news.heard() == []
    entries = sa.select(sa.func.count()).select_from(AuditEvent).where(AuditEvent.item_id == run_id)
    assert db.session().scalar(entries) == 1


def test_12_6_what_waits_is_cancelled_and_what_ended_is_refused(flow: MadeWorkflow, editor: Actor) -> None:
    for created, words in ((received(flow), "Cancel it"), (finished(flow), "already ended")):
        with pytest.raises(Conflict, match=words):
            workorders.ask_stop(created.project_id, run_of(created).id, actor=editor)
        assert run_of(created).stop_asked_at is None


def test_a_run_of_another_project_cannot_be_asked(flow: MadeWorkflow, editor: Actor) -> None:
    created = started(flow)
    for project_id, run_id in ((make_project().id, run_of(created).id), (created.project_id, uuid.uuid4())):
        with pytest.raises(NotFound):
            workorders.ask_stop(project_id, run_id, actor=editor)
    assert run_of(created).stop_asked_at is None


def test_the_portal_itself_may_ask(flow: MadeWorkflow) -> None:
    created = started(flow)
    asked(created, access.SYSTEM)
    assert (run_of(created).stop_asked_at, run_of(created).stop_asked_by_id) == (NOON, None)


def test_12_7_executors_ask_for_all_their_runs_at_once(flow: MadeWorkflow, editor: Actor) -> None:
    one, two, three = started(flow), claimed(flow), started(flow)
    asked(one, editor)
    asked(two, editor)
    mine = [run_of(each).id for each in (one, two, three)]
    assert workorders.stops_asked(mine) == set(mine[:2])
    assert workorders.stops_asked(mine[1:]) == {mine[1]}
    assert workorders.stops_asked([]) == set()
    after(1)
    assert workorders.stops_asked(mine) == set(mine[:2])


@pytest.mark.parametrize("word", ["cancelled", "killed", "success"])
def test_12_7_an_executor_that_obeys_or_was_faster_ends_the_run_itself(
    flow: MadeWorkflow, editor: Actor, word: str
) -> None:
    created = started(flow)
    run_id = asked(created, editor)
    workorders.complete_run(run_id, state=word)
    assert after(1) == 0
    assert (run_of(created).state, run_of(created).error_type, order_of(created).state) == (word, None, word)


def test_12_8_one_that_does_not_is_killed_after_the_deadline(
    flow: MadeWorkflow, editor: Actor, news: News
) -> None:
    created, other = started(flow), started(flow)
    done, _ = done_step(flow, created, "First")
    still_open = step_of(flow, created, "Second")
    run_id = asked(created, editor)
    assert (after(-1), workorders.any_stop_due()) == (0, False)
    news.heard()
    with capture_logs() as logs:
        assert after(0) == 1
        assert after(1) == 0
    run = run_of(created)
    assert (run.state, run.error_type) == ("killed", "StoppedByUser")
    assert run.finished_at == NOON + timedelta(seconds=limits().run_stop_seconds)
    assert order_of(created).state == "killed"
    assert (row(Step, done).exit_reason, row(Step, still_open).exit_reason) == ("success", "kill")
    assert row(Step, still_open).finished_at == run.finished_at
    assert run_of(other).state == "started"
    assert news.events() == ["workorder-updated", "run-updated", "run-updated"]
    assert [entry["run_id"] for entry in logs if entry["event"] == "run_stopped"] == [str(run_id)]


def test_12_8_a_claimed_run_is_killed_too(flow: MadeWorkflow, editor: Actor) -> None:
    created = claimed(flow)
    asked(created, editor)
    assert after(1) == 1
    assert (run_of(created).state, run_of(created).started_at) == ("killed", None)


def test_12_8_late_results_are_refused_and_logs_stay_and_come(flow: MadeWorkflow, editor: Actor) -> None:
    created = started(flow)
    step_id = step_of(flow, created, "First")
    run_id = asked(created, editor)
    line = {"message": "before", "timestamp": 1_795_000_000_000}
    workorders.append_log(run_id, line)
    after(1)
    ended = {"run_id": ["already in completed state"]}
    late = {"output_dataclip": "{}", "output_dataclip_id": uuid.uuid4()}
    assert refusals(lambda: workorders.complete_run(run_id, state="success")) == {
        "state": ["already in completed state"]
    }
    assert refusals(lambda: workorders.start_step(run_id, uuid.uuid4(), flow.jobs["Second"].id)) == ended
    assert refusals(lambda: workorders.complete_step(run_id, step_id, "success", **late)) == ended
    assert refusals(lambda: workorders.start_run(run_id)) == {"state": ["already in completed state"]}
    assert (row(Step, step_id).exit_reason, row(Step, step_id).output_dataclip_id) == ("kill", None)
    workorders.append_log(run_id, {**line, "message": "after"})
    assert workorders.log_text(created.project_id, run_id) == "before\nafter"
    count = sa.select(sa.func.count()).select_from(LogLine).where(LogLine.run_id == run_id)
    assert db.session().scalar(count) == 2


def test_a_step_that_ended_before_may_be_reported_again(flow: MadeWorkflow, editor: Actor) -> None:
    created = started(flow)
    step_id, output = done_step(flow, created, "First")
    run_id = asked(created, editor)
    after(1)
    again = {"output_dataclip": "{}", "output_dataclip_id": output}
    assert workorders.complete_step(run_id, step_id, "success", **again) == output
    assert row(Step, step_id).exit_reason == "success"


def test_a_waiting_retry_keeps_the_work_order_pending(flow: MadeWorkflow, editor: Actor) -> None:
    created = started(flow)
    asked(created, editor)
    workorders.retry_from_start(created.project_id, created.work_order_id, actor=editor)
    after(1)
    assert order_of(created).state == "pending"


def test_one_that_fails_does_not_stop_the_others(
    flow: MadeWorkflow, editor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that breaks down leaves the run as it was; the next turn ends it."""
    bad, good = started(flow), started(flow)
    step_id = step_of(flow, bad, "First")
    asked(bad, editor)
    asked(good, editor)
    close = stopping.steps.close_open

    def broken(run_id: uuid.UUID, *args: object, **more: object) -> int:
        if run_id == bad.run_id:
            raise RuntimeError("the power went out")
        return close(run_id, *args, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(stopping.steps, "close_open", broken)
        assert after(1) == 1
    assert (run_of(bad).state, order_of(bad).state, row(Step, step_id).exit_reason) == (
        "started",
        "running",
        None,
    )
    assert run_of(good).state == "killed"
    assert after(2) == 1
    assert (run_of(bad).state, row(Step, step_id).exit_reason) == ("killed", "kill")


def test_the_ticker_looks_every_ten_seconds_and_only_when_some_stop_is_due(
    flow: MadeWorkflow, editor: Actor
) -> None:
    (task,) = (each for each in PERIODICS if each.name == "workorders.force_stops")
    assert isinstance(task, operations.Periodic)
    assert (task.every, task.in_ticker) == (timedelta(seconds=10), True)
    created = started(flow)
    asked(created, editor)
    assert task.due is not None
    assert not task.due()
    with clock.frozen_at(NOON + timedelta(hours=1)):
        assert task.due()
        assert task.run() == 1
        assert not task.due()


def test_what_is_due_is_found_by_its_small_index(db_session: sa.orm.Session) -> None:
    db_session.execute(sa.text("SET LOCAL enable_seqscan = off"))
    plan = db_session.execute(sa.text("EXPLAIN " + stopping._DUE.text), stopping._due(most=5)).scalars()
    assert "ix_runs_stopping" in "\n".join(plan)


def test_11_10_a_run_whose_worker_is_gone_is_given_up_at_once(flow: MadeWorkflow) -> None:
    created, waiting, ended = started(flow), received(flow), finished(flow)
    step_id = step_of(flow, created, "First")
    assert workorders.mark_run_lost(run_of(created).id)
    assert (run_of(created).state, run_of(created).error_type) == ("lost", "LostAfterStart")
    assert (row(Step, step_id).exit_reason, order_of(created).state) == ("lost", "lost")
    assert not any(workorders.mark_run_lost(run_of(each).id) for each in (created, waiting, ended))
    assert (run_of(waiting).state, run_of(ended).state) == ("available", "failed")
    with pytest.raises(NotFound):
        workorders.mark_run_lost(uuid.uuid4())
    ended_refusal = {"run_id": ["already in completed state"]}
    run_id = run_of(created).id
    assert refusals(lambda: workorders.complete_step(run_id, step_id, "success")) == ended_refusal


def test_11_8_steps_that_an_ended_run_left_open_can_be_closed_at_once(flow: MadeWorkflow) -> None:
    created = started(flow)
    done, _ = done_step(flow, created, "First")
    step_id = step_of(flow, created, "Second")
    run_id = run_of(created).id
    assert workorders.mark_steps_lost(run_id) == 0
    assert row(Step, step_id).exit_reason is None
    workorders.complete_run(run_id, state="failed")
    assert (workorders.mark_steps_lost(run_id), workorders.mark_steps_lost(run_id)) == (1, 0)
    assert (row(Step, done).exit_reason, row(Step, step_id).exit_reason) == ("success", "lost")
    with pytest.raises((NotFound, Invalid)):
        workorders.mark_steps_lost(uuid.uuid4())


def test_the_mark_stays_when_the_run_ends(flow: MadeWorkflow, editor: Actor) -> None:
    created = started(flow)
    asked(created, editor)
    workorders.complete_run(run_of(created).id, reason="cancel")
    assert row(Run, created.run_id).stop_asked_at == NOON
