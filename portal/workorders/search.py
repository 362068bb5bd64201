"""Searching the history: a page of rows, and a total that stops counting early (workorders §9)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from psycopg.errors import QueryCanceled
from sqlalchemy.exc import OperationalError

from portal.core import db, paging
from portal.core.errors import Invalid, Unavailable
from portal.core.failures import SLOW
from portal.core.limits import limits
from portal.core.text import N_
from portal.projects import Project
from portal.workorders import history, listing, places, spelling, words
from portal.workorders.evidence import evidence_of
from portal.workorders.history import HistoryRow
from portal.workorders.inputs import SearchField, SearchFilters
from portal.workorders.listing import Key, Wanted, Where

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound.

MOST_COUNTED = 10_000
MOST_COUNTED_WITH_TERM = 50
# A plan for any value would do badly for words, dates and errors: how many rows have them differs by far.
# A page is all that is wanted: to join it by reading all work orders of a project is never right.
_BE_PATIENT = sa.text("""
    SELECT set_config('statement_timeout', '30s', true),
        set_config('plan_cache_mode', 'force_custom_plan', true),
        set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
""")


@dataclass(frozen=True, slots=True)
class Total:
    """How many work orders pass; with `more`, at least that many and counting stopped there."""

    count: int
    more: bool


def search(
    project: Project, filters: SearchFilters, cursor: str | None = None, size: int | None = None
) -> paging.Page[HistoryRow]:
    """One page of the project's work orders that pass the filters, each once, with why the term found it.

    `cursor` is the `next_cursor` of the page before; `size` 25 unless told. The number of
    statements does not depend on the number of rows. Raises Invalid on `cursor` for one of
    another list or other filters, Unavailable when the search takes more than 30 seconds.
    """
    size = size or limits().page_size
    scope = _scope(project.id, filters)
    after = _read_cursor(scope, cursor) if cursor else None
    wanted = Wanted(project.id, project.number, filters, after, size + 1)
    with _patience(filters):
        page = paging.page_of(find_keys(wanted), size, lambda key: _cursor(scope, key))
        return page.map(lambda found: _rows(project.id, filters, [key.id for key in found]))


def count(project: Project, filters: SearchFilters) -> Total:
    """How many work orders pass; counted to 10,000, with a term to 50 (workorders §9.4).

    Raises Unavailable when it takes more than 30 seconds.
    """
    most = MOST_COUNTED_WITH_TERM if filters.sought else MOST_COUNTED
    wanted = Wanted(project.id, project.number, filters, limit=most + 1)
    with _patience(filters):
        found = len(find_keys(wanted)) if filters.sought else _count_plain(wanted)
    return Total(min(found, most), found > most)


def find_keys(wanted: Wanted) -> list[Key]:
    """The first keys that pass all filters, the terms included; a term that is sought nowhere finds nothing.

    Each place of the term gives its own first keys, and the first of all these are the answer.
    """
    wanted = places.led(wanted)
    spelled = spelling.spell(wanted)
    asked = places.further(wanted, spelled, "w.id")
    if asked is None:
        return []
    if not wanted.filters.q:
        return listing.keys(wanted, asked)
    found = [listing.keys(wanted, condition) for condition in _conditions(wanted, asked)]
    return listing.first(wanted, words.keys(wanted, spelled), *found)


def patient_keys(wanted: Wanted) -> list[Key]:
    """As `find_keys`. Raises Unavailable when it takes more than 30 seconds."""
    with _patience(wanted.filters):
        return find_keys(wanted)


def all_keys_sql(wanted: Wanted) -> tuple[str, dict[str, Any]] | None:
    """One statement (columns id, at) for all keys that pass, each once and in order; None for nothing."""
    wanted = places.led(wanted)
    spelled = spelling.spell(wanted)
    asked = places.further(wanted, spelled, "w.id")
    if asked is None:
        return None
    if not wanted.filters.q:
        return listing.keys_sql(wanted, asked)
    parts = [words.keys_sql(wanted, spelled)]
    parts += [listing.keys_sql(wanted, condition) for condition in _conditions(wanted, asked)]
    given = [part for part in parts if part is not None]
    if not given:
        return None
    union = " UNION ".join(f"({statement})" for statement, _ in given)
    values = {name: value for _, some in given for name, value in some.items()}
    return f"SELECT u.id, u.at FROM ({union}) AS u ORDER BY {wanted.order}", values


def _conditions(wanted: Wanted, asked: Where) -> Iterator[Where]:
    """The places without words of the leading term, each with what the further terms ask."""
    term, sought_in = wanted.filters.q, wanted.filters.search_in
    if SearchField.NAME in sought_in:
        yield places.of_names(term) + asked
    if SearchField.ID in sought_in:
        for condition in places.of_ids(term):
            yield condition + asked


def _count_plain(wanted: Wanted) -> int:
    statement, values = listing.keys_sql(wanted)
    counted = listing.text(f"SELECT count(*) FROM ({statement}) AS k")
    return int(db.session().scalar(counted, values) or 0)


def _rows(project_id: uuid.UUID, filters: SearchFilters, ids: list[uuid.UUID]) -> list[HistoryRow]:
    found = history.rows(project_id, ids)
    if not filters.sought:
        return found
    named = [(row.id, row.dataclip.name if row.dataclip else None) for row in found]
    why = evidence_of(project_id, filters, named)
    return [replace(row, evidence=why[row.id]) for row in found]


@contextmanager
def _patience(filters: SearchFilters) -> Iterator[None]:
    """Give each statement of a search 30 seconds and a plan of its own; past them, say so for people.

    Lists by state and workflow alone need neither, and are spared the statement that asks for it.
    The savepoint keeps the request's transaction usable for the page that says it.
    """
    if filters.quick:
        yield
        return
    try:
        with db.session().begin_nested():
            db.session().execute(_BE_PATIENT)
            yield
    except OperationalError as error:
        if isinstance(error.orig, QueryCanceled):
            raise Unavailable(SLOW) from error
        raise


def _scope(project_id: uuid.UUID, filters: SearchFilters) -> str:
    told = hashlib.sha256(filters.query_string().encode()).hexdigest()[:16]
    return f"history:{project_id}:{told}"


def _cursor(scope: str, key: Key) -> str:
    return paging.encode(scope, [key.at.isoformat(), str(key.id)])


def _read_cursor(scope: str, cursor: str) -> Key:
    try:
        at, id_ = paging.decode(scope, cursor)
        return Key(datetime.fromisoformat(at), uuid.UUID(id_))
    except ValueError as error:
        raise Invalid({"cursor": [N_("This list has changed. Open it anew.")]}) from error
