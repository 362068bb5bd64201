"""Making work orders: by a trigger, or by a person (workorders §5).

One unit each; a caller that adds writes of its own opens the unit around the call,
and all live or die together. Webhooks wait for this: four short statements.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from portal import dataclips
from portal.core import clock, db
from portal.core.access import Actor
from portal.core.errors import Invalid
from portal.core.ids import new_id
from portal.core.text import N_
from portal.workorders import events, limiter, queue, rows, versions
from portal.workorders.models import Priority, WorkorderState
from portal.workorders.queue import NewRun
from portal.workorders.versions import Version

NOT_THERE = N_("does not exist")
WIPED = N_("its content was erased")

_USABLE_INPUT = sa.text("""
    SELECT wiped_at IS NOT NULL AS wiped FROM dataclips WHERE id = :dataclip_id AND project_id = :project_id
""")


@dataclass(frozen=True, slots=True)
class Created:
    """What was made. `run_id` is None for a rejected work order."""

    work_order_id: uuid.UUID
    run_id: uuid.UUID | None
    dataclip_id: uuid.UUID | None
    project_id: uuid.UUID
    workflow_id: uuid.UUID
    state: WorkorderState


def create_for_trigger(
    trigger_id: uuid.UUID,
    *,
    body: object = None,
    request: object | None = None,
    dataclip_id: uuid.UUID | None = None,
    runs_allowed: bool | None = None,
) -> Created:
    """Store what arrived, and a work order with its first run, on the workflow's current snapshot.

    `body` is JSON text (or a dict): an http_request dataclip for a webhook, a global one
    for cron; `request` goes with a webhook's. Or `dataclip_id` names an input of the
    project that exists. Where `runs_allowed` is False (a limit is hit; None asks the
    limiter), the input is kept and the work order is `rejected`, without a run. Whether the
    trigger is enabled is the caller's question. Raises NotFound (no such trigger), Invalid
    on `body`, `request`, `dataclip_id`, `workflow_id` (deleted) or `snapshot_id`, TooLarge
    (workorders §5).
    """
    with db.unit_of_work():
        version = versions.of_trigger(trigger_id)
        if runs_allowed is None:
            runs_allowed = limiter.refusal(version.project_id, 1) is None
        kind = "http_request" if version.trigger_type == "webhook" else "global"
        clip = _input(version, dataclip_id, body, kind, request)
        order = _insert(version, clip, trigger_id, rejected=not runs_allowed)
        if not runs_allowed:
            return _announced(order)
        run = NewRun.of(version, order.work_order_id, clip, starting_trigger_id=trigger_id)
        return _announced(order, run)


def create_manual(
    project_id: uuid.UUID,
    workflow_id: uuid.UUID,
    job_id: uuid.UUID,
    *,
    actor: Actor,
    dataclip_id: uuid.UUID | None = None,
    body: object = None,
) -> Created:
    """Run a workflow from one of its jobs for a person, at once (workorders §5.2).

    The input is a dataclip of the project or a JSON `body`, which becomes one of type
    saved_input. Raises NotFound (no such workflow in the project), Invalid on
    `workflow_id` («workflow deleted»), `job_id`, `dataclip_id` or `body`, TooLarge, TooMany
    by the limiter.
    """
    with db.unit_of_work():
        limiter.ask(project_id, 1)
        version = versions.of_workflow(project_id, workflow_id)
        if not version.has_job(job_id):
            raise Invalid({"job_id": [NOT_THERE]})
        clip = _input(version, dataclip_id, body, "saved_input")
        order = _insert(version, clip)
        run = NewRun.of(
            version,
            order.work_order_id,
            clip,
            starting_job_id=job_id,
            created_by_id=actor.id,
            priority=Priority.IMMEDIATE,
            queue=queue.MANUAL,
        )
        return _announced(order, run)


def _input(
    version: Version, dataclip_id: uuid.UUID | None, body: object, kind: str, request: object | None = None
) -> uuid.UUID:
    """The id of the input: a stored one that may be used, or a new one made from `body`."""
    if dataclip_id is None:
        if body is None:
            raise Invalid({"dataclip_id": [N_("can't be blank")]})
        return dataclips.create(version.project_id, kind, body, request=request)
    if body is not None:
        raise Invalid({"body": [N_("give either a stored input or a new one")]})
    values = {"dataclip_id": dataclip_id, "project_id": version.project_id}
    wiped = db.session().scalar(_USABLE_INPUT, values)
    if wiped is None:
        raise Invalid({"dataclip_id": [NOT_THERE]})
    if wiped:
        raise Invalid({"dataclip_id": [WIPED]})
    return dataclip_id


def _insert(
    version: Version, clip: uuid.UUID, trigger_id: uuid.UUID | None = None, *, rejected: bool = False
) -> Created:
    now = clock.now()
    state = WorkorderState.REJECTED if rejected else WorkorderState.PENDING
    order = Created(new_id(), None, clip, version.project_id, version.workflow_id, state)
    db.session().execute(
        sa.insert(rows.WORK_ORDERS),
        {
            "id": order.work_order_id,
            "project_id": version.project_id,
            "workflow_id": version.workflow_id,
            "snapshot_id": version.snapshot_id,
            "trigger_id": trigger_id,
            "dataclip_id": clip,
            "state": state,
            "last_activity": now,
            "inserted_at": now,
            "updated_at": now,
        },
    )
    return order


def _announced(order: Created, run: NewRun | None = None) -> Created:
    """Insert the run, if there is one; news of it goes out before that of the work order (§5.5)."""
    with db.unit_of_work() as unit:
        if run is not None:
            queue.insert([run])
            events.to_project(unit, order.project_id, events.RUN_CREATED, run.id)
        events.to_project(unit, order.project_id, events.WORKORDER_CREATED, order.work_order_id)
    if run is None:
        return order
    return Created(
        order.work_order_id, run.id, order.dataclip_id, order.project_id, order.workflow_id, order.state
    )
