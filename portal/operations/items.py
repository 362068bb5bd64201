"""What became of each of the many things that one operation works on."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from portal.core import paging
from portal.core.db import session, unit_of_work
from portal.operations.models import ItemResult, OperationItem

_RECORD = sa.text("""
    INSERT INTO operation_items (operation_id, item_id, result, reason, made_id)
    SELECT :operation_id, i.item_id, i.result, i.reason, i.made_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:results AS text[]), CAST(:reasons AS text[]),
                CAST(:made AS uuid[])) AS i (item_id, result, reason, made_id)
""")
_COUNT = sa.text("""
    SELECT result, reason, count(*) FROM operation_items
    WHERE operation_id = :operation_id AND result <> 'done' GROUP BY result, reason ORDER BY 3 DESC, 2
""")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing dealt with: `reason` (a short code) says why it was not done, `made_id` what came of it."""

    id: uuid.UUID
    result: ItemResult
    reason: str | None = None
    made_id: uuid.UUID | None = None


def record_items(operation_id: uuid.UUID, items: Sequence[Item]) -> None:
    """Write down what became of `items`, in the unit of work of their effect, with one statement.

    Each thing is dealt with once in an operation: a second record of it raises
    IntegrityError, and its effect is rolled back with it.
    """
    if not items:
        return
    values = {
        "operation_id": operation_id,
        "ids": [item.id for item in items],
        "results": [str(item.result) for item in items],
        "reasons": [item.reason for item in items],
        "made": [item.made_id for item in items],
    }
    with unit_of_work():
        session().execute(_RECORD, values)


def items(
    operation_id: uuid.UUID, cursor: str | None = None, only_failed: bool = False, size: int = 50
) -> paging.Page[OperationItem]:
    """A page of an operation's items in the order of their ids; with `only_failed`, those not done.

    Whether the operation may be seen is the caller's question. Raises Invalid on `cursor`.
    """
    scope = f"items:{operation_id}:{int(only_failed)}"
    wanted = sa.select(OperationItem).where(OperationItem.operation_id == operation_id)
    if only_failed:
        wanted = wanted.where(OperationItem.result != sa.literal_column("'done'"))
    if cursor:
        wanted = wanted.where(OperationItem.item_id > uuid.UUID(paging.decode(scope, cursor)[0]))
    found = session().scalars(wanted.order_by(OperationItem.item_id).limit(size + 1)).all()
    return paging.page_of(found, size, lambda item: paging.encode(scope, [str(item.item_id)]))


def count_not_done(operation_id: uuid.UUID) -> dict[str, int]:
    """How many items were not done, by reason, most frequent first."""
    rows = session().execute(_COUNT, {"operation_id": operation_id})
    return {str(reason or result): number for result, reason, number in rows}
