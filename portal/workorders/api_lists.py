"""Numbered pages of work orders, runs and log lines across projects, for programs (workorders §15).

Page numbers cost what they skip, so lists end at 10,000 entries: both count and skip are
ordered scans of an index that stop there. Whoever wants more narrows the dates.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from portal.core import db
from portal.workflows.models import Job
from portal.workorders.api_rows import LINE, RUN, WORKORDER, LineItem, RunItem, WorkorderItem
from portal.workorders.listing import Where
from portal.workorders.models import LogLevel

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound.

T = TypeVar("T")
MOST_ENTRIES = 10_000
# Lines have no index by time: they are sought in the newest runs, and no further than so many lines.
MOST_RUNS = 1_000
MOST_LINES = 50_000
# A worker's clock may be behind ours: its first lines then carry a time before their run was made.
SKEW = timedelta(minutes=5)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, both ends inclusive; None is open."""

    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Among:
    """Where entries are sought: in `projects` alone (none: nothing), of `workflows` if any are named."""

    projects: Sequence[uuid.UUID]
    workflows: Sequence[uuid.UUID] = ()
    inserted: Span = field(default_factory=Span)
    updated: Span = field(default_factory=Span)
    work_order: uuid.UUID | None = None
    run: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class LinesAmong:
    """Which lines are sought: of the runs among `runs`, of steps of `job`, of `level`, `written` when."""

    runs: Among
    job: uuid.UUID | None = None
    level: LogLevel | None = None
    written: Span = field(default_factory=Span)


