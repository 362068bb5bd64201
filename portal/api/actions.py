"""Retrying, cancelling and stopping, one work order or run at a time (workorders §10, §12, §15)."""

from __future__ import annotations

import uuid

from flask import Blueprint, g

from portal import workorders
from portal.api.endpoints import endpoint
from portal.api.history import OneRun, OneWorkorder, one_run, one_workorder
from portal.web import guarded

bp = Blueprint("api_actions", __name__, url_prefix="/api/projects/<uuid:project_id>")
AREA = "Actions"


@bp.post("/work_orders/<uuid:work_order_id>/retry")
@guarded("workorders:retry")
@endpoint(AREA, answer=OneRun, status=201, once=True)
def retry_workorder(project_id: uuid.UUID, work_order_id: uuid.UUID) -> OneRun:
    """Retry a work order from its start; answers the new run.

    409 while it waits or runs, 422 when its input is gone or its workflow deleted.
    """
    return _made(workorders.retry_by_hand(project_id, work_order_id, actor=g.actor))


@bp.post("/runs/<uuid:run_id>/steps/<uuid:step_id>/retry")
@guarded("workorders:retry")
@endpoint(AREA, answer=OneRun, status=201, once=True)
def retry_step(project_id: uuid.UUID, run_id: uuid.UUID, step_id: uuid.UUID) -> OneRun:
    """Retry from one step of a run, with that step's input; answers the new run.

    409 while the work order waits or runs, 422 when the input is gone or the workflow deleted.
    """
    return _made(workorders.retry_step_by_hand(project_id, run_id, step_id, actor=g.actor))


@bp.post("/work_orders/<uuid:work_order_id>/cancel")
@guarded("workorders:cancel")
@endpoint(AREA, answer=OneWorkorder, once=True)
def cancel_workorder(project_id: uuid.UUID, work_order_id: uuid.UUID) -> OneWorkorder:
    """Cancel all waiting runs of a work order; 409 when none waits."""
    workorders.cancel_by_hand(project_id, work_order_id, actor=g.actor)
    return one_workorder(workorders.get_workorder_item(work_order_id))


@bp.post("/runs/<uuid:run_id>/cancel")
@guarded("workorders:cancel")
@endpoint(AREA, answer=OneRun, once=True)
def cancel_run(project_id: uuid.UUID, run_id: uuid.UUID) -> OneRun:
    """Cancel one waiting run; 409 when it no longer waits."""
    workorders.cancel_run_by_hand(project_id, run_id, actor=g.actor)
    return one_run(workorders.get_run_item(run_id))


@bp.post("/runs/<uuid:run_id>/stop")
@guarded("workorders:cancel")
@endpoint(AREA, answer=OneRun, status=202, once=True)
def stop_run(project_id: uuid.UUID, run_id: uuid.UUID) -> OneRun:
    """Ask a claimed or started run to stop; one that does not is killed after a while.

    Its state changes when it has stopped. 409 for a run that waits or has ended.
    """
    workorders.ask_stop(project_id, run_id, actor=g.actor)
    return one_run(workorders.get_run_item(run_id))


def _made(created: workorders.Created) -> OneRun:
    if created.run_id is None:
        raise RuntimeError("a retry always makes a run")
    return one_run(workorders.get_run_item(created.run_id))
