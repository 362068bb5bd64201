"""Starting operations, and ending them without success. Steering one is in `steering`."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from portal.core.access import SYSTEM, Actor
from portal.core.db import Json, session, unit_of_work
from portal.core.text import N_
from portal.operations import messenger, news, registry
from portal.operations.models import UNFINISHED, Operation, OperationState
from portal.operations.running import NOW

CANCELLED = N_("Cancelled.")
# As text: a statement that is planned once for all values could not tell that bound ones mean this index.
LIVE = sa.text("state IN ('queued', 'running')")


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
        .on_conflict_do_nothing(index_elements=[Operation.unique_key], index_where=LIVE)
        .returning(Operation)
    )
    return session().scalars(statement).one_or_none()


def end_unhappily(operation: Operation, state: OperationState, error: str) -> None:
    """End a locked or fenced operation without success, and tell its kind's hook, in the present unit."""
    operation.state = state
    operation.error = error
    operation.lease_until = None
    operation.finished_at = session().scalar(sa.select(NOW))
    registry.tell_failed(operation)
    session().flush()
