"""Filling the search rows of runs, in batches and by one process at a time (workorders §9.3.7).

Nothing here makes a command wait: no run is locked while its words are gathered.
A run's row that changed meanwhile stays due and has its turn again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
import structlog
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from sqlalchemy.exc import DBAPIError

from portal.core import clock, db

log = structlog.get_logger(__name__)

BATCH_RUNS = 500
BATCH_LINES = 20_000
# Of a longer log the beginning is searchable.
MOST_LINES = 300_000
CLEAN_AFTER = 300
# Somebody was in the way; the next turn will do.
PASSING = (LockNotAvailable, DeadlockDetected, SerializationFailure)

_BE_PATIENT = sa.text("SELECT set_config('statement_timeout', '60s', true)")
_PICK = sa.text("""
    SELECT id, version FROM (
        SELECT r.id, r.version, sum(r.log_count) OVER earlier AS upto, row_number() OVER earlier AS place
        FROM (
            SELECT id, CAST(xmin AS text) AS version, log_count, search_due_at FROM runs
            WHERE search_due_at <= :now ORDER BY search_due_at LIMIT :runs
        ) AS r
        WINDOW earlier AS (ORDER BY r.search_due_at, r.id ROWS UNBOUNDED PRECEDING)
    ) AS p
    WHERE upto <= :lines OR place = 1
""")
_DELETE = sa.text("DELETE FROM run_search WHERE run_id = ANY(:ids)")
# A run's words in as many parts as its text fills, so that no vector comes near its limit of 1 MB.
_INSERT = sa.text("""
    WITH due AS MATERIALIZED (
        SELECT r.id, r.work_order_id, r.project_id, r.dataclip_id, w.last_activity AS at,
            search_prefix(p.number, w.last_activity) AS prefix
        FROM runs AS r
        JOIN work_orders AS w ON w.id = r.work_order_id
        JOIN projects AS p ON p.id = r.project_id
        WHERE r.id = ANY(:ids)
    ), pieces AS (
        SELECT l.run_id, piece,
            sum(octet_length(piece)) OVER (PARTITION BY l.run_id ORDER BY l.seq ROWS UNBOUNDED PRECEDING)
                / 100000 AS part
        FROM due JOIN log_lines AS l ON l.run_id = due.id CROSS JOIN LATERAL search_pieces(l.message) AS piece
        WHERE l.seq <= :most_lines
    ), logs AS (
        SELECT run_id, part, array_agg(lexeme) AS lexemes
        FROM pieces CROSS JOIN LATERAL unnest(tsvector_to_array(search_words(piece))) AS lexeme
        GROUP BY run_id, part
    ), inputs AS (
        SELECT due.id AS run_id, due.dataclip_id FROM due
        UNION SELECT due.id, s.input_dataclip_id
        FROM due JOIN run_steps AS rs ON rs.run_id = due.id JOIN steps AS s ON s.id = rs.step_id
    ), vectors AS (
        SELECT i.run_id, words,
            sum(pg_column_size(words)) OVER (PARTITION BY i.run_id ORDER BY i.dataclip_id
                ROWS UNBOUNDED PRECEDING) / 200000 AS part
        FROM inputs AS i JOIN dataclip_bodies AS b ON b.dataclip_id = i.dataclip_id
        CROSS JOIN LATERAL search_body_words(b.body) AS words
    ), bodies AS (
        SELECT run_id, part, array_agg(lexeme) AS lexemes
        FROM vectors CROSS JOIN LATERAL unnest(tsvector_to_array(words)) AS lexeme
        GROUP BY run_id, part
    )
    INSERT INTO run_search (run_id, part, work_order_id, project_id, at, logs, bodies)
    SELECT due.id, found.part, due.work_order_id, due.project_id, due.at,
        search_vector(due.prefix, found.logs), search_vector(due.prefix, found.bodies)
    FROM (
        SELECT run_id, CAST(floor(part) AS smallint) AS part, logs.lexemes AS logs, bodies.lexemes AS bodies
        FROM logs FULL JOIN bodies USING (run_id, part)
    ) AS found
    JOIN due ON due.id = found.run_id
""")
# The work order moved on: rows of its other runs follow, so the order of periods is that of the list.
_RESTAMP = sa.text("""
    UPDATE run_search AS s
    SET at = w.last_activity,
        logs = search_restamp(s.logs, search_prefix(p.number, w.last_activity)),
        bodies = search_restamp(s.bodies, search_prefix(p.number, w.last_activity))
    FROM work_orders AS w JOIN projects AS p ON p.id = w.project_id
    WHERE w.id IN (SELECT work_order_id FROM runs WHERE id = ANY(:ids)) AND s.work_order_id = w.id
        AND search_bucket(s.at) <> search_bucket(w.last_activity)
""")
_TOUCH = sa.text("""
    UPDATE run_search AS s SET at = w.last_activity FROM work_orders AS w
    WHERE w.id IN (SELECT work_order_id FROM runs WHERE id = ANY(:ids)) AND s.work_order_id = w.id
        AND s.at <> w.last_activity
