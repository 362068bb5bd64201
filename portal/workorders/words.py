"""Work orders whose logs or inputs hold the words of a term (workorders §9.3, performance §3).

The index is asked period by period, in the order of the list, until the page is full.
It knows words, not their places: each candidate's own text decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.core import clock, db
from portal.workorders.inputs import SearchField
from portal.workorders.listing import Key, Wanted, first, where
from portal.workorders.terms import bucket_of, phrase_text, words_query

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound.

_SPAN = sa.text("""
    SELECT tsvector_to_array(to_tsvector('pg_catalog.simple', :term)),
        (SELECT last_activity FROM work_orders WHERE project_id = :project_id
            ORDER BY last_activity, id LIMIT 1),
        (SELECT last_activity FROM work_orders WHERE project_id = :project_id
            ORDER BY last_activity DESC, id DESC LIMIT 1)
""")
# Scalar subqueries, which the planner cannot turn into joins: they are run candidate by candidate, in order.
_RECHECKS = {
    SearchField.LOG: """coalesce((SELECT true FROM unnest(c.runs) AS u (run_id)
        JOIN log_lines AS l ON l.run_id = u.run_id
        WHERE search_text_matches(l.message, to_tsquery('pg_catalog.simple', :phrase)) LIMIT 1), false)""",
    SearchField.BODY: """coalesce((SELECT true FROM unnest(c.runs) AS u (run_id)
        CROSS JOIN LATERAL (
            SELECT r.dataclip_id FROM runs AS r WHERE r.id = u.run_id
            UNION SELECT s.input_dataclip_id FROM run_steps AS rs JOIN steps AS s ON s.id = rs.step_id
            WHERE rs.run_id = u.run_id) AS i
        JOIN dataclip_bodies AS b ON b.dataclip_id = i.dataclip_id
        WHERE search_body_matches(b.body, to_tsquery('pg_catalog.simple', :phrase)) LIMIT 1), false)""",
}
_COLUMNS = {SearchField.LOG: "logs", SearchField.BODY: "bodies"}


@dataclass(frozen=True, slots=True)
class Words:
    """The term's words as the index spells them, and the periods in which the project has work orders."""

    lexemes: list[str]
    oldest: int
    newest: int


def keys(wanted: Wanted) -> list[Key]:
    """The first keys of work orders whose logs or input bodies hold the term, as the filters' places say."""
    places = [place for place in _COLUMNS if place in wanted.filters.search_in]
    words = _words(wanted) if places else None
    if words is None:
        return []
    found: list[Key] = []
    for buckets in stages(wanted, words):
        statement, values = _stage(wanted, places, words_query(wanted.project_number, buckets, words.lexemes))
        found += [Key(at, id_) for id_, at in db.session().execute(sa.text(statement), values)]
        if wanted.limit is not None and len(found) >= wanted.limit:
            break
    return first(wanted, found)


def _words(wanted: Wanted) -> Words | None:
    row = db.session().execute(_SPAN, {"term": wanted.filters.q, "project_id": wanted.project_id}).one()
    lexemes, oldest, newest = row
    if not lexemes or oldest is None:
        return None
    return Words(lexemes, bucket_of(oldest), max(bucket_of(newest), bucket_of(clock.now())))


def stages(wanted: Wanted, words: Words) -> Iterator[list[int]]:
    """Groups of periods to ask one after another: one, two, then all others; other orders ask all at once."""
    filters = wanted.filters
    newest, oldest = words.newest, words.oldest
    in_order = filters.sort.column == "last_activity"
    after = bucket_of(wanted.after.at) if wanted.after and in_order else None
    if filters.active_to:
        newest = min(newest, bucket_of(filters.active_to))
    if filters.active_from:
        oldest = max(oldest, bucket_of(filters.active_from))
    if after is not None:
        newest, oldest = (
            (min(newest, after), oldest) if filters.sort.descending else (newest, max(oldest, after))
        )
    buckets = list(range(oldest, newest + 1))
    if filters.sort.descending:
        buckets.reverse()
    groups = [buckets[:1], buckets[1:3], buckets[3:]] if in_order and wanted.limit is not None else [buckets]
    yield from (group for group in groups if group)


def keys_sql(wanted: Wanted) -> tuple[str, dict[str, Any]] | None:
    """One statement (columns id, at) for all that `keys` would find without a limit; None for nothing."""
    places = [place for place in _COLUMNS if place in wanted.filters.search_in]
    words = _words(wanted) if places else None
    if words is None:
        return None
    buckets = range(words.oldest, words.newest + 1)
    return _stage(wanted, places, words_query(wanted.project_number, buckets, words.lexemes))


def _stage(wanted: Wanted, places: list[SearchField], query: str) -> tuple[str, dict[str, Any]]:
    found = where(wanted)
    matches = " OR ".join(f"s.{_COLUMNS[place]} @@ CAST(:words AS tsquery)" for place in places)
    statement = f"""
        SELECT c.id, c.at FROM (
            SELECT w.id, w.{wanted.filters.sort.column} AS at, m.runs
            FROM (
                SELECT s.work_order_id, array_agg(DISTINCT s.run_id) AS runs FROM run_search AS s
                WHERE s.project_id = :project_id AND ({matches})
                GROUP BY s.work_order_id
            ) AS m
            JOIN work_orders AS w ON w.id = m.work_order_id
            WHERE {found}
            ORDER BY {wanted.order}
            OFFSET 0
        ) AS c
        WHERE {" OR ".join(_RECHECKS[place] for place in places)}
        ORDER BY {wanted.order}{wanted.limit_sql}
    """
    return statement, found.values | {"words": query, "phrase": phrase_text(wanted.filters.q)}
