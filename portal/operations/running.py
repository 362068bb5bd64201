"""One turn of one operation: the claim, the lease, the fence, the checkpoint.

Times of claims and leases come from the database's clock alone, so hosts may disagree
about the hour. `clock_timestamp()`, not `now()`: a lease counts from the statement, not
from the start of a long transaction.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.core.access import SYSTEM, Actor
from portal.core.db import Json, session, unit_of_work
from portal.operations import news
from portal.operations.models import Operation, OperationState

LEASE = timedelta(seconds=30)
NOW: sa.ColumnElement[Any] = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))

_stop = threading.Event()


class LostLease(Exception):
    """Another worker holds the operation now, or it has ended: the present unit of work must not be saved."""


# The next three end a handler between two batches. They are no `Exception`s, so a handler
# that catches the failures of single items does not swallow them.
class Cancelled(BaseException):
    """Somebody asked to cancel; raised once the batch under way has been committed."""


class Paused(BaseException):
    """Somebody asked to pause; raised once the batch under way has been committed."""


class Stopping(BaseException):
    """The worker is about to stop; raised once the batch under way has been committed."""


def stop_soon(*_: object) -> None:
    """Ask the handler in this process to stop at its next checkpoint. Fit for a signal handler."""
    _stop.set()


class Running:
    """What a handler sees of its operation. One instance per turn.

    `checkpoint` is {} at the first turn. `done` and `total` count whatever the kind counts.
    """

    def __init__(self, operation: Operation) -> None:
        self.operation_id = operation.id
        self.kind = operation.kind
        self.project_id = operation.project_id
        self.actor = Actor(operation.actor_id) if operation.actor_id else SYSTEM
        self.arguments: Json = operation.arguments
        self.attempt = operation.attempt
        self.max_attempts = operation.max_attempts
        self.queue = operation.queue
        self.fence = operation.fence
        self.checkpoint: Json = operation.checkpoint or {}
        self.done = operation.done
        self.total = operation.total
        self.finished = False
        self.advances = 0
        self._finishing = False

    def advance(
        self,
        *,
        checkpoint: Json | None = None,
        done: int | None = None,
        total: int | None = None,
        message: str | None = None,
    ) -> None:
        """Renew the lease, and move the checkpoint and progress, together with the effect of the batch.

        Call it inside the batch's unit of work, as its last write: all commit together, or
        none. What is not given stays as it is. `message` is plain English for people.

        Raises LostLease at once when another worker has taken over: the batch rolls back.
        After the commit raises Cancelled, Paused or Stopping out of the `with unit_of_work()`
        block when one of them was asked for; let them pass.
        """
        given = {"checkpoint": checkpoint, "done": done, "total": total, "message": message}
        changes = {name: value for name, value in given.items() if value is not None}
        with unit_of_work() as unit:
            row = self.write(lease_until=NOW + LEASE, **changes)
            unit.after_commit(self._obey, row.cancel_asked_at is not None, row.paused_at is not None)
        for name in changes.keys() - {"message"}:
            setattr(self, name, changes[name])
        self.advances += 1

    def finish(self, *, result: Json | None = None, message: str | None = None) -> None:
        """End the operation as done, within the present unit of work if there is one.

        A handler calls it beside its last effect, so that neither stands without the other;
        one that just returns is finished with what it returned. Raises LostLease.
        """
        with unit_of_work() as unit:
            self.write(
                state=OperationState.DONE,
                lease_until=None,
                finished_at=NOW,
                result=result,
                error=None,
                message=message,
            )
            unit.after_commit(setattr, self, "finished", True)
            unit.after_commit(news.tell, self.project_id, self.operation_id)
            self._finishing = True

    def write(self, **values: Any) -> Operation:
        """Change the operation's row if this turn still holds it, and answer the row as it then is.

        Raises LostLease. Works inside the present unit of work or, without one, in its own.
        """
        statement = (
            sa.update(Operation)
            .where(
                Operation.id == self.operation_id,
                Operation.fence == self.fence,
                Operation.state == OperationState.RUNNING,
            )
            .values(**values)
            .returning(Operation)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        with unit_of_work():
            row = session().scalars(statement).one_or_none()
            if row is None:
                raise LostLease
            return row

    def _obey(self, cancel_asked: bool, pause_asked: bool) -> None:
        if self._finishing:
            return
        if cancel_asked:
            raise Cancelled
        if pause_asked:
            raise Paused
        if _stop.is_set():
            raise Stopping


def claim(operation_id: uuid.UUID) -> Running | None:
    """Take a due, waiting operation for this process; None when it is gone, held, paused, ended or not due.

    One conditional update decides: of many who try at once, one wins.
    """
    statement = (
        sa.update(Operation)
        .where(
            Operation.id == operation_id,
            Operation.state == OperationState.QUEUED,
            Operation.paused_at.is_(None),
            Operation.run_at <= NOW,
        )
        .values(
            state=OperationState.RUNNING,
            fence=Operation.fence + 1,
            attempt=Operation.attempt + 1,
            lease_until=NOW + LEASE,
            owner=f"{socket.gethostname()}:{os.getpid()}",
            started_at=sa.func.coalesce(Operation.started_at, NOW),
        )
        .returning(Operation)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    with unit_of_work():
        operation = session().scalars(statement).one_or_none()
        return Running(operation) if operation else None
