"""Real workers and a real broker: killed, stopped, flushed in the middle of the work."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from portal import operations
from portal.core import broker
from portal.core.db import session
from tests.support.processes import end_lease, eventually, forget_sending, worker

SLOW = {"batches": 60, "pause": 0.02}


@pytest.fixture
def workers(app):
    """`workers()` starts one; all are gone at the end."""
    started = []

    def start():
        started.append(worker(app))
        return started[-1]

    yield start
    for each in started:
        if psutil.pid_exists(each.pid) and each.process.status() != psutil.STATUS_ZOMBIE:
            each.kill()


def _has_done(ledger, operation, number):
    return lambda: ledger.read(operation.id).done >= number


def _is_done(ledger, operation):
    return lambda: ledger.state(operation) == "done"


def _horse_of(each):
    eventually(lambda: bool(each.process.children()))
    return each.process.children()[0]


def test_a_worker_takes_what_was_started(ledger, workers):
    workers()
    operation = ledger.start()
    eventually(_is_done(ledger, operation))
    assert ledger.effects(operation) == [1, 2, 3]


def test_kill_9_in_the_middle_is_finished_once_by_a_second_worker(ledger, workers):
    operation = ledger.start(arguments=SLOW)
    first = workers()
    eventually(_has_done(ledger, operation, 3))
    first.kill()
    done_before = ledger.read(operation.id).done
    assert ledger.state(operation) == "running"
    end_lease(operation.id)
    assert operations.sweep().returned == 1
    workers()
    eventually(_is_done(ledger, operation))
    assert ledger.effects(operation) == list(range(1, 61))
    assert 3 <= done_before < 60
    assert ledger.read(operation.id).attempt == 2


def test_flush_in_the_middle_loses_nothing(ledger, queue, workers):
    workers()
    under_way = ledger.start(arguments=SLOW)
    eventually(_has_done(ledger, under_way, 3))
    waiting = [ledger.start() for _ in range(5)]
    broker.client().flushall()
    for operation in waiting:
        forget_sending(operation.id)
    operations.sweep()
    for operation in [under_way, *waiting]:
        eventually(_is_done(ledger, operation))
    assert ledger.effects(under_way) == list(range(1, 61))
    assert [ledger.effects(operation) for operation in waiting] == [[1, 2, 3]] * 5


def test_graceful_shutdown(ledger, workers):
    operation = ledger.start(arguments=SLOW)
    first = workers()
    eventually(_has_done(ledger, operation, 3))
    started = time.monotonic()
    os.kill(first.pid, signal.SIGTERM)
    eventually(lambda: ledger.state(operation) == "queued", seconds=2)
    assert first.wait() == 0
    assert time.monotonic() - started < 2
    row = ledger.read(operation.id)
    assert (row.attempt, row.lease_until) == (0, None)
    assert ledger.effects(operation) == list(range(1, row.done + 1)), "the batch under way was kept"
    workers()
    eventually(_is_done(ledger, operation))
    assert ledger.effects(operation) == list(range(1, 61))


def test_an_idle_worker_stops_at_once(workers):
    idle = workers()
    eventually(_is_registered, seconds=5)
    started = time.monotonic()
    assert idle.terminate() == 0
    assert time.monotonic() - started < 1.5


def _is_registered():
    return any(
        broker.client().hget(key, "state") == b"idle" for key in broker.client().smembers("rq:workers")
    )


def test_work_is_handed_back_when_only_the_parent_is_killed(ledger, workers):
    operation = ledger.start(arguments=SLOW)
    first = workers()
    eventually(_has_done(ledger, operation, 3))
    horse = _horse_of(first)
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: not horse.is_running() or horse.status() == psutil.STATUS_ZOMBIE, seconds=3)
    assert first.wait() == -signal.SIGKILL
    assert ledger.state(operation) == "queued"


def test_a_worker_waits_for_a_broker_that_is_away(app, ledger, workers):
    right = broker.url()
    broker.configure("redis://127.0.0.1:1/0")
    try:
        lonely = workers()
        time.sleep(0.3)
        assert lonely.process.is_running()
        assert lonely.terminate() == 0
    finally:
        broker.configure(right)


def test_a_worker_that_loses_its_connections_goes_on(ledger, workers):
    workers()
    first = ledger.start()
    eventually(_is_done(ledger, first))
    for _ in range(3):
        for kind in ("normal", "pubsub"):
            broker.client().client_kill_filter(_type=kind, skipme=True)
        time.sleep(0.05)
    second = ledger.start()
    eventually(_is_done(ledger, second))
    session().rollback()
