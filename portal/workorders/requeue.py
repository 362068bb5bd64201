"""New runs for judged work orders, as many as there are, with three or four statements (performance §7)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from portal.core import clock, db
from portal.core.access import Actor
from portal.core.ids import new_id
from portal.workflows.models import Edge
from portal.workorders import events, queue, rows, versions
from portal.workorders.carried import carried_jobs
from portal.workorders.judging import Verdict
from portal.workorders.models import Priority, Workorder

# One insert and one update: a thousand work orders in the time of a few single ones. Other unfinished
# runs of a work order count for its state as in rows.derive.
_MAKE = sa.text("""
    WITH asked AS (
        SELECT id, work_order_id, workflow_id, dataclip_id, job_id
        FROM unnest(CAST(:runs AS uuid[]), CAST(:orders AS uuid[]), CAST(:workflows AS uuid[]),
                    CAST(:clips AS uuid[]), CAST(:jobs AS uuid[]))
            AS a (id, work_order_id, workflow_id, dataclip_id, job_id)
    ), versions AS (
        SELECT workflow_id, snapshot_id, options
        FROM unnest(CAST(:version_of AS uuid[]), CAST(:snapshots AS uuid[]), CAST(:options AS jsonb[]))
            AS v (workflow_id, snapshot_id, options)
    ), made AS (
        INSERT INTO runs (id, work_order_id, project_id, workflow_id, snapshot_id, dataclip_id,
                          starting_job_id, created_by_id, state, priority, queue, options,
                          search_due_at, inserted_at, updated_at)
        SELECT a.id, a.work_order_id, :project_id, a.workflow_id, v.snapshot_id, a.dataclip_id,
               a.job_id, :actor_id, 'available', :priority, :queue, v.options, :now, :now, :now
        FROM asked a JOIN versions v ON v.workflow_id = a.workflow_id
    )
    UPDATE work_orders w
    SET state = CASE WHEN EXISTS (SELECT FROM runs o WHERE o.work_order_id = w.id AND o.state = 'started')
                     THEN 'running' ELSE 'pending' END,
        last_activity = :now, updated_at = :now
    WHERE w.id = ANY(CAST(:orders AS uuid[]))
""")
_CARRIED = sa.text("""
    SELECT n.run_id, rs.step_id
    FROM unnest(CAST(:old AS uuid[]), CAST(:new AS uuid[])) AS n (old_id, run_id)
    JOIN run_steps rs ON rs.run_id = n.old_id JOIN steps s ON s.id = rs.step_id
    WHERE s.job_id = ANY(CAST(:jobs AS uuid[]))
    ORDER BY n.run_id, s.started_at, s.id
""")
_LINK = sa.text("""
    INSERT INTO run_steps (run_id, step_id, id, inserted_at)
    SELECT l.run_id, l.step_id, l.id, :now
    FROM unnest(CAST(:runs AS uuid[]), CAST(:steps AS uuid[]), CAST(:ids AS uuid[]))
        AS l (run_id, step_id, id)
""")


def requeue(project_id: uuid.UUID, verdicts: Sequence[Verdict], *, actor: Actor) -> list[uuid.UUID]:
    """Make an available run for each verdict, all of which must be without a reason; answers their ids.

    As workorders §10.1.3 to §10.1.5: current snapshot, fresh options, priority immediate, the
    steps that need no repeating carried, the work order derived, news after the commit. The
    runs are claimed in the order of `verdicts`. Locks the work orders by their ids.
    """
    if not verdicts:
        return []
    with db.unit_of_work() as unit:
        orders = list(dict.fromkeys(verdict.work_order_id for verdict in verdicts))
        rows.lock_workorders(set(orders))
        now = clock.now()
        # Equal moments are told apart by the id, here and in the claim.
        made = sorted(new_id() for _ in verdicts)
        _make(project_id, verdicts, made, actor, now)
        _carry(verdicts, made, now)
        for work_order_id in orders:
            rows.forget(Workorder, work_order_id)
        events.many_to_project(unit, project_id, events.WORKORDER_UPDATED, orders)
        events.many_to_project(unit, project_id, events.RUN_CREATED, made)
    return made


def _make(
    project_id: uuid.UUID, verdicts: Sequence[Verdict], made: list[uuid.UUID], actor: Actor, now: datetime
) -> None:
    current = versions.of_workflows(project_id, {verdict.workflow_id for verdict in verdicts})
    values = {
        "project_id": project_id,
        "actor_id": actor.id,
        "runs": made,
        "orders": [verdict.work_order_id for verdict in verdicts],
        "workflows": [verdict.workflow_id for verdict in verdicts],
        "clips": [verdict.dataclip_id for verdict in verdicts],
        "jobs": [verdict.job_id for verdict in verdicts],
        "version_of": list(current),
        "snapshots": [version.snapshot_id for version in current.values()],
        "options": [json.dumps(version.options()) for version in current.values()],
        "priority": int(Priority.IMMEDIATE),
        "queue": queue.MANUAL,
        "now": now,
    }
    db.session().execute(_MAKE, values)


def _carry(verdicts: Sequence[Verdict], made: list[uuid.UUID], now: datetime) -> None:
    starts: dict[tuple[uuid.UUID, uuid.UUID], list[tuple[uuid.UUID, uuid.UUID]]] = {}
    for verdict, run_id in zip(verdicts, made, strict=True):
        if verdict.run_id is not None:
            pairs = starts.setdefault((verdict.workflow_id, verdict.job_id), [])
            pairs.append((verdict.run_id, run_id))
    for (workflow_id, job_id), pairs in starts.items():
        _link(_carried_jobs(workflow_id, job_id), pairs, now)


def _carried_jobs(workflow_id: uuid.UUID, job_id: uuid.UUID) -> list[uuid.UUID]:
    edges = sa.select(Edge.source_job_id, Edge.target_job_id).where(Edge.workflow_id == workflow_id)
    return list(carried_jobs([(row[0], row[1]) for row in db.session().execute(edges)], job_id))


def _link(jobs: list[uuid.UUID], pairs: list[tuple[uuid.UUID, uuid.UUID]], now: datetime) -> None:
    values = {"old": [old for old, _ in pairs], "new": [new for _, new in pairs], "jobs": jobs}
    found = db.session().execute(_CARRIED, values).all() if jobs else []
    if found:
        links = {
            "runs": [row.run_id for row in found],
            "steps": [row.step_id for row in found],
            "ids": sorted(new_id() for _ in found),
            "now": now,
        }
        db.session().execute(_LINK, links)
