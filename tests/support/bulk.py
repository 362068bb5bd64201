"""Previewing, confirming and doing bulk work, and looking at what came of it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal import workorders
from portal.core.db import session
from portal.operations import Operation, jobs
from portal.operations.models import OperationItem
from portal.workorders import Deed, Preview, SearchFilters, Selection
from portal.workorders.models import Run
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow
from tests.support.past import Happened, happen

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FAILED = Selection(filters=SearchFilters(states=("failed",)))


def many(flow: MadeWorkflow, number: int, state: str = "failed", **more: Any) -> list[Happened]:
    """Work orders of one state, the first received first."""
    return [happen(flow, at=NOW + timedelta(minutes=n), state=state, **more) for n in range(number)]


def preview(cast: Cast, selection: Selection = FAILED, deed: Deed = Deed.RETRY, **more: Any) -> Preview:
    return workorders.preview_bulk(cast.project, deed, selection, **more)


def start(cast: Cast, shown: Preview) -> Operation:
    return workorders.start_bulk(cast.project, shown.token, actor=cast.actor(cast.editor))


def did(operation: Operation) -> Operation:
    """The operation, once a worker has done it."""
    jobs.work(str(operation.id))
    return session().get_one(Operation, operation.id, populate_existing=True)


def new_runs(cast: Cast) -> list[Run]:
    """The runs that the editor asked for, in the order in which they are claimed."""
    wanted = sa.select(Run).where(Run.created_by_id == cast.editor.id)
    return list(session().scalars(wanted.order_by(Run.inserted_at, Run.id)))


def items(operation: Operation) -> dict[uuid.UUID, tuple[str, str | None]]:
    found = session().scalars(sa.select(OperationItem).where(OperationItem.operation_id == operation.id))
    return {item.item_id: (str(item.result), item.reason) for item in found}