@dataclass(frozen=True, slots=True)
class NumberedPage(Generic[T]):
    """A page by number: `number` is the page shown, from 1; with `capped`, there are more than `total`."""

    items: Sequence[T]
    number: int
    size: int
    total: int
    capped: bool

    @property
    def pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, -(-self.total // self.size))


def list_workorders(among: Among, *, number: int = 1, size: int = 10) -> NumberedPage[WorkorderItem]:
    """A page of work orders by last activity, newest first. A page past the end is the last one."""
    return _page(_Scan("work_orders", "last_activity", among), WORKORDER, WorkorderItem, number, size)


def list_runs(among: Among, *, number: int = 1, size: int = 10) -> NumberedPage[RunItem]:
    """A page of runs by the time they were made, newest first. A page past the end is the last one."""
    return _page(_Scan("runs", "inserted_at", among), RUN, RunItem, number, size)


def list_lines(among: LinesAmong, *, number: int = 1, size: int = 10) -> NumberedPage[LineItem]:
    """A page of log lines by their time, newest first. A page past the end is the last one.

    Lines are sought in the newest 1,000 runs that pass, as far as these have 50,000 lines;
    one run is always whole. With an end in time, runs made after it do not count among
    them, so one can go back through all of history. `capped` says when more was left out.
    """
    runs, more = _runs_to_read(_runs_of(among))
    conditions, values = _of_lines(among)
    values["run_ids"] = runs
    # One array that the planner can see: it leaves partitions out, and never joins with all lines.
    where = " AND ".join(["l.run_id = ANY(CAST(:run_ids AS uuid[]))", *conditions])
    source = f"log_lines AS l WHERE {where}"
    found, capped = _capped(f"SELECT 1 FROM {source} LIMIT {MOST_ENTRIES + 1}", values)
    number, values["skip"], values["size"] = _place(number, size, found)
    order = "ORDER BY l.timestamp DESC, l.run_id DESC, l.seq DESC OFFSET :skip LIMIT :size"
    rows = db.session().execute(sa.text(f"SELECT {LINE} FROM {source} {order}"), values) if found else ()
    return NumberedPage([LineItem(*row) for row in rows], number, size, found, capped or more)


class _Scan:
    """The ordered scan of one table for what is among the projects, and its values."""

    def __init__(self, table: str, at: str, among: Among) -> None:
        self.table, self.at = table, at
        self._where = Where()
        source, by = "unnest(CAST(:projects AS uuid[])) AS p (id)", "t.project_id = p.id"
        if len(among.projects) == 1:
            # Said outright, the planner knows how much of the table that is.
            source, by = "(SELECT 1) AS p", "t.project_id = :project"
            self._where.values["project"] = among.projects[0]
        if among.workflows and table == "work_orders":
            # One scan for each workflow, merged: there is an index that begins with it.
            source = f"({_WORKFLOWS}) AS p"
            by = "t.workflow_id = p.id"
            self._where.values["workflows"] = list(among.workflows)
        elif among.workflows:
            source = f"(SELECT DISTINCT f.project_id AS id FROM ({_WORKFLOWS}) AS f) AS p"
            self._where.add("t.workflow_id = ANY(:workflows)", workflows=list(among.workflows))
        self._where.values["projects"] = list(among.projects)
        self._where.conditions.insert(0, by)
        self._source = source
        if among.work_order:
            column = "t.id" if table == "work_orders" else "t.work_order_id"
            self._where.add(f"{column} = :work_order", work_order=among.work_order)
        if among.run:
            self._where.add("t.id = :run", run=among.run)
        _add_span(self._where, "t.inserted_at", among.inserted)
        _add_span(self._where, "t.updated_at", among.updated)

    @property
    def values(self) -> dict[str, Any]:
        """What the statement is bound to, but for `upto`."""
        return dict(self._where.values)

    def keys(self, columns: str = "t.id") -> str:
        """A statement for the first `upto` entries in order: `columns`, then `at` and `id`."""
        scan = (
            f"SELECT {columns}, t.{self.at} AS at, t.id AS key FROM {self.table} AS t "
            f"WHERE {self._where} ORDER BY t.{self.at} DESC, t.id DESC LIMIT :upto"
        )
        return f"SELECT k.* FROM {self._source} CROSS JOIN LATERAL ({scan}) AS k"


_WORKFLOWS = """SELECT w.id, w.project_id FROM workflows AS w
    WHERE w.id = ANY(:workflows) AND w.project_id = ANY(:projects)"""


def _add_span(where: Where, column: str, span: Span) -> None:
    name = column.removeprefix("t.").removeprefix("l.")
    if span.after is not None:
        where.add(f"{column} >= :{name}_after", **{f"{name}_after": span.after})
    if span.before is not None:
        where.add(f"{column} <= :{name}_before", **{f"{name}_before": span.before})


def _page(scan: _Scan, columns: str, item: Callable[..., T], number: int, size: int) -> NumberedPage[T]:
    found, capped = _capped(
        f"SELECT 1 FROM ({scan.keys()}) AS c LIMIT {MOST_ENTRIES + 1}",
        scan.values | {"upto": MOST_ENTRIES + 1},
    )
    number, skip, shown = _place(number, size, found)
    if not found:
        return NumberedPage([], number, size, 0, False)
    keys = f"{scan.keys()} ORDER BY k.at DESC, k.key DESC OFFSET :skip LIMIT :size"
    statement = (
        f"SELECT {columns} FROM ({keys}) AS c JOIN {scan.table} AS t ON t.id = c.key "
        "ORDER BY c.at DESC, c.key DESC"
    )
    values = scan.values | {"upto": skip + size, "skip": skip, "size": shown}
    rows = db.session().execute(sa.text(statement), values)
    return NumberedPage([item(*row) for row in rows], number, size, found, capped)


def _capped(statement: str, values: dict[str, Any]) -> tuple[int, bool]:
    """How many rows the statement gives, at most 10,000, and whether there are more."""
    found = int(db.session().scalar(sa.text(f"SELECT count(*) FROM ({statement}) AS n"), values) or 0)
    return min(found, MOST_ENTRIES), found > MOST_ENTRIES


def _place(number: int, size: int, total: int) -> tuple[int, int, int]:
    """The page that is shown, the entries before it, and how many stand on it: none past the cap."""
    last = max(1, -(-total // size))
    shown = min(max(number, 1), last)
    skip = (shown - 1) * size
    return shown, skip, min(size, total - skip)


def _runs_of(among: LinesAmong) -> Among:
    """The runs that can have such lines: of the job's workflow, and made before the lines were written."""
    runs = among.runs
    if among.job and not runs.workflows:
        workflow_id = db.session().scalar(sa.select(Job.workflow_id).where(Job.id == among.job))
        runs = replace(runs, workflows=[workflow_id] if workflow_id else ())
    if among.written.before and among.written.before < LATEST:
        runs = replace(runs, inserted=Span(before=among.written.before + SKEW))
    return runs


def _runs_to_read(among: Among) -> tuple[list[uuid.UUID], bool]:
    """The runs whose lines are looked at, newest first, and whether others were left out."""
    scan = _Scan("runs", "inserted_at", among)
    values = scan.values | {"upto": MOST_RUNS + 1}
    keys = f"{scan.keys('t.log_count')} ORDER BY k.at DESC, k.key DESC LIMIT :upto"
    chosen: list[uuid.UUID] = []
    lines = 0
    for row in db.session().execute(sa.text(keys), values):
        if len(chosen) == MOST_RUNS or (chosen and lines + row.log_count > MOST_LINES):
            return chosen, True
        chosen.append(row.key)
        lines += row.log_count
    return chosen, False


def _of_lines(among: LinesAmong) -> tuple[list[str], dict[str, Any]]:
    where = Where()
    _add_span(where, "l.timestamp", among.written)
    if among.level is not None:
        where.add("l.level = :level", level=str(among.level))
    if among.job is not None:
        where.add(
            "l.step_id IN (SELECT s.id FROM run_steps AS rs JOIN steps AS s ON s.id = rs.step_id "
            "WHERE rs.run_id = l.run_id AND s.job_id = :job)",
            job=among.job,
        )
    return where.conditions, where.values
