"""Putting runs into the queue and taking them out again (workorders §6.9). Claiming is in `claiming`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import sqlalchemy as sa

from portal.core import clock, db
from portal.core.db import Json
from portal.core.errors import Conflict, Invalid, NotFound
from portal.core.ids import new_id
from portal.core.text import N_
from portal.workorders import events, rows
from portal.workorders.models import LogLine, Priority, Run, RunSearch, RunState, RunStep
from portal.workorders.versions import Version

DEFAULT = "default"
MANUAL = "manual"  # runs that a person waits for
BLANK = N_("can't be blank")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be enqueued. Exactly one start; a start at a job needs the person who asked for it."""

    work_order_id: uuid.UUID
    project_id: uuid.UUID
    workflow_id: uuid.UUID
    snapshot_id: uuid.UUID | None
    dataclip_id: uuid.UUID | None
    options: Json | None
    starting_trigger_id: uuid.UUID | None = None
    starting_job_id: uuid.UUID | None = None
    created_by_id: uuid.UUID | None = None
    priority: Priority = Priority.NORMAL
    queue: str = DEFAULT
    id: uuid.UUID = field(default_factory=new_id)

    @classmethod
    def of(
        cls,
        version: Version,
        work_order_id: uuid.UUID,
        dataclip_id: uuid.UUID,
        *,
        starting_trigger_id: uuid.UUID | None = None,
        starting_job_id: uuid.UUID | None = None,
        created_by_id: uuid.UUID | None = None,
        priority: Priority = Priority.NORMAL,
        queue: str = DEFAULT,
    ) -> Self:
        """A run of the workflow's current version, with fresh options (workorders §5.1, §7)."""
        return cls(
            work_order_id=work_order_id,
            project_id=version.project_id,
            workflow_id=version.workflow_id,
            snapshot_id=version.snapshot_id,
            dataclip_id=dataclip_id,
            options=version.options(),
            starting_trigger_id=starting_trigger_id,
            starting_job_id=starting_job_id,
            created_by_id=created_by_id,
            priority=priority,
            queue=queue,
        )

    def problems(self) -> dict[str, list[str]]:
        """What the database would refuse, or should (workorders §2.2, §5.1), by field."""
        found = {name: [BLANK] for name in ("snapshot_id", "dataclip_id") if getattr(self, name) is None}
        if (self.starting_trigger_id is None) == (self.starting_job_id is None):
            found["starting_job_id"] = [N_("a run starts at a trigger or at a job, one of them")]
        if self.starting_job_id and self.created_by_id is None:
            found["created_by_id"] = [BLANK]
        return found


def enqueue(run: NewRun) -> uuid.UUID:
    """Add one run to a work order that exists; as `enqueue_many`. Answers the run's id."""
    return enqueue_many([run])[0]


def enqueue_many(runs: Sequence[NewRun]) -> list[uuid.UUID]:
    """Add runs to work orders that exist; they are then available, in the order given.

    Each work order is derived anew (a rejected one leaves `rejected`). Raises Invalid by
    field for a run that breaks a rule, NotFound for a missing work order; nothing is saved then.
    """
    with db.unit_of_work() as unit:
        orders = rows.lock_workorders({run.work_order_id for run in runs})
        if {order.id for order in orders} != {run.work_order_id for run in runs}:
            raise NotFound
        insert(runs)
        for run in {run.work_order_id: run for run in runs}.values():
            rows.derive(run.work_order_id, run.id, RunState.AVAILABLE, now=clock.now())
            events.to_project(unit, run.project_id, events.WORKORDER_UPDATED, run.work_order_id)
        for run in runs:
            events.to_project(unit, run.project_id, events.RUN_CREATED, run.id)
    return [run.id for run in runs]


def insert(runs: Sequence[NewRun]) -> None:
    """Insert the rows, no more. Raises Invalid by field. The caller derives and tells."""
    for run in runs:
        if problems := run.problems():
            raise Invalid(problems)
    if runs:
        db.session().execute(sa.insert(rows.RUNS), [_columns(run) for run in runs])


def _columns(run: NewRun) -> Json:
    now = clock.now()
    return {
        "id": run.id,
        "work_order_id": run.work_order_id,
        "project_id": run.project_id,
        "workflow_id": run.workflow_id,
        "snapshot_id": run.snapshot_id,
        "dataclip_id": run.dataclip_id,
        "starting_trigger_id": run.starting_trigger_id,
        "starting_job_id": run.starting_job_id,
        "created_by_id": run.created_by_id,
        "priority": int(run.priority),
        "queue": run.queue,
        "options": run.options,
        "search_due_at": now,
        "inserted_at": now,
        "updated_at": now,
    }


def dequeue(run_id: uuid.UUID) -> None:
    """Remove a run that nobody has claimed, with its links to carried steps (workorders §6.9).

    The work order keeps its state. Raises NotFound, or Conflict once the run was claimed:
    a worker that holds it would go on without a row.
    """
    with db.unit_of_work() as unit:
        run = rows.lock_run(run_id)
        if run.state is not RunState.AVAILABLE:
            raise Conflict(N_("Only a run that still waits can be taken out of the queue."))
        for table in (RunSearch, LogLine, RunStep):
            db.session().execute(sa.delete(table).where(table.run_id == run_id))
        db.session().execute(sa.delete(Run).where(Run.id == run_id))
        events.to_project(unit, run.project_id, events.WORKORDER_UPDATED, run.work_order_id)
