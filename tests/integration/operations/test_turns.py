"""One turn of an operation: claimed once, fenced, ended with words for people."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from portal import operations
from portal.core import clock
from portal.core.access import SYSTEM, Actor
from portal.core.db import session, unit_of_work
from portal.core.errors import Conflict, NotFound, Unavailable
from portal.operations import heart, jobs, running, turn
from portal.operations.models import Operation
from tests.integration.operations.conftest import leave_effect
from tests.support.processes import Forked, crash_at_every_statement, end_lease, eventually


def test_an_operation_is_worked_to_its_end(ledger):
    operation = ledger.start()
    jobs.work(str(operation.id))
    row = ledger.read(operation.id)
    assert (row.state, row.done, row.total, row.result) == ("done", 3, 3, {"counted": 3})
    assert row.checkpoint == {"last": 3}
    assert row.lease_until is None
    assert ledger.effects(operation) == [1, 2, 3]


def test_duplicate_delivery(app, ledger):
    operation = ledger.start(arguments={"batches": 5, "pause": 0.01})
    twins = [Forked(app, lambda: jobs.work(str(operation.id))) for _ in range(10)]
    assert [twin.wait() for twin in twins] == [0] * 10
    assert ledger.effects(operation) == [1, 2, 3, 4, 5]
    assert ledger.read(operation.id).fence == 1


def test_stale_fence(ledger):
    operation = ledger.start()
    stale = running.claim(operation.id)
    end_lease(operation.id)
    assert operations.sweep().returned == 1
    with pytest.raises(operations.LostLease):
        _late_batch(stale)
    fresh = running.claim(operation.id)
    with pytest.raises(operations.LostLease):
        _late_batch(stale)
    with pytest.raises(operations.LostLease):
        stale.finish()
    fresh.advance(checkpoint={"last": 1}, done=1)
    assert ledger.effects(operation) == []
    assert ledger.read(operation.id).checkpoint == {"last": 1}


def _late_batch(running):
    with unit_of_work():
        leave_effect(running.operation_id, 99)
        running.advance(checkpoint={"last": 99})


def test_a_worker_that_lost_its_lease_ends_quietly(ledger, kinds):
    def robbed(running):
        end_lease(running.operation_id)
        operations.sweep()
        with unit_of_work():
            leave_effect(running.operation_id, 1)
            running.advance(done=1)

    kinds("test:robbed", robbed)
    operation = ledger.start("test:robbed")
    jobs.work(str(operation.id))
    row = ledger.read(operation.id)
    assert (row.state, row.done, row.error) == ("queued", 0, None)
    assert ledger.effects(operation) == []


def test_crash_at_every_statement(app, ledger):
    tried = crash_at_every_statement(
        app,
        lambda: ledger.start(arguments={"batches": 2}),
        lambda operation: _assert_counted(ledger, operation),
    )
    # claim, two batches of effect and checkpoint, end: each with its commit, at the least.
    assert tried >= 10


def _assert_counted(ledger, operation):
    assert ledger.effects(operation) == [1, 2]
    row = ledger.read(operation.id)
    assert (row.state, row.result, row.checkpoint) == ("done", {"counted": 2}, {"last": 2})


def test_effect_and_end_can_share_one_unit(app, ledger, kinds):
    def at_once(running):
        with unit_of_work():
            leave_effect(running.operation_id, 1)
            running.finish(result={"rows": 1}, message="Ready.")

    kinds("test:at_once", at_once)

    def check(operation):
        assert ledger.effects(operation) == [1]
        row = ledger.read(operation.id)
        assert (row.state, row.result, row.message) == ("done", {"rows": 1}, "Ready.")

    assert crash_at_every_statement(app, lambda: ledger.start("test:at_once"), check) >= 4


def test_a_failure_is_tried_again_later_and_then_given_up(ledger, kinds):
    told = []
    kinds("test:broken", _broken, on_failed=lambda operation: told.append(operation.state))
    operation = ledger.start("test:broken", max_attempts=2)
    jobs.work(str(operation.id))
    row = ledger.read(operation.id)
    assert (row.state, row.attempt, told) == ("queued", 1, [])
    assert session().scalar(sa.select(Operation.run_at - sa.func.clock_timestamp())) > timedelta(seconds=1)
    jobs.work(str(operation.id))
    assert ledger.read(operation.id).fence == 1, "not before its time"
    _let_it_be_due(operation)
    jobs.work(str(operation.id))
    row = ledger.read(operation.id)
    assert (row.state, row.error, told) == ("failed", turn.OUR_FAULT, ["failed"])
    assert row.finished_at is not None


def _broken(running):
    leave_effect(running.operation_id, 1)
    session().execute(sa.text("SELECT 1/0"))


def _let_it_be_due(operation):
    session().execute(sa.update(Operation).where(Operation.id == operation.id).values(run_at=sa.func.now()))
    session().commit()


def test_a_failure_keeps_what_was_committed_and_nothing_else(ledger, kinds):
    def half(running):
        with unit_of_work():
            leave_effect(running.operation_id, 1)
            running.advance(done=1)
        _broken(running)

    kinds("test:half", half)
    operation = ledger.start("test:half")
    jobs.work(str(operation.id))
    assert ledger.effects(operation) == [1]
    assert ledger.state(operation) == "queued"


@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (NotFound("The project has gone."), "failed", "The project has gone."),
        (Unavailable("The store does not answer."), "queued", "The store does not answer."),
    ],
)
def test_a_refusal_is_final_and_an_outage_is_not(ledger, kinds, error, state, text):
    def refused(running):
        raise error

    kinds("test:refused", refused)
    operation = ledger.start("test:refused")
    jobs.work(str(operation.id))
    row = ledger.read(operation.id)
    assert (row.state, row.error) == (state, text)


def test_an_unknown_kind_waits_for_a_newer_worker(ledger):
    operation = ledger.start("test:of_tomorrow")
    jobs.work(str(operation.id))
    assert ledger.state(operation) == "queued"


def test_the_hook_and_the_failure_stand_together(ledger, kinds):
    def refused(running):
        raise NotFound

    def hook(operation):
        leave_effect(operation.id, 7)
        operation.checkpoint = None

    kinds("test:refused", refused, on_failed=hook)
    operation = ledger.start("test:refused")
    jobs.work(str(operation.id))
    assert ledger.effects(operation) == [7]
    assert ledger.state(operation) == "failed"


def test_a_unique_key_still_counts_once_its_statement_has_a_plan_for_all_values(ledger):
    """The driver prepares a statement after five times, the server plans it for all after five more."""
    first = ledger.start(unique_key="often")
    assert {ledger.start(unique_key="often").id for _ in range(12)} == {first.id}


def test_a_live_unique_key_is_started_once(ledger):
    first = ledger.start(unique_key="only")
    assert ledger.start(unique_key="only").id == first.id
    jobs.work(str(first.id))
    assert ledger.start(unique_key="only").id != first.id


def test_starting_twice_at_the_same_time_makes_one_row(app, ledger):
    twins = [Forked(app, lambda: ledger.start(unique_key="only")) for _ in range(4)]
    assert [twin.wait() for twin in twins] == [0] * 4
    assert session().scalar(sa.select(sa.func.count(Operation.id))) == 1


def test_nothing_is_sent_when_the_unit_rolls_back(ledger, queue):
    def change_mind():
        with unit_of_work():
            ledger.start()
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        change_mind()
    assert queue.llen("rq:queue:default") == 0


def test_an_unknown_queue_is_refused(ledger):
    with pytest.raises(ValueError, match="no queue"):
        ledger.start(queue="fast")


def test_a_waiting_operation_is_cancelled_at_once(ledger):
    operation = ledger.start()
    operations.ask_cancel(operation, actor=SYSTEM)
    jobs.work(str(operation.id))
    assert ledger.state(operation) == "cancelled"
    assert ledger.effects(operation) == []


def test_a_running_operation_is_cancelled_after_its_batch(ledger, kinds):
    def impatient(running):
        for number in (1, 2, 3):
            with unit_of_work():
                leave_effect(running.operation_id, number)
                if number == 2:
                    operations.ask_cancel(session().get_one(Operation, running.operation_id), actor=SYSTEM)
                running.advance(checkpoint={"last": number}, done=number)

    told = []
    kinds("test:impatient", impatient, on_failed=lambda operation: told.append(operation.state))
    operation = ledger.start("test:impatient")
    jobs.work(str(operation.id))
    row = ledger.read(operation.id)
    assert (row.state, row.checkpoint, told) == ("cancelled", {"last": 2}, ["cancelled"])
    assert ledger.effects(operation) == [1, 2]


def test_cancelling_what_has_ended_changes_nothing(ledger):
    operation = ledger.start()
    jobs.work(str(operation.id))
    operations.ask_cancel(operation, actor=SYSTEM)
    assert ledger.state(operation) == "done"


def test_trying_again_goes_on_at_the_checkpoint(ledger, kinds):
    failing = [True]

    def stumbling(running):
        for number in range(running.checkpoint.get("last", 0) + 1, 4):
            if number == 3 and failing:
                raise NotFound("Not yet.")
            with unit_of_work():
                leave_effect(running.operation_id, number)
                running.advance(checkpoint={"last": number}, done=number)

    kinds("test:stumbling", stumbling)
    operation = ledger.start("test:stumbling")
    jobs.work(str(operation.id))
    assert ledger.state(operation) == "failed"
    failing.clear()
    operations.try_again(operation, actor=SYSTEM)
    jobs.work(str(operation.id))
    assert ledger.effects(operation) == [1, 2, 3]
    row = ledger.read(operation.id)
    assert (row.state, row.attempt, row.error) == ("done", 1, None)


def test_trying_again_is_refused_for_what_is_on_or_done(ledger):
    operation = ledger.start(unique_key="only")
    with pytest.raises(Conflict):
        operations.try_again(operation, actor=SYSTEM)
    operations.ask_cancel(operation, actor=SYSTEM)
    twin = ledger.start(unique_key="only")
    with pytest.raises(Conflict):
        operations.try_again(operation, actor=SYSTEM)
    jobs.work(str(twin.id))
    with pytest.raises(Conflict):
        operations.try_again(twin, actor=SYSTEM)


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_skew(ledger, hours):
    skewed = clock.now() + timedelta(hours=hours)
    with time_machine.travel(skewed), clock.frozen_at(skewed):
        operation = ledger.start()
        assert running.claim(operation.id) is not None
        assert operations.sweep() == operations.sweep()
    row = ledger.read(operation.id)
    assert row.state == "running"
    left = session().scalar(sa.select(Operation.lease_until - sa.func.clock_timestamp()))
    assert timedelta(seconds=20) < left <= timedelta(seconds=30)


def test_a_long_batch_keeps_its_lease(ledger, kinds, monkeypatch):
    monkeypatch.setattr(heart, "BEAT_SECONDS", 0.02)
    seen = []

    def long(running):
        end_lease(running.operation_id)
        lease = sa.select(Operation.lease_until > sa.func.clock_timestamp())
        seen.append(eventually(lambda: bool(_fresh(lease)), seconds=2))

    kinds("test:long", long)
    operation = ledger.start("test:long")
    jobs.work(str(operation.id))
    assert seen
    assert ledger.state(operation) == "done"


def _fresh(statement):
    found = session().scalar(statement)
    session().rollback()
    return found


def test_progress_tells_of_silence_rate_and_share(ledger):
    project, person = uuid.uuid4(), Actor(uuid.uuid4())
    operation = operations.start("test:count", project_id=project, actor=person, arguments={"batches": 3})
    turn_ = running.claim(operation.id)
    turn_.advance(done=1, total=3, message="One.")
    shown = operations.get(project, operation.id)
    assert (shown.percent, shown.silent, shown.operation.message) == (33, False, "One.")
    assert turn_.actor == person
    before = shown.version
    end_lease(operation.id)
    shown = operations.get(project, operation.id)
    assert shown.silent
    assert shown.version != before
    with pytest.raises(NotFound):
        operations.get(uuid.uuid4(), operation.id)
    assert [each.operation.id for each in operations.list_unfinished(project)] == [operation.id]
    assert [each.operation.id for each in operations.list_recent(project)] == [operation.id]


def test_the_system_has_no_actor_id(ledger):
    operation = ledger.start()
    assert operation.actor_id is None
    assert running.claim(operation.id).actor == SYSTEM
