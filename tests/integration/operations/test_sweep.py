"""The sweep keeps promises whose messenger, worker or broker was lost."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import operations
from portal.core import broker
from portal.core.access import SYSTEM
from portal.core.db import session
from portal.operations import jobs, messenger, running
from portal.operations.models import Operation
from tests.integration.operations.conftest import leave_effect
from tests.support.processes import Forked, end_lease, forget_sending


@pytest.fixture
def broker_away(app):
    """The broker's address leads nowhere while the block runs."""
    right = broker.url()
    broker.configure("redis://127.0.0.1:1/0")
    yield lambda: broker.configure(right)
    broker.configure(right)


def _length():
    return broker.client().llen("rq:queue:default")


def test_broker_down_at_enqueue(ledger, broker_away):
    started = time.perf_counter()
    operation = ledger.start()
    assert time.perf_counter() - started < 1
    forget_sending(operation.id)
    assert operations.sweep().unanswered == 1
    broker_away()
    assert _length() == 0
    forget_sending(operation.id)
    operations.sweep()
    assert _length() == 1
    jobs.work(str(operation.id))
    assert ledger.state(operation) == "done"


def test_what_still_waits_in_its_queue_is_not_sent_again(ledger):
    operation = ledger.start()
    forget_sending(operation.id)
    assert operations.sweep().unanswered == 1
    assert _length() == 1


def test_flushing_the_broker_loses_nothing(ledger, queue):
    waiting = [ledger.start() for _ in range(3)]
    queue.flushdb()
    assert operations.sweep().unanswered == 0, "just sent: give the workers a moment"
    for operation in waiting:
        forget_sending(operation.id)
    operations.sweep()
    assert _length() == 3
    message = messenger.message_id(waiting[0].id, 0)
    assert message in messenger.waiting_ids(queue)


def test_a_retry_is_sent_when_its_time_has_come(ledger, kinds, queue):
    def broken(running):
        raise RuntimeError("broken")

    kinds("test:broken", broken)
    operation = ledger.start("test:broken")
    jobs.work(str(operation.id))
    queue.flushdb()
    operations.sweep()
    assert _length() == 0
    session().execute(sa.update(Operation).values(run_at=sa.func.clock_timestamp()))
    session().commit()
    operations.sweep()
    assert messenger.waiting_ids(queue) == {messenger.message_id(operation.id, 1)}


def test_an_ended_lease_goes_back_to_the_queue_until_attempts_are_used_up(ledger, kinds):
    told = []
    kinds("test:lost", lambda running: None, on_failed=lambda operation: told.append(operation.id))
    operation = ledger.start("test:lost", max_attempts=2)
    for expected in ("queued", "failed"):
        assert running.claim(operation.id) is not None
        assert operations.sweep() == operations.sweep(), "a living lease is left alone"
        end_lease(operation.id)
        operations.sweep()
        assert ledger.state(operation) == expected
    assert told == [operation.id]
    assert ledger.read(operation.id).error


def test_a_lost_operation_that_was_to_be_cancelled_is_cancelled(ledger):
    operation = ledger.start()
    running.claim(operation.id)
    operations.ask_cancel(ledger.read(operation.id), actor=SYSTEM)
    end_lease(operation.id)
    operations.sweep()
    assert ledger.state(operation) == "cancelled"


def test_a_bad_hook_holds_up_no_other_operation(ledger, kinds):
    def bad(operation):
        leave_effect(operation.id, 1)
        raise RuntimeError("bad hook")

    kinds("test:bad", lambda running: None, on_failed=bad)
    kinds("test:good", lambda running: None)
    pair = [ledger.start(kind, max_attempts=1) for kind in ("test:bad", "test:good")]
    for operation in pair:
        running.claim(operation.id)
        end_lease(operation.id)
    assert operations.sweep().given_up == 1
    assert [ledger.state(operation) for operation in pair] == ["running", "failed"]
    assert ledger.effects(pair[0]) == []


def test_sweeps_side_by_side_send_each_message_once(app, ledger, queue):
    waiting = [ledger.start() for _ in range(20)]
    queue.flushdb()
    for operation in waiting:
        forget_sending(operation.id)
    assert [each.wait() for each in [Forked(app, operations.sweep) for _ in range(4)]] == [0] * 4
    assert _length() == 20


def test_old_operations_are_pruned_and_young_ones_kept(ledger, monkeypatch):
    monkeypatch.setattr("portal.operations.sweeping.BATCH", 2)
    for state, days in [
        ("done", 8),
        ("cancelled", 8),
        ("done", 8),
        ("failed", 31),
        ("done", 6),
        ("failed", 8),
    ]:
        operation = ledger.start()
        ended = sa.func.now() - timedelta(days=days)
        session().execute(
            sa.update(Operation).where(Operation.id == operation.id).values(state=state, finished_at=ended)
        )
    session().commit()
    ledger.start()
    assert operations.prune() == 4
    left = session().scalars(sa.select(Operation.state).order_by(Operation.state)).all()
    assert left == ["done", "failed", "queued"]
