"""Periodic tasks: each slot fires once, however many tickers run and messages are lost."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.core.db import db, session, unit_of_work
from portal.core.errors import Unavailable
from portal.operations import Periodic, jobs, run_ticker, schedules, ticker
from portal.operations.models import Schedule
from tests.integration.operations.conftest import leave_effect
from tests.support.processes import Forked, eventually, worker

NAME = "tests.task"


@pytest.fixture
def install():
    """`install(Periodic(…))` makes these the only tasks for one test."""
    before = schedules.installed()
    yield lambda *tasks: schedules.install(tasks)
    schedules.install(before)


@pytest.fixture
def connection(app, ledger):
    """What the leading ticker holds its lock with."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as found:
        yield found


def leave_slot():
    """Write down which slot this turn is for, and by which process."""
    with unit_of_work():
        slot = session().scalar(sa.select(Schedule.last_started_at).where(Schedule.name == NAME))
        leave_effect(None, round(slot.timestamp() * 1000))


def fail():
    raise Unavailable("The store does not answer.")


def slots():
    found = list(session().scalars(sa.text("SELECT number FROM test_effects ORDER BY id")))
    session().rollback()
    return found


def row():
    found = session().get_one(Schedule, NAME, populate_existing=True)
    session().rollback()
    return found


def be_due(**ago):
    """Let the next slot be that long ago."""
    session().execute(sa.update(Schedule).values(next_at=sa.func.clock_timestamp() - timedelta(**ago)))
    session().commit()


def queued(queue):
    return [job.decode() for job in queue.lrange("rq:queue:maintenance", 0, -1)]


def test_two_schedulers_that_both_lead_fire_each_slot_once(app, ledger, install):
    install(Periodic(NAME, timedelta(milliseconds=20), lambda: None, in_ticker=True))
    ticker.prepare()
    take = ticker._take_slot

    def recording(task, slot, moment, due):
        taken = take(task, slot, moment, due)
        if taken:
            with unit_of_work():
                leave_effect(None, round(slot.timestamp() * 1000))
        return taken

    def tick_hard():
        ticker._take_slot = recording
        end = time.monotonic() + 1
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as found:
            while time.monotonic() < end:
                ticker.tick(found)

    assert [each.wait() for each in [Forked(app, tick_hard), Forked(app, tick_hard)]] == [0, 0]
    fired = slots()
    assert len(fired) > 10
    assert len(set(fired)) == len(fired)


def test_a_second_ticker_takes_over_when_the_first_is_killed(app, ledger, install, monkeypatch):
    monkeypatch.setattr(ticker, "STANDBY_SECONDS", 0.1)
    monkeypatch.setattr(ticker, "PAUSE_SECONDS", 0.02)
    install(Periodic(NAME, timedelta(milliseconds=50), leave_slot, in_ticker=True))
    pair = [Forked(app, run_ticker), Forked(app, run_ticker)]
    eventually(lambda: len(slots()) >= 3)
    os.kill(pair[0].pid, signal.SIGKILL)
    pair[0].wait()
    before = len(slots())
    eventually(lambda: len(slots()) >= before + 3, seconds=5)
    assert pair[1].terminate() == 0
    fired = slots()
    assert len(set(fired)) == len(fired)


def test_missed_slots_run_once(ledger, install, connection):
    install(Periodic(NAME, timedelta(minutes=1), leave_slot, in_ticker=True))
    ticker.prepare()
    be_due(hours=5)
    ticker.tick(connection)
    ticker.tick(connection)
    assert len(slots()) == 1
    ahead = row().next_at - session().scalar(sa.select(sa.func.clock_timestamp()))
    assert timedelta(0) < ahead <= timedelta(minutes=1)


