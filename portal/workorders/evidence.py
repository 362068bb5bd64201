"""Why a work order is among the results: the place that answered, and a short piece of it, marked."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from portal import dataclips
from portal.core import db
from portal.workorders import listing, step_secrets
from portal.workorders.inputs import SearchField, SearchFilters
from portal.workorders.terms import IdTerm, gist_pattern, id_term, phrase_text

Segments = tuple[tuple[str, bool], ...]
LONGEST = 240
AROUND = 60
# Marks that cannot stand in a stored line: control characters are removed at the door, or escaped by JSON.
START, STOP = "\x02", "\x03"
_ESCAPES = re.compile(r'\\["\\nrtbf]')
_OPTIONS = f'StartSel="{START}", StopSel="{STOP}", MaxWords=24, MinWords=12, ShortWord=0'


@dataclass(frozen=True, slots=True)
class Evidence:
    """One place that answered. `segments` are pieces of text, true where they match.

    `item` says what it stands in: a log, body, name, or the id of a work_order, run or step;
    `run_id` is the run, where there is one. Segments may be empty: found, but not showable.
    """

    field: SearchField
    item: str
    segments: Segments
    run_id: uuid.UUID | None = None


_LOGS = """
    SELECT k.id, 'log' AS field, e.run_id, e.snippet, CAST(NULL AS uuid) AS dataclip_id
    FROM unnest(CAST(:ids AS uuid[])) AS k (id) CROSS JOIN LATERAL (
        SELECT s.run_id, s.snippet
        FROM (
            SELECT r.id AS run_id, r.inserted_at,
                search_log_snippet(r.id, q.phrase, :gist, :options) AS snippet
            FROM runs AS r WHERE r.work_order_id = k.id AND r.project_id = :project_id
        ) AS s
        WHERE s.snippet IS NOT NULL
        ORDER BY s.inserted_at DESC LIMIT 1
    ) AS e"""
_BODIES = """
    SELECT k.id, 'body' AS field, e.run_id,
        ts_headline('pg_catalog.simple', search_piece(search_body_text(e.body), q.phrase), q.phrase, :options)
            AS snippet,
        e.dataclip_id
    FROM unnest(CAST(:ids AS uuid[])) AS k (id) CROSS JOIN LATERAL (
        SELECT r.id AS run_id, b.body, b.dataclip_id
        FROM runs AS r
        CROSS JOIN LATERAL (
            SELECT r.dataclip_id
            UNION SELECT s.input_dataclip_id FROM run_steps AS rs JOIN steps AS s ON s.id = rs.step_id
            WHERE rs.run_id = r.id) AS i
        JOIN dataclip_bodies AS b ON b.dataclip_id = i.dataclip_id
        WHERE r.work_order_id = k.id AND r.project_id = :project_id
            AND b.body::text ILIKE :gist AND search_body_matches(b.body, q.phrase)
        ORDER BY r.inserted_at DESC, b.dataclip_id LIMIT 1
    ) AS e"""
_TEXTS = {SearchField.LOG: _LOGS, SearchField.BODY: _BODIES}
_BODY_TEXTS = sa.text("""
    SELECT dataclip_id, CAST(body AS text) FROM dataclip_bodies WHERE dataclip_id = ANY(:ids)
""")
_SNIPPETS = sa.text("""
    SELECT t.id, ts_headline('pg_catalog.simple', search_piece(t.text, q.phrase), q.phrase, :options)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:texts AS text[])) AS t (id, text)
    CROSS JOIN to_tsquery('pg_catalog.simple', :phrase) AS q (phrase)
""")
_IDS = sa.text("""
    SELECT found.work_order_id, found.item, found.id, found.run_id
    FROM (
        SELECT r.work_order_id, 'run' AS item, r.id, r.id AS run_id FROM runs AS r
        WHERE r.work_order_id = ANY(:ids) AND r.project_id = :project_id
        UNION ALL
        SELECT r.work_order_id, 'step', rs.step_id, r.id
        FROM runs AS r JOIN run_steps AS rs ON rs.run_id = r.id
        WHERE r.work_order_id = ANY(:ids) AND r.project_id = :project_id
    ) AS found
    WHERE replace(CAST(found.id AS text), '-', '') LIKE ANY(:patterns)
    ORDER BY found.item, found.id