""")
_CLEAR = sa.text("""
    WITH unchanged AS (
        SELECT r.id
        FROM runs AS r JOIN unnest(CAST(:ids AS uuid[]), CAST(:versions AS text[])) AS p (id, version)
            ON p.id = r.id
        WHERE r.xmin = CAST(p.version AS xid)
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE runs SET search_due_at = NULL FROM unchanged WHERE runs.id = unchanged.id
    RETURNING runs.id
""")
_FORGET = sa.text("""
    UPDATE runs SET search_due_at = :now
    WHERE id IN (
        SELECT r.id FROM runs AS r WHERE r.dataclip_id = ANY(:ids)
        UNION SELECT rs.run_id FROM steps AS s JOIN run_steps AS rs ON rs.step_id = s.id
        WHERE s.input_dataclip_id = ANY(:ids)
    )
    RETURNING id
""")
_EMPTY_BODIES = sa.text("UPDATE run_search SET bodies = '' WHERE run_id = ANY(:ids)")
_CLEAN = sa.text("""
    SELECT gin_clean_pending_list('ix_run_search_logs'), gin_clean_pending_list('ix_run_search_bodies')
""")


@dataclass(frozen=True, slots=True)
class Backlog:
    """Runs whose search rows are behind, and for how long the first of them has been due."""

    runs: int
    lag: timedelta


class _Pending:
    """How many rows this process wrote since the indexes' waiting lists were last worked in."""

    rows = 0


def index_due(limit: int = 5_000, seconds: float = 5.0) -> int:
    """Index runs that are due, oldest first; answers how many it dealt with.

    Works in batches, each in a unit of work of its own, until `limit` runs are done or
    `seconds` have passed. 0 when nothing is due, or another process is at it. A run whose
    words cannot be indexed is logged and left without; it is not tried for ever.
    """
    end = time.monotonic() + seconds
    done = 0
    while done < limit:
        handled = _batch(min(BATCH_RUNS, limit - done))
        done += handled
        if not handled or time.monotonic() >= end:
            break
    _clean(done)
    return done


def index_backlog() -> Backlog:
    """How far the search is behind what happened."""
    now = clock.now()
    statement = sa.text("SELECT count(*), min(search_due_at) FROM runs WHERE search_due_at <= :now")
    runs, oldest = db.session().execute(statement, {"now": now}).one()
    return Backlog(runs, now - oldest if oldest else timedelta())


def anything_due() -> bool:
    """Whether some run's search rows are behind; one look at the index."""
    statement = sa.text("SELECT EXISTS (SELECT FROM runs WHERE search_due_at <= :now)")
    return bool(db.session().scalar(statement, {"now": clock.now()}))


def forget_bodies(dataclip_ids: Sequence[uuid.UUID]) -> None:
    """Take the words of erased dataclips out of the search, in the present unit of work (performance §3).

    Whoever wipes dataclips calls it in the same unit; what is left of the runs is indexed anew soon after.
    """
    with db.unit_of_work():
        values = {"ids": list(dataclip_ids), "now": clock.now()}
        runs = db.session().scalars(_FORGET, values).all()
        db.session().execute(_EMPTY_BODIES, {"ids": list(runs)})


def _batch(runs: int) -> int:
    with db.unit_of_work():
        if not db.try_advisory_lock("workorders:index"):
            return 0
        db.session().execute(_BE_PATIENT)
        values = {"now": clock.now(), "runs": runs, "lines": BATCH_LINES}
        picked = db.session().execute(_PICK, values).all()
        if not picked:
            return 0
        settled = _index([row.id for row in picked])
        versions = {row.id: row.version for row in picked}
        values = {"ids": settled, "versions": [versions[id_] for id_ in settled]}
        return len(db.session().execute(_CLEAR, values).all())


def _index(ids: list[uuid.UUID]) -> list[uuid.UUID]:
    """Write the rows of these runs; answers those that need not be tried again."""
    try:
        with db.session().begin_nested():
            db.session().execute(_DELETE, {"ids": ids})
            db.session().execute(_INSERT, {"ids": ids, "most_lines": MOST_LINES})
            db.session().execute(_RESTAMP, {"ids": ids})
            db.session().execute(_TOUCH, {"ids": ids})
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        if len(ids) > 1:
            half = len(ids) // 2
            return _index(ids[:half]) + _index(ids[half:])
        if isinstance(error.orig, PASSING):
            return []
        log.warning("run_not_indexed", run_id=str(ids[0]), reason=type(error.orig).__name__)
    return ids


def _clean(done: int) -> None:
    """Work the waiting lists into the indexes now and then: searches read them from end to end."""
    _Pending.rows += done
    if _Pending.rows >= CLEAN_AFTER:
        _Pending.rows = 0
        with db.unit_of_work():
            db.session().execute(_CLEAN)
