"""Work orders whose logs or inputs hold the words of a term (workorders §9.3, performance §3).

First the next work orders of the list are looked at; then the index is asked period by
period, in the order of the list, until the page is full. It knows words, not their
places: each candidate's own text decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from portal.core import clock, db
from portal.workorders import listing
from portal.workorders.inputs import SearchField
from portal.workorders.listing import Key, Wanted, where
from portal.workorders.terms import bucket_of, gist_pattern, phrase_text, words_query

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound.

_SPAN = sa.text("""
    SELECT tsvector_to_array(to_tsvector('pg_catalog.simple', :term)),
        (SELECT last_activity FROM work_orders WHERE project_id = :project_id
            ORDER BY last_activity, id LIMIT 1),
        (SELECT last_activity FROM work_orders WHERE project_id = :project_id
            ORDER BY last_activity DESC, id DESC LIMIT 1)
""")
_MATCHES = {
    SearchField.LOG: "search_logs_match(u.run_id, to_tsquery('pg_catalog.simple', :phrase), :gist)",
    SearchField.BODY: "search_inputs_match(u.run_id, to_tsquery('pg_catalog.simple', :phrase), :gist)",
}
_COLUMNS = {SearchField.LOG: "logs", SearchField.BODY: "bodies"}
# So many of the list's next work orders are looked at one by one before the index is asked: a word that
# stands in many is found there, and a short list needs no index at all.
NEAR = (100, 400)


@dataclass(frozen=True, slots=True)
class Words:
    """A term's words as the index spells them, where to look, and the periods that have work orders."""

    term: str
    places: tuple[SearchField, ...]
    lexemes: list[str]
    oldest: int
    newest: int

    @property
    def values(self) -> dict[str, Any]:
        """What every statement about this term is bound to."""
        return {"phrase": phrase_text(self.term), "gist": gist_pattern(self.term)}


def keys(wanted: Wanted) -> list[Key]:
    """The first keys of work orders whose logs or input bodies hold the term, as the filters' places say."""
    words = _words(wanted)
    limit = wanted.limit
    if words is None or limit is None:
        return []
    found: list[Key] = []
    for size in NEAR:
        near = listing.keys(replace(wanted, limit=size))
        hits = _run(_among(wanted, words, near))
        found += hits
        if len(found) >= limit or len(near) < size:
            return found[:limit]
        wanted = replace(wanted, after=near[-1])
        if len(hits) * 10 < size:
            break
    for buckets in stages(wanted, words):
        found += _run(_indexed(wanted, words, buckets))
        if len(found) >= limit:
            break
    return found[:limit]


def keys_sql(wanted: Wanted) -> tuple[str, dict[str, Any]] | None:
    """One statement (columns id, at) for all that `keys` would find without a limit; None for nothing."""
    words = _words(wanted)
    return _indexed(wanted, words, range(words.oldest, words.newest + 1)) if words else None


def _run(statement: tuple[str, dict[str, Any]]) -> list[Key]:
    return [Key(at, id_) for id_, at in db.session().execute(sa.text(statement[0]), statement[1])]


def _words(wanted: Wanted) -> Words | None:
    term, places = wanted.filters.q, tuple(place for place in _COLUMNS if place in wanted.filters.search_in)
    if not places:
        return None
    row = db.session().execute(_SPAN, {"term": term, "project_id": wanted.project_id}).one()
    lexemes, oldest, newest = row
    if not lexemes or oldest is None:
        return None
    return Words(term, places, lexemes, bucket_of(oldest), max(bucket_of(newest), bucket_of(clock.now())))


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


def _among(wanted: Wanted, words: Words, near: list[Key]) -> tuple[str, dict[str, Any]]:
    """The statement for those of some given work orders that hold the term."""
    # An expression instead of the column: one index look for each work order would be far dearer.
    matches = " OR ".join(
        f"coalesce(s.{_COLUMNS[place]}, '') @@ CAST(:words AS tsquery)" for place in words.places
    )
    candidates = f"""
        SELECT k.id, k.at, m.runs
        FROM unnest(CAST(:near_ids AS uuid[]), CAST(:near_ats AS timestamptz[])) AS k (id, at)
        CROSS JOIN LATERAL (
            SELECT array_agg(DISTINCT s.run_id) AS runs FROM run_search AS s
            WHERE s.work_order_id = k.id AND ({matches})
        ) AS m
        WHERE m.runs IS NOT NULL"""
    query = words_query(wanted.project_number, range(words.oldest, words.newest + 1), words.lexemes)
    near_values = {"near_ids": [key.id for key in near], "near_ats": [key.at for key in near]}
    return _rechecked(wanted, words, candidates), words.values | near_values | {"words": query}


def _indexed(wanted: Wanted, words: Words, buckets: Iterable[int]) -> tuple[str, dict[str, Any]]:
    """The statement for what the index knows of some periods."""
    found = where(wanted)
    matches = " OR ".join(f"s.{_COLUMNS[place]} @@ CAST(:words AS tsquery)" for place in words.places)
    candidates = f"""
        SELECT w.id, w.{wanted.filters.sort.column} AS at, m.runs
        FROM (
            SELECT s.work_order_id, array_agg(DISTINCT s.run_id) AS runs FROM run_search AS s
            WHERE s.project_id = :project_id AND ({matches})
            GROUP BY s.work_order_id
        ) AS m
        JOIN work_orders AS w ON w.id = m.work_order_id
        WHERE {found}"""
    query = words_query(wanted.project_number, buckets, words.lexemes)
    return _rechecked(wanted, words, candidates), found.values | words.values | {"words": query}


def _rechecked(wanted: Wanted, words: Words, candidates: str) -> str:
    """The candidates whose own text holds the phrase, in order, until the limit is reached."""
    matches = " OR ".join(_MATCHES[place] for place in words.places)
    # OFFSET 0 keeps the planner from rechecking before it has sorted; a scalar subquery cannot become a join.
    return f"""
        SELECT c.id, c.at FROM ({candidates} ORDER BY {wanted.order} OFFSET 0) AS c
        WHERE coalesce((SELECT true FROM unnest(c.runs) AS u (run_id) WHERE {matches} LIMIT 1), false)
        ORDER BY {wanted.order}{wanted.limit_sql}"""
