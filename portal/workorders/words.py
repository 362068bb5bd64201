"""Work orders whose logs or inputs hold the words of a term (workorders §9.3, performance §3).

First the next work orders of the list are looked at; then the index is asked period by
period, in the order of the list, until the page is full. It knows words, not their
places: each candidate's own text decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from portal.core import db
from portal.workorders import listing, places
from portal.workorders.inputs import SearchField
from portal.workorders.listing import Key, Wanted, where
from portal.workorders.places import COLUMNS, MATCHES
from portal.workorders.spelling import Spelled
from portal.workorders.terms import bucket_of, gist_pattern, phrase_text

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound.

# So many of the list's next work orders are looked at one by one before the index is asked: a word that
# stands in many is found there, and a short list needs no index at all.
NEAR = (100, 400)

Statement = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sought:
    """The leading term, its places with words, and what the further terms ask of `c.id`."""

    wanted: Wanted
    spelled: Spelled
    places: tuple[SearchField, ...]
    asked: listing.Where

    @property
    def values(self) -> dict[str, Any]:
        """What every statement about these terms is bound to."""
        term = self.wanted.filters.q
        return {"phrase": phrase_text(term), "gist": gist_pattern(term)} | self.asked.values

    def query(self, buckets: list[int]) -> str:
        """The leading term's words in some periods."""
        return self.spelled.query(self.wanted.filters.q, buckets) or ""

    def matches(self, column: str, name: str) -> str:
        """The condition that a search row holds the words, in any of the places."""
        return " OR ".join(
            f"{column.format(COLUMNS[place])} @@ CAST(:{name} AS tsquery)" for place in self.places
        )


def keys(wanted: Wanted, spelled: Spelled) -> list[Key]:
    """The first keys of work orders whose logs or input bodies hold the term, as the filters' places say."""
    sought, limit = _sought(wanted, spelled), wanted.limit
    if sought is None or limit is None:
        return []
    found: list[Key] = []
    for size in NEAR:
        hits, last = _near(sought, size, limit)
        found += hits
        if len(found) >= limit or last is None:
            return found[:limit]
        sought = replace(sought, wanted=replace(sought.wanted, after=last))
        if len(hits) * 10 < size:
            break
    statement, values = _staged(sought, stages(sought.wanted, spelled))
    rest = db.session().execute(listing.text(statement), values) if statement else ()
    return (found + [Key(at, id_) for id_, at in rest])[:limit]


def keys_sql(wanted: Wanted, spelled: Spelled) -> Statement | None:
    """One statement (columns id, at) for all that `keys` would find without a limit; None for nothing."""
    sought = _sought(wanted, spelled)
    return _indexed(sought, spelled.buckets, 0) if sought else None


def _sought(wanted: Wanted, spelled: Spelled) -> Sought | None:
    """None when no place with words is asked for, or the term has no words, or the project no work orders."""
    found = tuple(place for place in COLUMNS if place in wanted.filters.search_in)
    asked = places.further(wanted, spelled, "c.id")
    if not found or asked is None or spelled.query(wanted.filters.q, spelled.buckets) is None:
        return None
    return Sought(wanted, spelled, found, asked)


def stages(wanted: Wanted, spelled: Spelled) -> Iterator[list[int]]:
    """Groups of periods to ask one after another: one, two, then all others; other orders ask all at once."""
    filters = wanted.filters
    newest, oldest = spelled.last, spelled.first
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


def _near(sought: Sought, size: int, limit: int) -> tuple[list[Key], Key | None]:
    """Those of the next `size` work orders that hold the terms, and the last of them all (None: fewer)."""
    near, values = listing.keys_sql(replace(sought.wanted, limit=size))
    # An expression instead of the column: one index look for each work order would be far dearer.
    matches = sought.matches("coalesce(s.{}, '')", "words")
    candidates = f"""
        SELECT k.id, k.at, m.runs
        FROM near AS k
        CROSS JOIN LATERAL (
            SELECT array_agg(DISTINCT s.run_id) AS runs FROM run_search AS s
            WHERE s.work_order_id = k.id AND ({matches})
        ) AS m
        WHERE m.runs IS NOT NULL"""
    statement = f"""
        WITH near AS MATERIALIZED ({near})
        (SELECT h.id, h.at, true AS hit FROM ({_rechecked(sought, candidates)}) AS h)
        UNION ALL (SELECT e.id, e.at, false FROM near AS e OFFSET {int(size) - 1} LIMIT 1)"""
    values |= sought.values | {"words": sought.query(sought.spelled.buckets)}
    rows = db.session().execute(listing.text(statement), values).all()
    hits = [Key(row.at, row.id) for row in rows if row.hit][:limit]
    ends: list[tuple[datetime, Any]] = [(row.at, row.id) for row in rows if not row.hit]
    return hits, Key(*ends[0]) if ends else None


def _staged(sought: Sought, groups: Iterator[list[int]]) -> Statement:
    """One statement for what the index knows, group after group; a group is asked when the page needs it."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    for stage, buckets in enumerate(groups):
        statement, given = _indexed(sought, buckets, stage)
        parts.append(f"({statement})")
        values |= given
    # The parts stay in this order, for nothing sorts them again: a full page needs no later part.
    if not parts:
        return "", values
    return f"SELECT a.id, a.at FROM ({' UNION ALL '.join(parts)}) AS a{sought.wanted.limit_sql}", values


def _indexed(sought: Sought, buckets: list[int], stage: int) -> Statement:
    """The statement for what the index knows of some periods."""
    wanted = sought.wanted
    found = where(wanted)
    narrow = places.narrowing(wanted, sought.spelled, buckets, stage)
    for condition in narrow.conditions:
        found.add(condition)
    candidates = f"""
        SELECT w.id, w.{wanted.filters.sort.column} AS at, m.runs
        FROM (
            SELECT s.work_order_id, array_agg(DISTINCT s.run_id) AS runs FROM run_search AS s
            WHERE s.project_id = :project_id AND ({sought.matches("s.{}", f"words_in_{stage}")})
            GROUP BY s.work_order_id
        ) AS m
        JOIN work_orders AS w ON w.id = m.work_order_id
        WHERE {found}"""
    values = found.values | narrow.values | sought.values | {f"words_in_{stage}": sought.query(buckets)}
    return _rechecked(sought, candidates), values


def _rechecked(sought: Sought, candidates: str) -> str:
    """The candidates whose own text holds the phrase, in order, until the limit is reached."""
    wanted = sought.wanted
    matches = " OR ".join(
        MATCHES[place].format(run="u.run_id", phrase=":phrase", gist=":gist") for place in sought.places
    )
    conditions = [
        f"coalesce((SELECT true FROM unnest(c.runs) AS u (run_id) WHERE {matches} LIMIT 1), false)",
        *sought.asked.conditions,
    ]
    # OFFSET 0 keeps the planner from rechecking before it has sorted; a scalar subquery cannot become a join.
    return f"""
        SELECT c.id, c.at FROM ({candidates} ORDER BY {wanted.order} OFFSET 0) AS c
        WHERE {" AND ".join(conditions)}
        ORDER BY {wanted.order}{wanted.limit_sql}"""
