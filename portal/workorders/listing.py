"""The keys of work orders that pass the filters, in order (performance §3).

Every statement is an ordered scan that stops early. Several states or workflows are
one such scan each, merged: with a plain IN, the cost grows with the rarest of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from portal.core import db
from portal.workorders.inputs import SearchFilters
from portal.workorders.models import WorkorderState

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound.

# How far a worker's clock may be off: a start implies that the work order moved about then.
CLOCKS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Key:
    """A place in the list: the moment sorted by, and the work order."""

    at: datetime
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a project: filters, where to go on, how many keys at most, received until when."""

    project_id: uuid.UUID
    project_number: int
    filters: SearchFilters
    after: Key | None = None
    limit: int | None = None
    cut_off: datetime | None = None

    @property
    def order(self) -> str:
        """The list's order, over columns `at` and `id`."""
        direction = "DESC" if self.filters.sort.descending else "ASC"
        return f"at {direction}, id {direction}"

    @property
    def limit_sql(self) -> str:
        """The end of a statement that stops at the limit."""
        return "" if self.limit is None else f" LIMIT {int(self.limit)}"


@dataclass(slots=True)
class Where:
    """Conditions on work orders `w`, and what they are bound to."""

    conditions: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, condition: str, **values: Any) -> None:
        """Add one condition."""
        self.conditions.append(condition)
        self.values.update(values)

    def __add__(self, other: Where) -> Where:
        return Where([*self.conditions, *other.conditions], self.values | other.values)

    def __str__(self) -> str:
        return " AND ".join(self.conditions)


def where(wanted: Wanted, *, lists: bool = True) -> Where:
    """The filters but for the term as conditions; without `lists`, also but for states and workflows."""
    filters = wanted.filters
    found = Where()
    found.add("w.project_id = :project_id", project_id=wanted.project_id)
    states, workflows = _states(filters), _workflows(filters)
    if lists and states is not None:
        found.add("w.state = ANY(:states)", states=states)
    if lists and workflows is not None:
        found.add("w.workflow_id = ANY(:workflows)", workflows=workflows)
    if filters.not_workflows and not filters.workflows:
        found.add("w.workflow_id <> ALL(:not_workflows)", not_workflows=list(filters.not_workflows))
    if filters.work_order:
        found.add("w.id = :work_order", work_order=filters.work_order)
    _add_times(found, wanted)
    _add_runs(found, filters)
    if wanted.after:
        sign = "<" if filters.sort.descending else ">"
        found.add(
            f"(w.{filters.sort.column}, w.id) {sign} (:after_at, :after_id)",
            after_at=wanted.after.at,
            after_id=wanted.after.id,
        )
    return found


def _states(filters: SearchFilters) -> list[str] | None:
    """The states that may pass, with those left out taken away; None for any."""
    if not filters.states and not filters.not_states:
        return None
    return [state for state in filters.states or WorkorderState if state not in filters.not_states]


def _workflows(filters: SearchFilters) -> list[uuid.UUID] | None:
    """The workflows that may pass, with those left out taken away; None for any."""
    left = [id_ for id_ in filters.workflows if id_ not in filters.not_workflows]
    return left if filters.workflows else None


def _add_runs(found: Where, filters: SearchFilters) -> None:
    """What is asked of the runs. Where the matches may be few, the planner can begin at them."""
    if filters.errors:
        found.add(_HAS_ERROR)
        # As an expression it hides from the planner, which would count the same rareness twice.
        found.add(f"coalesce({_NEWEST_ERROR} = ANY(:errors), false)", errors=list(filters.errors))
    if filters.not_errors:
        found.add(f"coalesce({_NEWEST_ERROR}, '') <> ALL(:not_errors)", not_errors=list(filters.not_errors))
    if filters.error_group:
        found.add(_IN_GROUP, error_group=filters.error_group)
    if filters.started_from:
        found.add(f"{_NEWEST_START} >= :started_from", started_from=filters.started_from)
        found.add("w.last_activity >= :active_since", active_since=_moved(filters.started_from, -CLOCKS))
    if filters.started_to:
        found.add(f"{_NEWEST_START} <= :started_to", started_to=filters.started_to)
        found.add("w.inserted_at <= :received_until", received_until=_moved(filters.started_to, CLOCKS))


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return moment


