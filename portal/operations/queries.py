"""Reading the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.core.db import session
from portal.core.errors import NotFound
from portal.operations.models import UNFINISHED, Operation, OperationState, Schedule
from portal.operations.running import NOW


@dataclass(frozen=True, slots=True)
class Progress:
    """An operation and what only the database's clock can tell of it.

    `seconds` since its first start (0.0 before); `silent`: it runs, but its worker's lease
    has ended, so it waits to be taken up by another.
    """

    operation: Operation
    seconds: float
    silent: bool

    @property
    def percent(self) -> int | None:
        """Whole per cent, 0 to 100; None while the total is unknown."""
        total = self.operation.total
        return min(100, self.operation.done * 100 // total) if total else None

    @property
    def rate(self) -> float | None:
        """Done per second since the first start; None before there is anything to tell."""
        return self.operation.done / self.seconds if self.seconds >= 1 and self.operation.done else None

    @property
    def version(self) -> str:
        """Changes whenever what a person sees of it changes: for pollers to compare."""
        row = self.operation
        seen = (
            row.state,
            row.attempt,
            row.done,
            row.total,
            row.message,
            row.cancel_asked_at is not None,
            row.paused_at is not None,
            self.silent,
        )
        return f"{uuid.uuid5(row.id, repr(seen)).hex[:16]}"


def _progress() -> sa.Select[*tuple[Any, ...]]:
    ended = sa.func.coalesce(Operation.finished_at, NOW)
    seconds = sa.func.extract("epoch", ended - sa.func.coalesce(Operation.started_at, ended))
    silent = sa.and_(
        Operation.state == OperationState.RUNNING, sa.func.coalesce(Operation.lease_until < NOW, sa.false())
    )
    return sa.select(Operation, seconds, silent).execution_options(populate_existing=True)


def _read(statement: sa.Select[*tuple[Any, ...]]) -> list[Progress]:
    rows = session().execute(statement)
    return [Progress(row, float(seconds), silent) for row, seconds, silent in rows]


def get(project_id: uuid.UUID, operation_id: uuid.UUID) -> Progress:
    """One operation of a project. Raises NotFound."""
    found = _read(_progress().where(Operation.id == operation_id, Operation.project_id == project_id))
    if not found:
        raise NotFound
    return found[0]


def project_of(operation_id: uuid.UUID) -> uuid.UUID:
    """The project of an operation; whether it may be seen is the caller's question. Raises NotFound."""
    found = session().scalar(sa.select(Operation.project_id).where(Operation.id == operation_id))
    if found is None:
        raise NotFound
    return found


def list_recent(project_id: uuid.UUID, *, limit: int = 20) -> Sequence[Progress]:
    """The newest operations of a project, finished or not."""
    newest = (Operation.inserted_at.desc(), Operation.id.desc())
    return _read(_progress().where(Operation.project_id == project_id).order_by(*newest).limit(limit))


def list_unfinished(project_id: uuid.UUID, *, limit: int = 20) -> Sequence[Progress]:
    """What waits or runs in a project, oldest first."""
    return _read(
        _progress()
        .where(Operation.project_id == project_id, Operation.state.in_(UNFINISHED))
        .order_by(Operation.inserted_at, Operation.id)
        .limit(limit)
    )


def list_all(*, limit: int = 50) -> Sequence[Progress]:
    """The newest operations of the whole portal, for its keepers."""
    return _read(_progress().order_by(Operation.inserted_at.desc(), Operation.id.desc()).limit(limit))


def list_schedules() -> Sequence[Schedule]:
    """All periodic tasks with how their last turn ended, by name."""
    return session().scalars(sa.select(Schedule).order_by(Schedule.name)).all()
