"""Keeps the ledger's promises when messengers, workers or brokers are lost (reliability §1)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import sqlalchemy as sa
import structlog

from portal.core.db import Base, session, try_advisory_lock, unit_of_work
from portal.core.text import N_
from portal.operations import messenger, news
from portal.operations.commands import CANCELLED, end_unhappily
from portal.operations.models import OnceKey, Operation, OperationItem, OperationState
from portal.operations.running import NOW

log = structlog.get_logger(__name__)

UNANSWERED = timedelta(seconds=10)
BATCH = 1000
ITEM_BATCH = 10_000
KEEP_DONE = timedelta(days=7)
KEEP_FAILED = timedelta(days=30)
KEEP_KEYS = timedelta(days=1)
LOST = N_("The workers that did this were lost, each time it was tried.")


@dataclass(frozen=True, slots=True)
class Swept:
    """How many operations a sweep looked at for sending, gave back to the queue, and gave up."""

    unanswered: int = 0
    returned: int = 0
    given_up: int = 0


def sweep() -> Swept:
    """Return operations whose lease has ended, and send again what no worker picked up.

    Safe to run anywhere and at any time: one sweep at a time does anything, the others
    answer zeros. With the broker away only the sending is left for later.
    """
    with unit_of_work() as unit:
        if not try_advisory_lock("operations:sweep"):
            return Swept()
        given_up, returned = _give_up_ended(), _return_ended()
        unanswered = _unanswered()
        unit.after_commit(messenger.send_missing, unanswered)
        for operation in given_up:
            unit.after_commit(news.tell, operation.project_id, operation.id)
    swept = Swept(len(unanswered), returned, len(given_up))
    if swept != Swept():
        log.info("operations_swept", sent=swept.unanswered, returned=swept.returned, given_up=swept.given_up)
    return swept


def _lease_ended() -> sa.ColumnElement[bool]:
    return sa.and_(Operation.state == OperationState.RUNNING, Operation.lease_until < NOW)


def _hopeless() -> sa.ColumnElement[bool]:
    return sa.or_(Operation.attempt >= Operation.max_attempts, Operation.cancel_asked_at.is_not(None))


def _give_up_ended() -> list[Operation]:
    """End those with no attempt left, or asked to cancel; one bad hook stops no other."""
    rows = session().scalars(
        sa.select(Operation)
        .where(_lease_ended(), _hopeless())
        .order_by(Operation.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    return [operation for operation in rows.all() if _give_up(operation)]


def _give_up(operation: Operation) -> bool:
    cancelled = operation.cancel_asked_at is not None
    state = OperationState.CANCELLED if cancelled else OperationState.FAILED
    try:
        with session().begin_nested():
            end_unhappily(operation, state, CANCELLED if cancelled else LOST)
    except Exception:
        log.exception("operation_hook_failed", operation_id=str(operation.id), kind=operation.kind)
        return False
    return True


def _return_ended() -> int:
    """Queue the others again. The state alone refuses late writes until the next claim raises the fence."""
    ended = (
        sa.select(Operation.id)
        .where(_lease_ended(), sa.not_(_hopeless()))
        .limit(BATCH)
        .with_for_update(skip_locked=True, key_share=True)
    )
    rows = session().execute(
        sa.update(Operation)
        .where(Operation.id.in_(ended.scalar_subquery()))
        .values(state=OperationState.QUEUED, lease_until=None, owner=None, run_at=NOW, sent_at=None)
        .returning(Operation.id)
        .execution_options(synchronize_session=False)
    )
    return len(rows.all())


def _unanswered() -> Sequence[messenger.Message]:
    """Mark as sent, and answer, those not sent since they fell due, or not picked up in 10 s."""
    due = (
        sa.select(Operation.id)
        .where(
            Operation.state == OperationState.QUEUED,
            Operation.paused_at.is_(None),
            Operation.run_at <= NOW,
            sa.or_(
                Operation.sent_at.is_(None),
                Operation.sent_at < Operation.run_at,
                Operation.sent_at < NOW - UNANSWERED,
            ),
        )
        .order_by(Operation.sent_at.asc().nulls_first())
        .limit(BATCH)
        .with_for_update(skip_locked=True, key_share=True)
    )
    rows = session().execute(
        sa.update(Operation)
        .where(Operation.id.in_(due.scalar_subquery()))
        .values(sent_at=NOW)
        .returning(Operation.id, Operation.fence, Operation.queue)
        .execution_options(synchronize_session=False)
    )
    return [(row.id, row.fence, row.queue) for row in rows]


def prune() -> int:
    """Delete done and cancelled operations after 7 days, failed ones after 30, idempotency keys after a day.

    A thousand rows at a time; items go with their operation, in batches before it. Answers
    how many operations went.
    """
    total = 0
    while deleted := _prune_batch():
        total += deleted
    while _prune_keys():
        pass
    return total


def _prune_batch() -> int:
    failed = Operation.state == OperationState.FAILED
    ended_well = Operation.state.in_([OperationState.DONE, OperationState.CANCELLED])
    old = (
        sa.select(Operation.id)
        .where(
            sa.or_(
                sa.and_(ended_well, Operation.finished_at < NOW - KEEP_DONE),
                sa.and_(failed, Operation.finished_at < NOW - KEEP_FAILED),
            )
        )
        .order_by(Operation.id)
        .limit(BATCH)
    )
    with unit_of_work():
        ids = session().scalars(old).all()
    while ids and _prune_items(ids):
        pass
    return _delete(Operation, Operation.id.in_(ids)) if ids else 0


def _prune_items(operation_ids: Sequence[uuid.UUID]) -> int:
    """Delete some items of ended operations: the cascade would take a million in one transaction."""
    key = sa.tuple_(OperationItem.operation_id, OperationItem.item_id)
    some = (
        sa.select(OperationItem.operation_id, OperationItem.item_id)
        .where(OperationItem.operation_id.in_(operation_ids))
        .limit(ITEM_BATCH)
    )
    return _delete(OperationItem, key.in_(some))


def _prune_keys() -> int:
    key = sa.tuple_(OnceKey.actor_id, OnceKey.key)
    old = sa.select(OnceKey.actor_id, OnceKey.key).where(OnceKey.inserted_at < NOW - KEEP_KEYS).limit(BATCH)
    return _delete(OnceKey, key.in_(old))


def _delete(model: type[Base], condition: sa.ColumnElement[bool]) -> int:
    with unit_of_work():
        statement = sa.delete(model).where(condition).execution_options(synchronize_session=False)
        return cast(sa.CursorResult[Any], session().execute(statement)).rowcount
