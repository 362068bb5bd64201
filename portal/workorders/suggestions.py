"""What could be typed next into the search box (workorders §9.6)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta, tzinfo

import sqlalchemy as sa

from portal import workflows
from portal.core import clock, db
from portal.workorders.inputs import SearchField, Sort
from portal.workorders.models import WorkorderState
from portal.workorders.names import clean
from portal.workorders.query_text import DATES, KEYS, NEGATABLE, NOWHERE
from portal.workorders.query_tokens import LISTS, quoted, tokens

MOST = 12
# A step from each type of error to the next in the index: no run is read but the newest of each type.
_ERRORS = sa.text("""
    WITH RECURSIVE known AS (
        (SELECT error_type, inserted_at, 1 AS place FROM runs
            WHERE project_id = :project_id AND error_type IS NOT NULL
            ORDER BY error_type, inserted_at DESC LIMIT 1)
        UNION ALL
        SELECT n.error_type, n.inserted_at, known.place + 1 FROM known CROSS JOIN LATERAL (
            SELECT r.error_type, r.inserted_at FROM runs AS r
            WHERE r.project_id = :project_id AND r.error_type > known.error_type
            ORDER BY r.error_type, r.inserted_at DESC LIMIT 1
        ) AS n
        WHERE known.place < 200
    )
    SELECT error_type FROM known ORDER BY inserted_at DESC
""")


def error_types(project_id: uuid.UUID) -> list[str]:
    """Types of error that runs of the project ended with, the newest first; at most 200 are looked at."""
    return list(db.session().scalars(_ERRORS, {"project_id": project_id}))


def suggest(project_id: uuid.UUID, text: str, zone: tzinfo) -> list[str]:
    """Whole texts that `text` could become: a key for the word that is typed last, or a value behind a key.

    At most 12; none when nothing is being typed.
    """
    text = clean(text[:400].lstrip()) if not text.endswith(" ") else ""
    found, problems = tokens(text)
    if not found or any(problem.end < len(text) for problem in problems):
        return []
    last = found[-1]
    part = last.parts[-1]
    if last.key is None:
        keys = _keys(part.text.removeprefix("-"), negated=text[last.start] == "-")
        return [text[: last.start] + key for key in keys][:MOST]
    fits = [value for value in _values(project_id, last.key, zone) if _begins(value, part.text)]
    written = [_written(last.key, value) for value in fits[:MOST]]
    return [text[: part.start] + value for value in written if text[part.start :] != value]


def _keys(begun: str, *, negated: bool) -> list[str]:
    if negated:
        return [f"-{key}:" for key in NEGATABLE if key.startswith(begun)]
    return [f"{key}:" for key in KEYS if begun and key.startswith(begun)]


def _begins(value: str, begun: str) -> bool:
    return value.casefold().startswith(begun.casefold())


def _written(key: str, value: str) -> str:
    plain = value.strip() == value and not any(sign in value for sign in ' "') and value[:2] != "//"
    return value if plain and not (key in LISTS and "," in value) else quoted(value)


def _values(project_id: uuid.UUID, key: str, zone: tzinfo) -> Iterable[str]:
    sources: dict[str, Callable[[], Iterable[str]]] = {
        "state": lambda: WorkorderState,
        "in": lambda: (*SearchField, NOWHERE),
        "sort": lambda: Sort,
        "error": lambda: error_types(project_id),
        "workflow": lambda: (each.name for each in workflows.list_names(project_id) if not each.deleted),
        **dict.fromkeys(DATES, lambda: _days(zone)),
    }
    return [str(value) for value in sources[key]()] if key in sources else []


def _days(zone: tzinfo) -> list[str]:
    """Today, and since yesterday, a week and a month ago."""
    today = clock.now().astimezone(zone).date()
    return [today.isoformat(), *(f">={today - timedelta(days=days)}" for days in (1, 7, 30))]
