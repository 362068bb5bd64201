"""Starting, cancelling and trying again: what people and other contexts do to operations."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from portal.core.access import SYSTEM, Actor
from portal.core.db import Json, lock, session, unit_of_work
from portal.core.errors import Conflict
from portal.core.text import N_
from portal.operations import messenger, news, registry
from portal.operations.models import UNFINISHED, Operation, OperationState
from portal.operations.running import NOW

STILL_ON = N_("This has not ended yet, or ended well: there is nothing to try again.")
ALREADY_ON = N_("The same work is already under way.")
CANCELLED = N_("Cancelled.")


def start(
    kind: str,
    *,
    project_id: uuid.UUID | None,
    actor: Actor,
    arguments: Json,
    unique_key: str | None = None,
    queue: str = "default",
    max_attempts: int = 5,
) -> Operation:
    """Promise work of `kind`, inside the caller's unit of work; workers hear of it after the commit.

    `arguments` is small JSON: ids and filters, never data or secrets. While an unfinished
    operation has the same `unique_key`, nothing is added and that one is answered: to
    start twice is to start once. Compare `operation.inserted_at` or the arguments, or
    raise Conflict yourself, where the caller must know.

    Raises ValueError for an unknown queue.
    """
    if queue not in messenger.QUEUES:
        raise ValueError(f"there is no queue {queue}")
    values = {
        "kind": kind,
        "project_id": project_id,
        "actor_id": None if actor == SYSTEM else actor.id,
        "arguments": arguments,
        "unique_key": unique_key,
        "queue": queue,
        "max_attempts": max_attempts,
    }
    with unit_of_work() as unit:
        operation = _insert(values)
        while operation is None:
            # The twin may end between the two statements; then the next insert succeeds.
            twin = session().scalar(
                sa.select(Operation).where(
                    Operation.unique_key == unique_key, Operation.state.in_(UNFINISHED)
                )
            )
            if twin is not None:
                return twin
            operation = _insert(values)
        unit.after_commit(messenger.send, operation.id, operation.fence, queue)
        unit.after_commit(news.tell, project_id, operation.id)
        return operation


def _insert(values: Json) -> Operation | None:
    # sent_at is set ahead of the sending: one write less, and the sweep looks after it anyway.
    statement = (
        insert(Operation)
        .values(**values, run_at=NOW, sent_at=NOW)
        .on_conflict_do_nothing(
            index_elements=[Operation.unique_key], index_where=Operation.state.in_(UNFINISHED)
        )
        .returning(Operation)
    )
    return session().scalars(statement).one_or_none()


def ask_cancel(operation: Operation) -> Operation:
    """Cancel a waiting operation at once; ask a running one to stop after its present batch.

    What is already done stays done. An ended operation is left as it is.
    """
    with unit_of_work() as unit:
        lock(operation)
        if operation.state == OperationState.QUEUED:
            end_unhappily(operation, OperationState.CANCELLED, CANCELLED)
        elif operation.state == OperationState.RUNNING and operation.cancel_asked_at is None:
            operation.cancel_asked_at = session().scalar(sa.select(NOW))
        session().flush()
        unit.after_commit(news.tell, operation.project_id, operation.id)
    return operation


def try_again(operation: Operation) -> Operation:
    """Queue a failed or cancelled operation anew, with all its attempts, from its checkpoint.

    Raises Conflict when it has not ended, was done, or its unique key is taken by now.
    """
    with unit_of_work() as unit:
        lock(operation)
        if operation.state not in (OperationState.FAILED, OperationState.CANCELLED):
            raise Conflict(STILL_ON)
        moment = session().execute(sa.select(NOW)).scalar_one()
        operation.state = OperationState.QUEUED
        operation.attempt = 0
        operation.error = operation.finished_at = operation.cancel_asked_at = None
        operation.run_at = operation.sent_at = moment
        try:
            session().flush()
        except IntegrityError as taken:
            raise Conflict(ALREADY_ON) from taken
        unit.after_commit(messenger.send, operation.id, operation.fence, operation.queue)
        unit.after_commit(news.tell, operation.project_id, operation.id)
    return operation


def end_unhappily(operation: Operation, state: OperationState, error: str) -> None:
    """End a locked or fenced operation without success, and tell its kind's hook, in the present unit."""
    operation.state = state
    operation.error = error
    operation.lease_until = None
    operation.finished_at = session().scalar(sa.select(NOW))
    registry.tell_failed(operation)
    session().flush()
