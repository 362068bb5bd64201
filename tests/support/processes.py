"""Real processes for tests: forked, so that they know the kinds of work that a test registered."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import psutil
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event

from portal import operations
from portal.core.db import db, session
from portal.operations import jobs
from portal.operations.models import Operation

CRASHED = 77


class Forked:
    """A child that runs `function` in an application context of its own, with connections of its own."""

    def __init__(self, app: Flask, function: Callable[[], object]) -> None:
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _run_and_exit(app, function)
        self.process = psutil.Process(self.pid)

    def wait(self, seconds: float = 20) -> int:
        """The exit code (negative: the signal that ended it). Fails the test after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        raise AssertionError(f"process {self.pid} did not end in {seconds} seconds")

    def terminate(self) -> int:
        """Send SIGTERM and wait for the end."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it and its children at once, without any chance to clean up."""
        children = self.process.children(recursive=True)
        for process in [*children, self.process]:
            # A job's process may end by itself between being listed and being killed.
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.wait()


def _run_and_exit(app: Flask, function: Callable[[], object]) -> None:
    code = 1
    try:
        with app.app_context():
            db.engine.dispose(close=False)
            function()
        code = 0
    except BaseException:  # the child must end here, whatever it is
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def worker(app: Flask) -> Forked:
    """A real worker: RQ's loop, and a fork for each job."""
    return Forked(app, lambda: operations.run_worker(app.app_context))


def crashes_at(app: Flask, number: int, function: Callable[[], object]) -> bool:
    """Run `function` in a process that dies before its `number`-th statement or commit; False: it did not."""

    def run() -> None:
        count = 0

        def step(*_: object) -> None:
            nonlocal count
            count += 1
            if count == number:
                os._exit(CRASHED)

        event.listen(db.engine, "before_cursor_execute", step)
        event.listen(db.engine, "commit", step)
        function()

    code = Forked(app, run).wait()
    assert code in (0, CRASHED)
    return code == CRASHED


def end_lease(operation_id: object) -> None:
    """Let the lease of a running operation have ended, as if 30 seconds had passed."""
    past = sa.func.clock_timestamp() - sa.text("interval '1 second'")
    running = (Operation.id == operation_id) & Operation.lease_until.is_not(None)
    session().execute(sa.update(Operation).where(running).values(lease_until=past))
    session().commit()


def forget_sending(operation_id: object) -> None:
    """Let the last sending be long ago, as if nobody had answered for ten seconds."""
    long_ago = sa.func.clock_timestamp() - sa.text("interval '11 seconds'")
    session().execute(
        sa.update(Operation).where(Operation.id == operation_id).values(sent_at=long_ago, run_at=long_ago)
    )
    session().commit()


def crash_at_every_statement(
    app: Flask, make: Callable[[], Operation], check: Callable[[Operation], None]
) -> int:
    """Crash a fresh operation at its 1st, 2nd, 3rd … statement; a second worker must finish each.

    `make` starts an operation; `check` asserts that its effects are those of an undisturbed
    run. Answers how many points were tried.
    """
    number = 1
    while True:
        operation = make()
        turn = partial(jobs.work, str(operation.id))
        crashed = crashes_at(app, number, turn)
        if crashed:
            end_lease(operation.id)
            operations.sweep()
            assert Forked(app, turn).wait() == 0
        session().expire_all()
        check(operation)
        session().rollback()
        if not crashed:
            return number - 1
        number += 1


def eventually(what: Callable[[], bool], seconds: float = 10) -> float:
    """Wait until `what()` holds; answers the seconds it took. Fails the test when it never does."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < seconds, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - started
