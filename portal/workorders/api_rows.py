"""Work orders, runs and log lines as programs see them (workorders §15)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal.core import db
from portal.core.errors import NotFound

# ruff: noqa: S608 - statements are put together from constants of this module; values are always bound.

# Columns in the order of the fields below, over the alias that lists use.
WORKORDER = "t.id, t.project_id, t.state, t.last_activity, t.inserted_at, t.updated_at"
RUN = "t.id, t.project_id, t.work_order_id, t.state, t.started_at, t.finished_at, t.priority, t.error_type"
LINE = "l.run_id, l.seq, l.step_id, l.level, l.source, l.message, l.timestamp"
LARGEST_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class WorkorderItem:
    """One work order."""

    id: uuid.UUID
    project_id: uuid.UUID
    state: str
    last_activity: datetime
    inserted_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RunItem:
    """One run. `priority` 0 goes before 1."""

    id: uuid.UUID
    project_id: uuid.UUID
    work_order_id: uuid.UUID
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    priority: int
    error_type: str | None


@dataclass(frozen=True, slots=True)
class LineItem:
    """One log line; run and `seq`, its place from 1, name it."""

    run_id: uuid.UUID
    seq: int
    step_id: uuid.UUID | None
    level: str
    source: str | None
    message: str
    timestamp: datetime


_WORKORDER = sa.text(f"SELECT {WORKORDER} FROM work_orders AS t WHERE t.id = :id")
_RUN = sa.text(f"SELECT {RUN} FROM runs AS t WHERE t.id = :id")
_LINE = sa.text(f"SELECT {LINE} FROM log_lines AS l WHERE l.run_id = :run_id AND l.seq = :seq")


def get_workorder_item(work_order_id: uuid.UUID) -> WorkorderItem:
    """A work order of any project: the caller judges `project_id`. Raises NotFound."""
    row = db.session().execute(_WORKORDER, {"id": work_order_id}).one_or_none()
    if row is None:
        raise NotFound
    return WorkorderItem(*row)


def get_run_item(run_id: uuid.UUID) -> RunItem:
    """A run of any project: the caller judges `project_id`. Raises NotFound."""
    row = db.session().execute(_RUN, {"id": run_id}).one_or_none()
    if row is None:
        raise NotFound
    return RunItem(*row)


def get_line_item(run_id: uuid.UUID, seq: int) -> LineItem:
    """A line of a run of any project: the caller judges the run. Raises NotFound."""
    found = None
    if seq <= LARGEST_SEQ:
        found = db.session().execute(_LINE, {"run_id": run_id, "seq": seq}).one_or_none()
    if found is None:
        raise NotFound
    return LineItem(*found)
