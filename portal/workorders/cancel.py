"""Cancelling what still waits (workorders §12). Claimed and started runs are not aborted."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from portal.core import clock, db
from portal.core.db import Unit
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
# Not more than so many runs in one statement (workorders §12.5).
AT_ONCE = 100
_CANCEL_SOME = sa.text("""
    UPDATE runs SET state = 'cancelled', finished_at = :now, updated_at = :now, search_due_at = :now
    WHERE id = ANY(ARRAY(
            SELECT id FROM runs
            WHERE work_order_id = ANY(CAST(:ids AS uuid[])) AND project_id = :project_id
              AND state = 'available' AND inserted_at <= :cut_off
            ORDER BY id LIMIT :at_once FOR NO KEY UPDATE))
      AND state = 'available'
    RETURNING id, work_order_id
""")
_DERIVE_CANCELLED = sa.text("""
    UPDATE work_orders w
    SET state = coalesce(
            (SELECT CASE WHEN bool_or(o.state = 'started') THEN 'running' ELSE 'pending' END
             FROM runs o WHERE o.work_order_id = w.id AND o.state IN ('available', 'claimed', 'started')
             HAVING count(*) > 0),
            'cancelled'),
        last_activity = :now, updated_at = :now
    WHERE w.id = ANY(CAST(:ids AS uuid[]))
""")


def cancel_many(
    project_id: uuid.UUID, work_order_ids: Sequence[uuid.UUID], *, cut_off: datetime
) -> set[uuid.UUID]:
    """Cancel what waits since `cut_off` or longer of these work orders, a hundred runs at a time (§12.5).

    Ids of other projects are ignored. Answers the work orders that had such a run; each is
    derived again. Locks the work orders by their ids, so a claim comes first or not at all.
    """
    with db.unit_of_work() as unit:
        rows.lock_workorders(set(work_order_ids))
        now = clock.now()
        values = {"project_id": project_id, "cut_off": cut_off, "now": now, "at_once": AT_ONCE}
        cancelled: list[tuple[uuid.UUID, uuid.UUID]] = []
        for start in range(0, len(work_order_ids), AT_ONCE):
            ids = list(work_order_ids[start : start + AT_ONCE])
            # Those found once are passed over again, so few work orders at a time are looked at.
            while some := db.session().execute(_CANCEL_SOME, values | {"ids": ids}).all():
                cancelled += [(row.id, row.work_order_id) for row in some]
                if len(some) < AT_ONCE:
                    break
        changed = {work_order_id for _, work_order_id in cancelled}
        db.session().execute(_DERIVE_CANCELLED, {"ids": sorted(changed), "now": now})
        _tell(unit, project_id, cancelled)
    return changed


def _tell(unit: Unit, project_id: uuid.UUID, cancelled: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> None:
    runs, orders = [run for run, _ in cancelled], sorted({order for _, order in cancelled})
    for run_id, work_order_id in cancelled:
        rows.forget(Run, run_id)
        rows.forget(Workorder, work_order_id)
        events.to_run(unit, run_id, events.RUN_UPDATED, run_id)
    events.many_to_project(unit, project_id, events.WORKORDER_UPDATED, orders)
    events.many_to_project(unit, project_id, events.RUN_UPDATED, runs)


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