""")


def evidence_of(
    project_id: uuid.UUID, filters: SearchFilters, found: Sequence[tuple[uuid.UUID, str | None]]
) -> dict[uuid.UUID, tuple[Evidence, ...]]:
    """For each found work order (id, name of its input) the places that answered to the term.

    At most one piece for each place of the plain term, and one for each further term.
    Two statements for each term, however many work orders.
    """
    gathered: dict[uuid.UUID, list[Evidence]] = {id_: [] for id_, _ in found}
    for asked in _each_term(filters) if gathered else ():
        for id_, places in _of_term(project_id, asked, found).items():
            gathered[id_] += places.values()
    return {id_: tuple(pieces) for id_, pieces in gathered.items()}


def _each_term(filters: SearchFilters) -> Iterator[SearchFilters]:
    """Each term that must be found, as if it were the plain one."""
    if filters.q:
        yield filters
    for term in filters.terms:
        if not term.negated:
            yield filters.model_copy(update={"q": term.text, "search_in": (term.field,)})


def _of_term(
    project_id: uuid.UUID, filters: SearchFilters, found: Sequence[tuple[uuid.UUID, str | None]]
) -> dict[uuid.UUID, dict[SearchField, Evidence]]:
    ids = [id_ for id_, _ in found]
    gathered: dict[uuid.UUID, dict[SearchField, Evidence]] = {id_: {} for id_ in ids}
    for id_, evidence in (
        *_of_ids(project_id, filters, ids),
        *_of_names(filters, found),
        *_of_texts(project_id, filters, ids),
    ):
        gathered[id_].setdefault(evidence.field, evidence)
    return gathered


def _of_ids(
    project_id: uuid.UUID, filters: SearchFilters, ids: list[uuid.UUID]
) -> Iterator[tuple[uuid.UUID, Evidence]]:
    term = id_term(filters.q) if SearchField.ID in filters.search_in else None
    if term is None:
        return
    for id_ in ids:
        if segments := mark_id(id_, term):
            yield id_, Evidence(SearchField.ID, "work_order", segments)
    patterns = [f"{term.digits}%"] + ([f"%{term.tail}"] if term.tail else [])
    values = {"ids": ids, "project_id": project_id, "patterns": patterns}
    for work_order_id, item, id_, run_id in db.session().execute(_IDS, values):
        yield work_order_id, Evidence(SearchField.ID, item, mark_id(id_, term), run_id)


def _of_names(
    filters: SearchFilters, found: Sequence[tuple[uuid.UUID, str | None]]
) -> Iterator[tuple[uuid.UUID, Evidence]]:
    if SearchField.NAME not in filters.search_in:
        return
    for id_, name in found:
        if name and (segments := mark_text(name, filters.q)):
            yield id_, Evidence(SearchField.NAME, "name", segments)


def _of_texts(
    project_id: uuid.UUID, filters: SearchFilters, ids: list[uuid.UUID]
) -> Iterator[tuple[uuid.UUID, Evidence]]:
    parts = [_TEXTS[place] for place in _TEXTS if place in filters.search_in]
    if not parts:
        return
    statement = listing.text(
        "WITH q AS MATERIALIZED (SELECT to_tsquery('pg_catalog.simple', :phrase) AS phrase) "
        + " UNION ALL ".join(
            part.replace("AS k (id) CROSS", "AS k (id) CROSS JOIN q CROSS", 1) for part in parts
        )
    )
    texts = {"phrase": phrase_text(filters.q), "gist": gist_pattern(filters.q), "options": _OPTIONS}
    values = {"ids": ids, "project_id": project_id} | texts
    found = db.session().execute(statement, values).all()
    hidden = _without_secrets({row.dataclip_id for row in found if row.dataclip_id}, texts)
    for row in found:
        snippet = hidden.get(row.dataclip_id, row.snippet)
        segments = shortened(split_marks(snippet or ""))
        yield row.id, Evidence(SearchField(row.field), row.field, segments, row.run_id)


def _without_secrets(dataclip_ids: set[uuid.UUID], texts: dict[str, str]) -> dict[uuid.UUID, str | None]:
    """Snippets anew from texts without secrets, for bodies that may hold some (dataclips-and-accounts §1.11).

    A snippet that was cut out already could begin in the middle of a secret.
    """
    secrets = step_secrets.secrets_of_step_output(dataclip_ids) if dataclip_ids else {}
    if not secrets:
        return {}
    bodies = db.session().execute(_BODY_TEXTS, {"ids": list(secrets)})
    shown = {id_: dataclips.scrub(text or "", secrets[id_]) for id_, text in bodies}
    values = {
        "ids": list(shown),
        # As the SQL function search_body_text does, which cannot read what is no JSON any more.
        "texts": [_ESCAPES.sub(" ", text) for text in shown.values()],
        "phrase": texts["phrase"],
        "options": texts["options"],
    }
    return dict.fromkeys(secrets) | {row[0]: row[1] for row in db.session().execute(_SNIPPETS, values)}


def mark_id(id_: uuid.UUID, term: IdTerm) -> Segments:
    """The id as text with the typed digits marked, at its beginning or end; empty when it has neither."""
    shown, size = str(id_), len(term.digits)
    places = [place for place, sign in enumerate(shown) if sign != "-"]
    if id_.hex.startswith(term.digits):
        cut = places[size - 1] + 1
        return _kept((shown[:cut], True), (shown[cut:], False))
    if term.tail and id_.hex.endswith(term.tail):
        cut = places[-size]
        return _kept((shown[:cut], False), (shown[cut:], True))
    return ()


def mark_text(text: str, term: str) -> Segments:
    """The text with the first occurrence of the term marked, whatever the case; empty when there is none."""
    found = re.search(re.escape(term), text, re.IGNORECASE)
    if not found:
        return ()
    start, end = found.span()
    return shortened(_kept((text[:start], False), (text[start:end], True), (text[end:], False)))


def split_marks(snippet: str) -> Segments:
    """Text with START and STOP around its matches, as segments."""
    pieces = re.split(f"{START}(.*?){STOP}", " ".join(snippet.split()))
    return _kept(*((piece, place % 2 == 1) for place, piece in enumerate(pieces)))


def shortened(segments: Segments) -> Segments:
    """The segments around the first match, cut to about LONGEST characters."""
    first = next((place for place, (_, match) in enumerate(segments) if match), None)
    if first is None:
        return ()
    before = "".join(text for text, _ in segments[:first])
    lead = before if len(before) <= AROUND else "…" + before[-AROUND:]
    shown, left = [(lead, False)], LONGEST - len(lead)
    for piece, match in segments[first:]:
        shown.append((piece if len(piece) <= left else piece[: max(left, 0)] + "…", match))
        left -= len(piece)
        if left <= 0:
            break
    return _kept(*shown)


def _kept(*segments: tuple[str, bool]) -> Segments:
    return tuple(segment for segment in segments if segment[0])
