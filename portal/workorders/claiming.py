"""Handing waiting runs to workers (workorders §6).

Two statements, and both skip locked rows, so claimers never wait for one another. The
first locks what limits concurrency: workflows with a limit of their own, and projects
with a limit for the rest. Only then does the second count, choose and take; without
the first, two claimers could both find the last free slot.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.core import clock, db
from portal.core.db import Unit
from portal.workorders import events, rows
from portal.workorders.models import Run, RunState

DEFAULT_QUEUES = ("manual", "*")
# Runs looked at in each limited workflow, most urgent first; a higher limit widens it.
WINDOW = 50
# In a workflow without limit so many more than asked for are looked at first: others may hold some of them.
SPARE = 8

# A loose index scan: one probe for each workflow that has runs waiting, however many those are.
_LOCK_POOLS = sa.text("""
    WITH RECURSIVE waiting (workflow_id) AS (
        (SELECT workflow_id FROM runs WHERE state = 'available' ORDER BY workflow_id LIMIT 1)
        UNION ALL
        SELECT (SELECT r.workflow_id FROM runs r
                WHERE r.state = 'available' AND r.workflow_id > waiting.workflow_id
                ORDER BY r.workflow_id LIMIT 1)
        FROM waiting WHERE waiting.workflow_id IS NOT NULL
    ), found AS MATERIALIZED (
        SELECT w.id, w.project_id, w.concurrency AS own, p.concurrency AS shared
        FROM waiting JOIN workflows w ON w.id = waiting.workflow_id JOIN projects p ON p.id = w.project_id
    ), held_projects AS MATERIALIZED (
        SELECT id FROM projects
        WHERE id IN (SELECT project_id FROM found WHERE own IS NULL AND shared IS NOT NULL)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    ), held_workflows AS MATERIALIZED (
        SELECT id FROM workflows WHERE id IN (SELECT id FROM found WHERE own IS NOT NULL)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT ARRAY(SELECT id FROM found) AS workflows,
           ARRAY(SELECT id FROM held_projects UNION ALL SELECT id FROM held_workflows) AS pools
""")

# `pool` is the group that shares `slots` places (§6.4): the workflow, or the project for
# all its workflows without a limit of their own. Inside a pool only age counts; the
# places are what is left beside the busy runs, so that no order of events breaks a limit.
# Sorting before the joins lets the plan stop at the first runs that it can lock.
_TAKE = sa.text("""
    WITH open AS MATERIALIZED (
        SELECT w.id AS workflow_id, coalesce(w.concurrency, p.concurrency) AS slots,
               CASE WHEN w.concurrency IS NOT NULL THEN w.id
                    WHEN p.concurrency IS NOT NULL THEN p.id END AS pool
        FROM workflows w JOIN projects p ON p.id = w.project_id
        WHERE w.id = ANY(CAST(:workflows AS uuid[]))
    ), rooms AS MATERIALIZED (
        SELECT pool, slots - (
            SELECT count(*) FROM (
                SELECT 1 FROM workflows w JOIN runs r ON r.workflow_id = w.id
                WHERE (w.id = limited.pool OR (w.project_id = limited.pool AND w.concurrency IS NULL))
                  AND r.state IN ('claimed', 'started')
                LIMIT limited.slots) AS busy) AS room
        FROM (SELECT DISTINCT pool, slots FROM open WHERE pool = ANY(CAST(:pools AS uuid[]))) AS limited
    ), candidates AS MATERIALIZED (
        SELECT r.*, o.pool,
               row_number() OVER (PARTITION BY o.pool ORDER BY r.inserted_at, r.id) AS place,
               coalesce(array_position(CAST(:queues AS text[]), r.queue),
                        array_position(CAST(:queues AS text[]), '*')) AS turn
        FROM open o CROSS JOIN LATERAL (
            SELECT id, queue, priority, inserted_at FROM runs
            WHERE workflow_id = o.workflow_id AND state = 'available'
              AND (o.pool IS NOT NULL OR :any_queue OR queue = ANY(CAST(:queues AS text[])))
            ORDER BY priority, inserted_at, id
            LIMIT CASE WHEN o.pool IS NULL THEN :unlimited ELSE greatest(:window, o.slots) END) AS r
        WHERE o.pool IS NULL OR o.pool = ANY(CAST(:pools AS uuid[]))
    ), chosen AS MATERIALIZED (
        SELECT r.id, e.turn
        FROM (
            SELECT c.id, c.turn, c.priority, c.inserted_at
            FROM candidates c LEFT JOIN rooms ON rooms.pool = c.pool
            WHERE c.turn IS NOT NULL AND (c.pool IS NULL OR c.place <= rooms.room)
            ORDER BY c.turn, c.priority, c.inserted_at, c.id) AS e
        JOIN runs r ON r.id = e.id
        JOIN work_orders w ON w.id = r.work_order_id
        WHERE r.state = 'available'
        ORDER BY e.turn, e.priority, e.inserted_at, e.id
        LIMIT :demand
        FOR NO KEY UPDATE OF w, r SKIP LOCKED
    )
    UPDATE runs r
    SET state = 'claimed', claimed_at = :now, worker_name = :worker_name, updated_at = :now
    FROM chosen WHERE r.id = chosen.id
    RETURNING r.id, r.work_order_id, r.project_id, r.workflow_id,
              chosen.turn, r.priority, r.inserted_at
""")


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that one worker now holds."""

    id: uuid.UUID
    work_order_id: uuid.UUID
    project_id: uuid.UUID
    workflow_id: uuid.UUID


def claim(
    demand: int = 1, worker_name: str | None = None, queues: Sequence[str] | None = None
) -> list[ClaimedRun]:
    """Hand up to `demand` runs to one worker; each is then claimed (workorders §6).

    `queues` with "*" is an order of preference, without it a filter; None or empty means
    `DEFAULT_QUEUES`. Runs locked by another claimer are skipped, not waited for, so two
    workers never get the same run. Answers them most urgent first; nothing eligible: an
    empty list. The window of workorders §6.2 counts waiting runs only, so an unlimited
    workflow is not held to 50 at a time.
    """
    wanted = list(queues or DEFAULT_QUEUES)
    with db.unit_of_work() as unit:
        waiting = db.session().execute(_LOCK_POOLS).one()
        if not waiting.workflows or demand < 1:
            return []
        values: dict[str, Any] = {
            "workflows": waiting.workflows,
            "pools": waiting.pools,
            "queues": wanted,
            "any_queue": "*" in wanted,
            "window": WINDOW,
            "unlimited": demand + SPARE,
            "demand": demand,
            "worker_name": worker_name or None,
            "now": clock.now(),
        }
        taken = list(db.session().execute(_TAKE, values))
        if len(taken) < demand:
            wide = {"unlimited": demand + WINDOW, "demand": demand - len(taken)}
            taken += db.session().execute(_TAKE, values | wide)
        taken.sort(key=lambda r: (r.turn, r.priority, r.inserted_at, r.id))
        return [_told(unit, row) for row in taken]


def _told(unit: Unit, row: sa.Row[Any]) -> ClaimedRun:
    rows.derive(row.work_order_id, row.id, RunState.CLAIMED, now=clock.now())
    rows.forget(Run, row.id)
    events.run_changed(unit, row.project_id, row.work_order_id, row.id)
    return ClaimedRun(row.id, row.work_order_id, row.project_id, row.workflow_id)


def claim_run(run_id: uuid.UUID, worker_name: str | None = None) -> bool:
    """Claim one given run, whatever the limits; False when it is not available.

    For demo data and tests, which play the worker themselves. Raises NotFound.
    """
    with db.unit_of_work() as unit:
        run = rows.lock_run(run_id)
        if run.state is not RunState.AVAILABLE:
            return False
        now = clock.now()
        rows.change_run(unit, run, RunState.CLAIMED, now=now, claimed_at=now, worker_name=worker_name or None)
    return True
