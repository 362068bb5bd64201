"""New runs for work orders that ran before (workorders §10). One at a time; handlers check states."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from portal.core import db
from portal.core.access import Actor
from portal.core.errors import Invalid, NotFound
from portal.core.text import N_
from portal.workflows.models import Edge
from portal.workorders import queue, rows, versions
from portal.workorders.carried import carried_jobs
from portal.workorders.creation import NOT_THERE, Created
from portal.workorders.models import Priority, RunStep, WorkorderState
from portal.workorders.queue import NewRun

NO_RETRY = N_("cannot retry: the input was erased or never kept")

_STEP = sa.text("""
    SELECT r.work_order_id, r.workflow_id, s.job_id, s.input_dataclip_id,
           d.id IS NULL OR d.wiped_at IS NOT NULL AS unusable
    FROM runs r
    JOIN run_steps rs ON rs.run_id = r.id
    JOIN steps s ON s.id = rs.step_id
    LEFT JOIN dataclips d ON d.id = s.input_dataclip_id
    WHERE r.id = :run_id AND s.id = :step_id AND r.project_id = :project_id
""")
# The first run decides where a work order starts; a rejected one has only its trigger.
_ORIGIN = sa.text("""
    SELECT w.id AS work_order_id, w.workflow_id, w.dataclip_id AS input_dataclip_id,
           d.id IS NULL OR d.wiped_at IS NOT NULL AS unusable, first.starting_job_id,
           coalesce(first.starting_trigger_id, w.trigger_id) AS trigger_id
    FROM work_orders w
    LEFT JOIN dataclips d ON d.id = w.dataclip_id
    LEFT JOIN LATERAL (
        SELECT starting_job_id, starting_trigger_id FROM runs
        WHERE work_order_id = w.id ORDER BY coalesce(started_at, inserted_at), id LIMIT 1) AS first ON true
    WHERE w.id = :work_order_id AND w.project_id = :project_id
""")
_STEPS_OF_JOBS = sa.text("""
    SELECT rs.step_id FROM run_steps rs JOIN steps s ON s.id = rs.step_id
    WHERE rs.run_id = :run_id AND s.job_id = ANY(CAST(:job_ids AS uuid[]))
    ORDER BY s.started_at, s.id
""")


def retry_from_step(project_id: uuid.UUID, run_id: uuid.UUID, step_id: uuid.UUID, *, actor: Actor) -> Created:
    """Run a work order again from one step of one of its runs (workorders §10.1).

    The new run has the step's input and job, the workflow's current snapshot, and carries
    the steps that need no repeating. Raises NotFound (step, run or project do not belong
    together), Invalid on `input_dataclip_id` (missing or wiped), `workflow_id`
    («workflow deleted») or `job_id` (no longer in the workflow).
    """
    with db.unit_of_work():
        values = {"run_id": run_id, "step_id": step_id, "project_id": project_id}
        found = db.session().execute(_STEP, values).one_or_none()
        if found is None:
            raise NotFound
        run = _again(project_id, found, found.job_id, actor)
        _carry(found.workflow_id, run_id, found.job_id, run.id)
    return _answer(run)


def retry_from_start(project_id: uuid.UUID, work_order_id: uuid.UUID, *, actor: Actor) -> Created:
    """Run a work order again from where it began, with its own input (workorders §10.3.4).

    That is the first run's starting job, or the job after its trigger; also for a rejected
    work order. No steps are carried. Raises as `retry_from_step`.
    """
    with db.unit_of_work():
        values = {"work_order_id": work_order_id, "project_id": project_id}
        found = db.session().execute(_ORIGIN, values).one_or_none()
        if found is None:
            raise NotFound
        job_id = found.starting_job_id or _job_after(found.workflow_id, found.trigger_id)
        return _answer(_again(project_id, found, job_id, actor))


def _again(project_id: uuid.UUID, found: sa.Row[Any], job_id: uuid.UUID | None, actor: Actor) -> NewRun:
    if found.unusable:
        raise Invalid({"input_dataclip_id": [NO_RETRY]})
    version = versions.of_workflow(project_id, found.workflow_id)
    if job_id is None or not version.has_job(job_id):
        raise Invalid({"job_id": [NOT_THERE]})
    rows.lock_workorders({found.work_order_id})
    run = NewRun.of(
        version,
        found.work_order_id,
        found.input_dataclip_id,
        starting_job_id=job_id,
        created_by_id=actor.id,
        priority=Priority.IMMEDIATE,
        queue=queue.MANUAL,
    )
    queue.enqueue(run)
    return run


def _answer(run: NewRun) -> Created:
    state = WorkorderState.PENDING
    return Created(run.work_order_id, run.id, run.dataclip_id, run.project_id, run.workflow_id, state)


def _job_after(workflow_id: uuid.UUID, trigger_id: uuid.UUID | None) -> uuid.UUID | None:
    """The job that the trigger leads to; with several, the one connected first."""
    edge = sa.select(Edge.target_job_id).where(
        Edge.workflow_id == workflow_id, Edge.source_trigger_id == trigger_id
    )
    return db.session().scalar(edge.order_by(Edge.inserted_at, Edge.id).limit(1))


def _carry(workflow_id: uuid.UUID, old_run_id: uuid.UUID, job_id: uuid.UUID, new_run_id: uuid.UUID) -> None:
    edges = sa.select(Edge.source_job_id, Edge.target_job_id).where(Edge.workflow_id == workflow_id)
    jobs = carried_jobs([(row[0], row[1]) for row in db.session().execute(edges)], job_id)
    values = {"run_id": old_run_id, "job_ids": list(jobs)}
    steps = list(db.session().scalars(_STEPS_OF_JOBS, values))
    if steps:
        db.session().add_all([RunStep(run_id=new_run_id, step_id=step_id) for step_id in steps])
