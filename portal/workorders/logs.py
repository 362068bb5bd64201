"""Log lines of a run: appended in batches, read back as text (workorders §8.5)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.core import clock, db
from portal.core.errors import Invalid, NotFound
from portal.core.text import N_
from portal.workorders import events, rows, step_secrets
from portal.workorders.messages import clean, text_of
from portal.workorders.models import LogLevel, Run
from portal.workorders.timestamps import INVALID, moment

BLANK = N_("can't be blank")
LONG_SOURCE = N_("should be at most 8 character(s)")
FOREIGN_STEP = N_("must be associated with the run")
MAX_SOURCE = 8

# Numbers the lines under the run's lock. Repeats of a line that a worker gave an id are found first.
_LOCK = sa.text("""
    SELECT ARRAY(SELECT line_id FROM log_lines
                 WHERE run_id = r.id AND line_id = ANY(CAST(:line_ids AS uuid[]))) AS repeated
    FROM runs r WHERE r.id = :run_id FOR NO KEY UPDATE
""")
_APPEND = sa.text("""
    WITH run AS (
        UPDATE runs r
        SET log_count = log_count + :lines,
            search_due_at = least(search_due_at, CASE WHEN finished_at IS NULL THEN :soon ELSE :now END)
        WHERE id = :run_id
        RETURNING log_count - :lines AS before,
                  (SELECT count(*) FROM run_steps
                   WHERE run_id = r.id AND step_id = ANY(CAST(:step_ids AS uuid[]))) AS own_steps
    ), stored AS (
        INSERT INTO log_lines (run_id, seq, step_id, level, source, message, timestamp, line_id)
        SELECT :run_id, run.before + l.place, l.step_id, l.level, l.source, l.message, l.timestamp, l.line_id
        FROM run CROSS JOIN
            unnest(CAST(:step_ids AS uuid[]), CAST(:levels AS text[]), CAST(:sources AS text[]),
                   CAST(:messages AS text[]), CAST(:timestamps AS timestamptz[]), CAST(:line_ids AS uuid[]))
            WITH ORDINALITY AS l (step_id, level, source, message, timestamp, line_id, place)
    )
    SELECT before, own_steps FROM run
""")
_RUN_TEXT = sa.text("""
    SELECT (SELECT string_agg(message, E'\\n' ORDER BY timestamp, seq) FROM log_lines WHERE run_id = r.id)
    FROM runs r WHERE r.id = :run_id AND r.project_id = :project_id
""")
# Lines are found by run; those of a carried step stand with the run that executed it.
_STEP_TEXT = sa.text("""
    SELECT string_agg(l.message, E'\\n' ORDER BY l.timestamp, l.seq)
    FROM run_steps rs JOIN log_lines l ON l.run_id = rs.run_id AND l.step_id = rs.step_id
    WHERE rs.step_id = :step_id
""")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that passed the checks of its own values."""

    step_id: uuid.UUID | None
    level: str
    source: str | None
    message: str
    timestamp: datetime
    line_id: uuid.UUID | None


def append_log(run_id: uuid.UUID, line: Mapping[str, object]) -> int | None:
    """Append one line; answers its number, or None for a repeat. As `append_logs`."""
    numbers = append_logs(run_id, [line])
    return numbers[0] if numbers else None


def append_logs(run_id: uuid.UUID, lines: Sequence[Mapping[str, object]]) -> list[int]:
    """Append lines to a run in any state, all or none; answers their numbers (workorders §8.5).

    A line has `message` (any JSON) and `timestamp` (workorders §8.1), and may have `level`
    (info), `source` (8 characters), `step_id` (a step of this run) and `id` (a UUID; a
    line that the run has already is dropped). Secrets of the run's credentials are hidden
    before anything is stored. Raises Invalid with the problems of the first bad line, or on
    `run_id`, and Unavailable when a credential cannot be opened.
    """
    scrub = step_secrets.scrubber_of_run(run_id) if lines else None
    accepted = [checked(line, scrub) for line in lines]
    if not accepted:
        return []
    with db.unit_of_work() as unit:
        fresh = _without_repeats(run_id, accepted)
        if not fresh:
            return []
        before = _store(run_id, fresh)
        rows.forget(Run, run_id)
        events.to_run(unit, run_id, events.LOG_APPENDED, run_id)
    return [before + place for place in range(1, len(fresh) + 1)]