_HAS_ERROR = """w.id IN (SELECT e.work_order_id FROM runs AS e
    WHERE e.project_id = :project_id AND e.error_type = ANY(:errors))"""
_IN_GROUP = """w.id IN (SELECT g.work_order_id FROM runs AS g
    WHERE g.error_group_id = :error_group AND g.project_id = :project_id)"""
_NEWEST_ERROR = """(SELECT n.error_type FROM runs AS n WHERE n.work_order_id = w.id
    ORDER BY n.inserted_at DESC, n.id DESC LIMIT 1)"""
_NEWEST_START = """(SELECT n.started_at FROM runs AS n
    WHERE n.work_order_id = w.id AND n.started_at IS NOT NULL
    ORDER BY n.inserted_at DESC, n.id DESC LIMIT 1)"""


def _add_times(found: Where, wanted: Wanted) -> None:
    filters = wanted.filters
    bounds = {
        "received_from": ("w.inserted_at >=", filters.received_from),
        "received_to": ("w.inserted_at <=", filters.received_to),
        "active_from": ("w.last_activity >=", filters.active_from),
        "active_to": ("w.last_activity <=", filters.active_to),
        "cut_off": ("w.inserted_at <=", wanted.cut_off),
    }
    for name, (comparison, moment) in bounds.items():
        if moment is not None:
            found.add(f"{comparison} :{name}", **{name: moment})


def keys(wanted: Wanted, extra: Where | None = None) -> list[Key]:
    """The first keys that pass the filters, and the conditions of `extra`; the term is left aside."""
    statement, values = keys_sql(wanted, extra)
    return [Key(at, id_) for id_, at in db.session().execute(text(statement), values)]


@lru_cache(maxsize=512)
def text(statement: str) -> sa.TextClause:
    """The statement for the session; most requests put the same few together."""
    return sa.text(statement)


def keys_sql(wanted: Wanted, extra: Where | None = None) -> tuple[str, dict[str, Any]]:
    """The statement of `keys`, with columns id and at, and its values."""
    filters = wanted.filters
    states, workflows = _states(filters), _workflows(filters)
    merged = filters.sort.column == "last_activity" and (states is not None or workflows is not None)
    found = where(wanted, lists=not merged)
    for condition in extra.conditions if extra else ():
        found.add(condition)
    values = found.values | (extra.values if extra else {})
    if not merged:
        return _scan(found, wanted), values
    sources = []
    if states is not None:
        sources.append("unnest(CAST(:states AS text[])) AS s (state)")
        found.add("w.state = s.state")
        values |= {"states": states}
    if workflows is not None:
        sources.append("unnest(CAST(:workflows AS uuid[])) AS f (workflow_id)")
        found.add("w.workflow_id = f.workflow_id")
        values |= {"workflows": workflows}
    statement = (
        f"SELECT k.id, k.at FROM {' CROSS JOIN '.join(sources)} "
        f"CROSS JOIN LATERAL ({_scan(found, wanted)}) AS k ORDER BY {wanted.order}{wanted.limit_sql}"
    )
    return statement, values


def _scan(found: Where, wanted: Wanted) -> str:
    column = wanted.filters.sort.column
    order = wanted.order.replace("at ", f"w.{column} ").replace("id ", "w.id ")
    ending = f"ORDER BY {order}{wanted.limit_sql}"
    return f"SELECT w.id, w.{column} AS at FROM work_orders AS w WHERE {found} {ending}"


def first(wanted: Wanted, *lists: Sequence[Key]) -> list[Key]:
    """The first keys of several lists, each once, in the list's order."""
    distinct = {key for keys_ in lists for key in keys_}
    ordered = sorted(distinct, key=lambda key: (key.at, key.id), reverse=wanted.filters.sort.descending)
    return ordered[: wanted.limit]