def test_a_new_task_is_due_at_once_and_a_shorter_period_is_heeded(ledger, install, connection):
    install(Periodic(NAME, timedelta(days=30), leave_slot, in_ticker=True))
    ticker.prepare()
    ticker.tick(connection)
    assert len(slots()) == 1
    install(Periodic(NAME, timedelta(seconds=1), leave_slot, in_ticker=True))
    ticker.prepare()
    assert row().next_at - row().last_finished_at < timedelta(seconds=2)


def test_a_slot_that_is_not_due_passes_without_a_turn(ledger, install, connection):
    install(Periodic(NAME, timedelta(minutes=1), leave_slot, due=lambda: False, in_ticker=True))
    ticker.prepare()
    ticker.tick(connection)
    assert slots() == []
    assert row().last_started_at is None


def test_a_broken_question_stops_no_other_task(ledger, install, connection):
    def broken():
        raise RuntimeError("broken")

    hour = timedelta(hours=1)
    install(
        Periodic("tests.broken", hour, leave_slot, due=broken, in_ticker=True),
        Periodic(NAME, hour, leave_slot, in_ticker=True),
    )
    ticker.prepare()
    ticker.tick(connection)
    assert len(slots()) == 1


def test_a_worker_runs_the_slot_and_its_result_is_kept(app, ledger, install, connection, queue):
    install(Periodic(NAME, timedelta(hours=1), lambda: leave_slot() or 42))
    ticker.prepare()
    each = worker(app)
    ticker.tick(connection)
    eventually(lambda: row().last_finished_at is not None)
    each.kill()
    assert (row().last_result, row().last_error, len(slots())) == ("42", None, 1)


def test_a_slot_waits_while_the_turn_before_is_still_queued(ledger, install, connection, queue):
    install(Periodic(NAME, timedelta(seconds=1), leave_slot))
    ticker.prepare()
    for _ in range(4):
        ticker.tick(connection)
        be_due(seconds=3)
    assert len(queued(queue)) == 1


def test_a_lost_message_is_sent_again_and_a_double_one_is_harmless(ledger, install, connection, queue):
    install(Periodic(NAME, timedelta(hours=1), leave_slot))
    ticker.prepare()
    ticker.tick(connection)
    sent = queued(queue)
    assert sent == [f"tick-tests-task-{int(row().last_started_at.timestamp() * 1000)}"]
    queue.flushdb()
    ticker.tick(connection)
    assert queued(queue) == sent
    for _ in range(2):
        jobs.run_periodic(NAME, row().last_started_at.isoformat())
    assert len(slots()) == 1
    ticker.tick(connection)
    assert queued(queue) == sent, "nothing more is sent once the turn is reported"


def test_a_message_of_an_earlier_slot_does_nothing(ledger, install, connection, queue):
    install(Periodic(NAME, timedelta(hours=1), leave_slot))
    ticker.prepare()
    ticker.tick(connection)
    jobs.run_periodic(NAME, "2026-01-01T00:00:00+00:00")
    assert slots() == []


def test_a_running_turn_is_neither_sent_again_nor_doubled(app, ledger, install, connection, queue):
    install(Periodic(NAME, timedelta(hours=1), lambda: (time.sleep(0.4), leave_slot())))
    ticker.prepare()
    ticker.tick(connection)
    slot = row().last_started_at.isoformat()
    queue.flushdb()
    long = Forked(app, lambda: jobs.run_periodic(NAME, slot))
    time.sleep(0.2)
    ticker.tick(connection)
    jobs.run_periodic(NAME, slot)
    assert (queued(queue), slots()) == ([], [])
    assert long.wait() == 0
    assert len(slots()) == 1


def test_a_failing_task_is_recorded_and_goes_on_at_its_next_slot(ledger, install, connection):
    install(Periodic(NAME, timedelta(minutes=1), fail, in_ticker=True))
    ticker.prepare()
    ticker.tick(connection)
    assert row().last_error == "The store does not answer."
    install(Periodic(NAME, timedelta(minutes=1), leave_slot, in_ticker=True))
    be_due(seconds=1)
    ticker.tick(connection)
    assert row().last_error is None