def checked(line: Mapping[str, object], scrub: step_secrets.Scrub | None = None) -> Line:
    """The line as it would be stored, if its values pass; see `append_logs`. Raises Invalid by field."""
    problems: dict[str, list[str]] = {}
    message = text_of(line.get("message"))
    if message is None:
        problems["message"] = [BLANK]
    given = line.get("timestamp")
    timestamp = moment(given)
    if timestamp is None:
        problems["timestamp"] = [BLANK if given is None else INVALID]
    source = line.get("source")
    if source is not None and len(str(source)) > MAX_SOURCE:
        problems["source"] = [LONG_SOURCE]
    level = str(line.get("level") or LogLevel.INFO)
    if level not in set(LogLevel):
        problems["level"] = [INVALID]
    step_id = _uuid(line.get("step_id"), "step_id", FOREIGN_STEP, problems)
    line_id = _uuid(line.get("id"), "id", INVALID, problems)
    if problems or message is None or timestamp is None:
        raise Invalid(problems)
    text = scrub(message) if scrub else message
    return Line(step_id, level, None if source is None else clean(str(source)), text, timestamp, line_id)


def _uuid(value: object, field: str, refusal: str, problems: dict[str, list[str]]) -> uuid.UUID | None:
    if value is None or isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(str(value))
    except ValueError:
        problems[field] = [refusal]
        return None


def _without_repeats(run_id: uuid.UUID, lines: list[Line]) -> list[Line]:
    """The lines whose id neither the run nor an earlier line of the batch has."""
    given = [line.line_id for line in lines if line.line_id is not None]
    if not given:
        return lines
    row = db.session().execute(_LOCK, {"run_id": run_id, "line_ids": given}).one_or_none()
    if row is None:
        raise Invalid({"run_id": [N_("does not exist")]})
    seen = set(row.repeated)
    fresh = []
    for line in lines:
        if line.line_id is None or line.line_id not in seen:
            fresh.append(line)
            seen.add(line.line_id)
    return fresh


def _store(run_id: uuid.UUID, lines: list[Line]) -> int:
    """Number and store the lines under the run's lock; answers the last number before them.

    A refusal takes back what the statement has stored: the unit of work fails.
    """
    now = clock.now()
    numbers = {"run_id": run_id, "lines": len(lines), "now": now, "soon": now + rows.FIRST_WORDS}
    row = db.session().execute(_APPEND, {**numbers, **_columns(lines)}).one_or_none()
    if row is None:
        raise Invalid({"run_id": [N_("does not exist")]})
    if row.own_steps < len({line.step_id for line in lines if line.step_id is not None}):
        raise Invalid({"step_id": [FOREIGN_STEP]})
    return int(row.before)


def _columns(lines: list[Line]) -> dict[str, list[Any]]:
    return {
        "step_ids": [line.step_id for line in lines],
        "levels": [line.level for line in lines],
        "sources": [line.source for line in lines],
        "messages": [line.message for line in lines],
        "timestamps": [line.timestamp for line in lines],
        "line_ids": [line.line_id for line in lines],
    }


def log_text(project_id: uuid.UUID, run_id: uuid.UUID) -> str:
    """All messages of a run, by timestamp then number, joined with line feeds; "" without lines.

    Raises NotFound, also for a run of another project.
    """
    row = db.session().execute(_RUN_TEXT, {"run_id": run_id, "project_id": project_id}).one_or_none()
    if row is None:
        raise NotFound
    return row[0] or ""


def step_log_text(step_id: uuid.UUID | None) -> str | None:
    """The messages of one step, joined with line feeds; no step gives None (workorders §8.5)."""
    if step_id is None:
        return None
    return db.session().scalar(_STEP_TEXT, {"step_id": step_id}) or ""
