"""The keys of work orders that pass the filters, in order (performance §3).

Every statement is an ordered scan that stops early. Several states or workflows are
one such scan each, merged: with a plain IN, the cost grows with the rarest of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.core import db
from portal.workorders.inputs import SearchFilters

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound.


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

    def __str__(self) -> str:
        return " AND ".join(self.conditions)


def where(wanted: Wanted, *, lists: bool = True) -> Where:
    """The filters but for the term as conditions; without `lists`, also but for states and workflows."""
    filters = wanted.filters
    found = Where()
    found.add("w.project_id = :project_id", project_id=wanted.project_id)
    if lists and filters.states:
        found.add("w.state = ANY(:states)", states=list(filters.states))
    if lists and filters.workflows:
        found.add("w.workflow_id = ANY(:workflows)", workflows=list(filters.workflows))
    if filters.work_order:
        found.add("w.id = :work_order", work_order=filters.work_order)
    _add_times(found, wanted)
    if wanted.after:
        sign = "<" if filters.sort.descending else ">"
        found.add(
            f"(w.{filters.sort.column}, w.id) {sign} (:after_at, :after_id)",
            after_at=wanted.after.at,
            after_id=wanted.after.id,
        )
    return found


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
    return [Key(at, id_) for id_, at in db.session().execute(sa.text(statement), values)]


def keys_sql(wanted: Wanted, extra: Where | None = None) -> tuple[str, dict[str, Any]]:
    """The statement of `keys`, with columns id and at, and its values."""
    filters = wanted.filters
    merged = filters.sort.column == "last_activity" and bool(filters.states or filters.workflows)
    found = where(wanted, lists=not merged)
    for condition in extra.conditions if extra else ():
        found.add(condition)
    values = found.values | (extra.values if extra else {})
    if not merged:
        return _scan(found, wanted), values
    sources = []
    if filters.states:
        sources.append("unnest(CAST(:states AS text[])) AS s (state)")
        found.add("w.state = s.state")
        values |= {"states": list(filters.states)}
    if filters.workflows:
        sources.append("unnest(CAST(:workflows AS uuid[])) AS f (workflow_id)")
        found.add("w.workflow_id = f.workflow_id")
        values |= {"workflows": list(filters.workflows)}
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
