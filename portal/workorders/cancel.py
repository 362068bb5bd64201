"""Cancelling what still waits (workorders §12). Claimed and started runs are not aborted."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from portal.core import clock, db
from portal.core.errors import Conflict, NotFound
from portal.core.text import N_
from portal.workorders import events, rows
from portal.workorders.models import Run, RunState, Workorder

TOO_LATE = N_("This run no longer waits, so it cannot be cancelled.")
NOTHING_WAITS = N_("No run of this work order waits, so nothing can be cancelled.")

# Conditional on the state, so it cannot win over a claim that came first.
_CANCEL = sa.text("""
    UPDATE runs SET state = 'cancelled', finished_at = :now, updated_at = :now, search_due_at = :now
    WHERE work_order_id = :work_order_id AND state = 'available'
      AND (CAST(:run_id AS uuid) IS NULL OR id = :run_id)
    RETURNING id
""")


def cancel_run(project_id: uuid.UUID, run_id: uuid.UUID) -> None:
    """Cancel one available run; its work order is derived again (workorders §12.2).

    Raises NotFound, also for a run of another project; Conflict when it was claimed first.
    """
    order = sa.select(Run.work_order_id).where(Run.id == run_id, Run.project_id == project_id)
    with db.unit_of_work():
        work_order_id = db.session().scalar(order)
        if work_order_id is None:
            raise NotFound
        if not _cancel(project_id, work_order_id, run_id):
            raise Conflict(TOO_LATE)


def cancel_workorder(project_id: uuid.UUID, work_order_id: uuid.UUID) -> int:
    """Cancel all available runs of a work order; answers how many (workorders §12.4).

    Raises NotFound, also for a work order of another project; Conflict when none waits.
    """
    order = sa.select(Workorder.id).where(Workorder.id == work_order_id, Workorder.project_id == project_id)
    with db.unit_of_work():
        if db.session().scalar(order) is None:
            raise NotFound
        cancelled = _cancel(project_id, work_order_id)
        if not cancelled:
            raise Conflict(NOTHING_WAITS)
        return len(cancelled)


def _cancel(
    project_id: uuid.UUID, work_order_id: uuid.UUID, run_id: uuid.UUID | None = None
) -> list[uuid.UUID]:
    with db.unit_of_work() as unit:
        rows.lock_workorders({work_order_id})
        now = clock.now()
        values = {"work_order_id": work_order_id, "run_id": run_id, "now": now}
        cancelled = sorted(db.session().scalars(_CANCEL, values))
        if not cancelled:
            return []
        rows.derive(work_order_id, cancelled[-1], RunState.CANCELLED, now=now)
        for each in cancelled:
            rows.forget(Run, each)
            events.run_changed(unit, project_id, work_order_id, each)
        return cancelled
