"""Groups of errors: the list, one group, its trend, its newest runs (workorders §22.4)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from portal.core import clock, db, paging
from portal.core.errors import NotFound
from portal.projects import Project
from portal.workorders.group_inputs import GroupSort
from portal.workorders.group_models import GroupState

SIZE = 25
TREND_DAYS = 30
MOST_COUNTED = 100

# ruff: noqa: S608 - statements are put together from constants of this module; values are always bound.


@dataclass(frozen=True, slots=True)
class ErrorGroupRow:
    """A group of errors for its page and lists. `message` is normalised; "" when nothing was logged."""

    id: uuid.UUID
    project_id: uuid.UUID
    workflow_id: uuid.UUID
    workflow_name: str
    workflow_deleted: bool
    error_type: str | None
    message: str
    state: GroupState
    state_changed_at: datetime | None
    state_changed_by_id: uuid.UUID | None
    state_changed_by_name: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    last_run_id: uuid.UUID | None
    occurrences: int


@dataclass(frozen=True, slots=True)
class GroupRun:
    """A run of a group."""

    id: uuid.UUID
    work_order_id: uuid.UUID
    work_order_state: str
    state: str
    started_at: datetime | None
    finished_at: datetime | None


_ROW = """
    SELECT g.id, g.project_id, g.workflow_id, f.name AS workflow_name,
        f.deleted_at IS NOT NULL AS workflow_deleted, g.error_type, g.message, g.state, g.state_changed_at,
        g.state_changed_by_id,
        nullif(trim(concat_ws(' ', u.first_name, u.last_name)), '') AS state_changed_by_name,
        g.first_seen_at, g.last_seen_at, g.last_run_id, g.occurrences
    FROM {0} AS g
    JOIN workflows AS f ON f.id = g.workflow_id
    LEFT JOIN users AS u ON u.id = g.state_changed_by_id
"""
_COLUMNS = {
    GroupSort.LAST_SEEN: ("last_seen_at", "timestamptz"),
    GroupSort.COUNT: ("occurrences", "bigint"),
}
_ONE = sa.text(_ROW.format("error_groups") + " WHERE g.id = :group_id AND g.project_id = :project_id")
_TREND = sa.text("""
    SELECT error_group_id, day, occurrences FROM error_group_days
    WHERE error_group_id = ANY(:ids) AND day > :before AND day <= :today
""")
_RUNS = sa.text("""
    SELECT r.id, r.work_order_id, w.state AS work_order_state, r.state, r.started_at, r.finished_at
    FROM runs AS r JOIN work_orders AS w ON w.id = r.work_order_id
    WHERE r.error_group_id = :group_id AND r.project_id = :project_id
    ORDER BY r.finished_at DESC LIMIT :limit
""")
_OPEN = sa.text("""
    SELECT count(*) FROM (
        SELECT FROM error_groups WHERE project_id = :project_id AND state = 'open' LIMIT :most) AS g
""")


def list_error_groups(
    project: Project,
    *,
    states: Collection[GroupState] = (GroupState.OPEN,),
    workflow: uuid.UUID | None = None,
    sort: GroupSort = GroupSort.LAST_SEEN,
    cursor: str | None = None,
    size: int = SIZE,
) -> paging.Page[ErrorGroupRow]:
    """The groups of a project in these states (none: all), last seen or most frequent first.

    Raises Invalid on `cursor` for one that is not of this list.
    """
    chosen = sorted(set(states) or set(GroupState))
    scope = f"error-groups:{project.id}:{sort}:{workflow}:{','.join(chosen)}"
    values: dict[str, object] = {"project_id": project.id, "workflow": workflow, "limit": size + 1}
    if cursor:
        values["key"], values["id"] = paging.decode(scope, cursor)
    values |= {f"state{place}": state for place, state in enumerate(chosen)}
    statement = _list_sql(len(chosen), sort, by_workflow=workflow is not None, further=bool(cursor))
    found = [_row(row) for row in db.session().execute(sa.text(statement), values)]
    return paging.page_of(found, size, lambda row: paging.encode(scope, [_key(row, sort), str(row.id)]))


def _list_sql(states: int, sort: GroupSort, *, by_workflow: bool, further: bool) -> str:
    """Each state by its own index range, then the greatest of them: a page costs what it shows."""
    column, kind = _COLUMNS[sort]
    # A workflow of another project has no groups here; the index by workflow finds the few that there are.
    place = "project_id = :project_id" + (" AND workflow_id = :workflow" if by_workflow else "")
    after = f"AND ({column}, id) < (CAST(:key AS {kind}), CAST(:id AS uuid))" if further else ""
    order = f"ORDER BY {column} DESC, id DESC LIMIT :limit"
    parts = [
        f"(SELECT * FROM error_groups WHERE {place} AND state = :state{number} {after} {order})"
        for number in range(states)
    ]
    found = _ROW.format(f"({' UNION ALL '.join(parts)})")
    return f"{found} ORDER BY g.{column} DESC, g.id DESC LIMIT :limit"


def get_error_group(project_id: uuid.UUID, group_id: uuid.UUID) -> ErrorGroupRow:
    """One group. Raises NotFound, also for one of another project."""
    row = db.session().execute(_ONE, {"group_id": group_id, "project_id": project_id}).one_or_none()
    if row is None:
        raise NotFound
    return _row(row)


def group_trend(group_ids: Sequence[uuid.UUID], days: int = TREND_DAYS) -> dict[uuid.UUID, dict[date, int]]:
    """How many runs of each group failed on each of the last `days` days (UTC), oldest first, with zeros.

    One statement for all; every id is a key of the answer.
    """
    today = clock.now().date()
    shown = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    found = {id_: dict.fromkeys(shown, 0) for id_ in group_ids}
    if found:
        values = {"ids": list(found), "before": today - timedelta(days=days), "today": today}
        for group_id, day, occurrences in db.session().execute(_TREND, values):
            found[group_id][day] = occurrences
    return found


def runs_of_group(project_id: uuid.UUID, group_id: uuid.UUID, limit: int = 10) -> list[GroupRun]:
    """The newest runs of a group, by when they ended; none for a group of another project."""
    values = {"group_id": group_id, "project_id": project_id, "limit": limit}
    return [GroupRun(*row) for row in db.session().execute(_RUNS, values)]


def count_open_groups(project_id: uuid.UUID) -> int:
    """How many groups are open, up to 100."""
    values = {"project_id": project_id, "most": MOST_COUNTED}
    return int(db.session().scalar(_OPEN, values) or 0)


def _row(row: sa.Row[tuple[object, ...]]) -> ErrorGroupRow:
    return ErrorGroupRow(**{**row._mapping, "state": GroupState(row.state)})


def _key(row: ErrorGroupRow, sort: GroupSort) -> str | int:
    return row.last_seen_at.isoformat() if sort is GroupSort.LAST_SEEN else row.occurrences
