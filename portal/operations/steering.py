"""Cancelling, pausing, going on, trying again: what people do to operations, each with its audit entry."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from portal import audit
from portal.core.access import Actor
from portal.core.db import Unit, lock, session, unit_of_work
from portal.core.errors import Conflict
from portal.core.text import N_
from portal.operations import messenger, news
from portal.operations.commands import CANCELLED, end_unhappily
from portal.operations.models import Operation, OperationState
from portal.operations.running import NOW

STILL_ON = N_("This has not ended yet, or ended well: there is nothing to try again.")
ALREADY_ON = N_("The same work is already under way.")


def ask_cancel(operation: Operation, *, actor: Actor) -> Operation:
    """Cancel a waiting operation at once; ask a running one to stop after its present batch.

    What is already done stays done. An ended operation is left as it is, without an entry.
    """
    with unit_of_work() as unit:
        lock(operation)
        if not operation.unfinished or operation.cancel_asked_at is not None:
            return operation
        if operation.state == OperationState.QUEUED:
            end_unhappily(operation, OperationState.CANCELLED, CANCELLED)
        else:
            operation.cancel_asked_at = session().scalar(sa.select(NOW))
        audit.record("cancelled", "operation", operation.id, actor=actor, project_id=operation.project_id)
        _told(unit, operation)
    return operation


def pause(operation: Operation, *, actor: Actor) -> Operation:
    """Let a waiting operation wait; ask a running one to stop after its present batch and wait.

    It keeps its checkpoint, and pausing uses up no attempt. An ended, paused or already
    cancelled operation is left as it is, without an entry.
    """
    with unit_of_work() as unit:
        lock(operation)
        if not operation.unfinished or operation.paused_at or operation.cancel_asked_at:
            return operation
        operation.paused_at = session().scalar(sa.select(NOW))
        audit.record("paused", "operation", operation.id, actor=actor, project_id=operation.project_id)
        _told(unit, operation)
    return operation


def resume(operation: Operation, *, actor: Actor) -> Operation:
    """Go on with a paused operation from its checkpoint; one that is not paused is left as it is."""
    with unit_of_work() as unit:
        lock(operation)
        if not operation.unfinished or operation.paused_at is None:
            return operation
        operation.paused_at = None
        # One that has not come to its pause yet works on; its worker reads the row at the next batch.
        if operation.state == OperationState.QUEUED:
            _queue_now(unit, operation)
        audit.record("resumed", "operation", operation.id, actor=actor, project_id=operation.project_id)
        _told(unit, operation)
    return operation


def try_again(operation: Operation, *, actor: Actor) -> Operation:
    """Queue a failed or cancelled operation anew, with all its attempts, from its checkpoint.

    Raises Conflict when it has not ended, was done, or its unique key is taken by now.
    """
    with unit_of_work() as unit:
        lock(operation)
        if operation.state not in (OperationState.FAILED, OperationState.CANCELLED):
            raise Conflict(STILL_ON)
        operation.state = OperationState.QUEUED
        operation.attempt = 0
        operation.error = operation.finished_at = operation.cancel_asked_at = operation.paused_at = None
        try:
            _queue_now(unit, operation)
        except IntegrityError as taken:
            raise Conflict(ALREADY_ON) from taken
        audit.record("tried_again", "operation", operation.id, actor=actor, project_id=operation.project_id)
        _told(unit, operation)
    return operation


def _queue_now(unit: Unit, operation: Operation) -> None:
    operation.run_at = operation.sent_at = session().execute(sa.select(NOW)).scalar_one()
    session().flush()
    unit.after_commit(messenger.send, operation.id, operation.fence, operation.queue)


def _told(unit: Unit, operation: Operation) -> None:
    session().flush()
    unit.after_commit(news.tell, operation.project_id, operation.id)
