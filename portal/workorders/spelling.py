"""The words of all terms as the index spells them, and the periods in which a project has work orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from portal.core import clock, db
from portal.workorders.inputs import SearchField
from portal.workorders.listing import Wanted
from portal.workorders.terms import bucket_of, words_query

WORDY = (SearchField.LOG, SearchField.BODY)
_SPELL = sa.text("""
    SELECT (SELECT json_agg(tsvector_to_array(to_tsvector('pg_catalog.simple', t.term)) ORDER BY t.place)
            FROM unnest(CAST(:terms AS text[])) WITH ORDINALITY AS t (term, place)),
        (SELECT last_activity FROM work_orders WHERE project_id = :project_id
            ORDER BY last_activity, id LIMIT 1),
        (SELECT last_activity FROM work_orders WHERE project_id = :project_id
            ORDER BY last_activity DESC, id DESC LIMIT 1)
""")


@dataclass(frozen=True, slots=True)
class Spelled:
    """The lexemes of each term, and the project's first and last period (none when `first` > `last`)."""

    project_number: int
    lexemes: dict[str, list[str]]
    first: int
    last: int

    @property
    def buckets(self) -> list[int]:
        """All periods, oldest first."""
        return list(range(self.first, self.last + 1))

    def query(self, term: str, buckets: Sequence[int]) -> str | None:
        """The tsquery for rows with the words of `term` in any of `buckets`; None when there can be none."""
        lexemes = self.lexemes.get(term)
        if not lexemes or not buckets:
            return None
        return words_query(self.project_number, buckets, lexemes)


def spell(wanted: Wanted) -> Spelled:
    """Read the words of all terms that are sought in logs or bodies; one statement, or none without any."""
    filters = wanted.filters
    texts = {term.text for term in filters.terms if term.field in WORDY}
    if filters.q and any(place in WORDY for place in filters.search_in):
        texts.add(filters.q)
    if not texts:
        return Spelled(wanted.project_number, {}, 0, -1)
    terms = sorted(texts)
    values = {"terms": terms, "project_id": wanted.project_id}
    lexemes, oldest, newest = db.session().execute(_SPELL, values).one()
    known = dict(zip(terms, lexemes, strict=True))
    if oldest is None:
        return Spelled(wanted.project_number, known, 0, -1)
    last = max(bucket_of(newest), bucket_of(clock.now()))
    return Spelled(wanted.project_number, known, bucket_of(oldest), last)
