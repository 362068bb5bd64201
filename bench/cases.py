"""Searching and counting: reference, ours and floor, taken in turns."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg

from bench import capture, generated
from bench.outcome import Case, Series
from bench.statements import FLOORS, REFERENCE
from portal import projects, workorders
from portal.core import clock
from portal.core.db import session
from portal.workorders import SearchField, SearchFilters

SECONDS = 6.0  # for all rounds of one case; a slow reference must not hold up the rest
LOG = (SearchField.LOG,)
BODY = (SearchField.BODY,)
Ids = list[uuid.UUID]
Ask = Callable[[], Ids | None]


class Searching:
    """The cases of the history's search on one project, the largest."""

    def __init__(self, project: projects.Project, plain: psycopg.Connection, rounds: int) -> None:
        self.project, self.plain, self.rounds = project, plain, rounds
        self.values: dict[str, Any] = {"project": project.id}

    def all(self) -> list[Case]:
        """Every case, measured."""
        return [
            self._search("history, default page", "list", SearchFilters(), 6),
            self._search(
                "history, failed or crashed", "state", SearchFilters(states=("failed", "crashed")), 8
            ),
            self._count(),
            self._deep(),
            self._id(),
            self._log("term in logs, rare", generated.NEEDLE),
            self._log("term in logs, in most runs", generated.COMMON),
            self._body(),
            self._everywhere(),
        ]

    def _search(self, name: str, key: str, filters: SearchFilters, most: float) -> Case:
        case = self._measured(name, self._ours(filters), self._sql(REFERENCE[key]), self._sql(FLOORS[key]))
        return _judged(case, case.ours.median <= most * case.floor.median, f"≤ {most:g} × floor")

    def _count(self) -> Case:
        def ours() -> Ids | None:
            workorders.count(self.project, SearchFilters())
            return None

        case = self._measured(
            "total, to 10,000", ours, self._sql(REFERENCE["count"]), self._sql(FLOORS["count"])
        )
        case.same_rows = None
        return case

    def _deep(self) -> Case:
        """A page far down, reached by its cursor, against the first page of the same list."""
        cursor, pages = None, 0
        while pages < 999:
            page = workorders.search(self.project, SearchFilters(), cursor)
            if page.next_cursor is None or not page.items:
                break
            cursor, pages = page.next_cursor, pages + 1
        session().rollback()
        deep = self._ours(SearchFilters(), cursor)
        reference = self._sql(REFERENCE["deep"], offset=25 * pages)
        # Page 1 takes the place of the floor: both are ours, and taken in turns.
        case = self._measured(
            f"page {pages + 1:,} against page 1", deep, reference, self._ours(SearchFilters())
        )
        return _judged(case, case.ours.median <= 1.3 * case.floor.median, "≤ 1.3 × page 1")

    def _id(self) -> Case:
        row = self.plain.execute(
            "SELECT id FROM work_orders WHERE project_id = %(project)s ORDER BY id LIMIT 1 OFFSET 500",
            self.values,
        ).fetchone()
        key = row[0] if row else uuid.UUID(int=0)
        tail = str(key)[-8:]
        ours = self._ours(SearchFilters(q=tail, search_in=(SearchField.ID,)))
        floor = self._sql(FLOORS["id"], work_order=key)
        return self._measured(
            "last 8 digits of an id", ours, self._sql(REFERENCE["id"], pattern=f"%{tail}%"), floor
        )

    def _log(self, name: str, term: str) -> Case:
        filters = SearchFilters(q=term, search_in=LOG)
        reference = self._sql(REFERENCE["log"], query=f"{term}:*")
        return self._measured(name, self._ours(filters), reference, self._sql(FLOORS["list"]), self._period())

    def _body(self) -> Case:
        word = generated.WORDS[2_000]
        filters = SearchFilters(q=word, search_in=BODY)
        reference, floor = self._sql(REFERENCE["body"], query=f"{word}:*"), self._sql(FLOORS["list"])
        case = self._measured("term in bodies", self._ours(filters), reference, floor, self._period())
        # We also look at what a run itself was given, so the rows may be more.
        case.same_rows = None
        return case

    def _everywhere(self) -> Case:
        word = generated.NEEDLE
        reference = self._sql(REFERENCE["everywhere"], query=f"{word}:*", pattern=f"%{word}%")
        ours, floor = self._ours(SearchFilters(q=word)), self._sql(FLOORS["list"])
        case = self._measured("term in all fields, rare", ours, reference, floor, self._period())
        return _judged(case, case.ours.median <= case.reference.median / 3_000, "≤ 1/3,000 of reference")

    def _ours(self, filters: SearchFilters, cursor: str | None = None) -> Ask:
        def ask() -> Ids:
            return [row.id for row in workorders.search(self.project, filters, cursor).items]

        return ask

    def _sql(self, statement: str, **values: Any) -> Ask:
        given = self.values | values

        def ask() -> Ids | None:
            try:
                return [row[0] for row in self.plain.execute(statement, given).fetchall()]
            except psycopg.errors.QueryCanceled:
                return None  # as slow as `runner.PATIENCE`, or slower

        return ask

    def _period(self) -> int:
        """Rows that a search by words may read: those of the newest periods in four tables."""
        row = self.plain.execute(
            "SELECT count(*) FROM work_orders WHERE project_id = %(project)s AND last_activity >= %(since)s",
            self.values | {"since": clock.now() - timedelta(weeks=8)},
        ).fetchone()
        return max(capture.MOST_SCANNED, 4 * row[0] if row else 0)

    def _measured(
        self, name: str, ours: Ask, reference: Ask | None, floor: Ask, allowed: int = capture.ALWAYS_FINE
    ) -> Case:
        """Take the three in turns, warm; rows are compared and plans looked at before the clock runs."""
        case = Case(name)
        with capture.sent() as found:
            mine = ours()
        session().rollback()
        case.plans = capture.checked(found, allowed)
        theirs = reference() if reference else None
        case.same_rows = None if theirs is None or mine is None else set(mine) == set(theirs)
        sides: list[tuple[Series, Ask | None]] = [
            (case.reference, reference),
            (case.ours, ours),
            (case.floor, floor),
        ]
        end = time.perf_counter() + SECONDS
        for _ in range(self.rounds):
            for series, ask in sides:
                if ask is not None:
                    series.seconds.append(_timed(ask))
            if time.perf_counter() > end:
                break
        return case


def _timed(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    taken = time.perf_counter() - begun
    session().rollback()
    return taken


def _judged(case: Case, passed: bool, target: str) -> Case:
    case.passed, case.target = passed, target
    return case
