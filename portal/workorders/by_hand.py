"""What a person does with one work order: retry, cancel, run by hand.

Each is judged on the state as it stands under the lock (workorders §10.5), and audited in
the same unit of work. The bare commands, which judge nothing, are in retry.py, cancel.py
and creation.py.
"""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from portal import audit
from portal.core import db
from portal.core.access import Actor
from portal.core.db import Json
from portal.core.errors import Conflict, NotFound
from portal.core.text import N_
from portal.workorders import cancel, creation, retry
from portal.workorders.creation import Created
from portal.workorders.history import UNFINISHED

NOT_YET = N_("This work order is waiting or running. It can be retried once it has ended.")

_LOCK_ORDER = sa.text("""
    SELECT id, state FROM work_orders
    WHERE id = :item_id AND project_id = :project_id FOR NO KEY UPDATE
""")
_LOCK_ORDER_OF_RUN = sa.text("""
    SELECT w.id, w.state FROM runs r JOIN work_orders w ON w.id = r.work_order_id
    WHERE r.id = :item_id AND r.project_id = :project_id FOR NO KEY UPDATE OF w
""")


def retry_by_hand(project_id: uuid.UUID, work_order_id: uuid.UUID, *, actor: Actor) -> Created:
    """Retry a work order from its start, if it has ended (workorders §10.3, §10.5).

    Raises NotFound (also for one of another project), Conflict while it is pending or
    running, Invalid as `retry_from_start`.
    """
    with db.unit_of_work():
        before = _ended(_LOCK_ORDER, project_id, work_order_id)
        created = retry.retry_from_start(project_id, work_order_id, actor=actor)
        _note_retry(created, before.state, actor, {})
    return created


def retry_step_by_hand(
    project_id: uuid.UUID, run_id: uuid.UUID, step_id: uuid.UUID, *, actor: Actor
) -> Created:
    """Retry from one step of one run, if the work order has ended (workorders §10.1, §10.5).

    Raises NotFound (run, step or project do not belong together), Conflict while the work
    order is pending or running, Invalid as `retry_from_step`.
    """
    with db.unit_of_work():
        before = _ended(_LOCK_ORDER_OF_RUN, project_id, run_id)
        created = retry.retry_from_step(project_id, run_id, step_id, actor=actor)
        _note_retry(created, before.state, actor, {"step_id": str(step_id)})
    return created


def cancel_by_hand(project_id: uuid.UUID, work_order_id: uuid.UUID, *, actor: Actor) -> int:
    """Cancel all waiting runs of a work order; answers how many (workorders §12.4).

    Raises NotFound, also for one of another project; Conflict when no run of it waits.
    """
    with db.unit_of_work():
        cancelled = cancel.cancel_workorder(project_id, work_order_id)
        audit.record(
            "cancelled",
            "workorder",
            work_order_id,
            actor=actor,
            project_id=project_id,
            details={"runs": cancelled},
        )
    return cancelled


def cancel_run_by_hand(project_id: uuid.UUID, run_id: uuid.UUID, *, actor: Actor) -> None:
    """Cancel one waiting run (workorders §12.2).

    Raises NotFound, also for a run of another project; Conflict when it was claimed first.
    """
    with db.unit_of_work():
        cancel.cancel_run(project_id, run_id)
        audit.record("cancelled", "run", run_id, actor=actor, project_id=project_id)


def run_by_hand(
    project_id: uuid.UUID,
    workflow_id: uuid.UUID,
    job_id: uuid.UUID,
    *,
    actor: Actor,
    dataclip_id: uuid.UUID | None = None,
    body: object = None,
) -> Created:
    """Run a workflow from one of its jobs with a stored input or a JSON object (workorders §5.2).

    Raises as `create_manual`.
    """
    with db.unit_of_work():
        created = creation.create_manual(
            project_id, workflow_id, job_id, actor=actor, dataclip_id=dataclip_id, body=body
        )
        audit.record(
            "created",
            "workorder",
            created.work_order_id,
            actor=actor,
            project_id=project_id,
            after={"workflow_id": str(workflow_id), "dataclip_id": str(created.dataclip_id)},
            details={"run_id": str(created.run_id), "job_id": str(job_id)},
        )
    return created


def _ended(statement: sa.TextClause, project_id: uuid.UUID, item_id: uuid.UUID) -> sa.Row[Any]:
    """The locked work order of `item_id`, which must be of the project and have ended."""
    found = db.session().execute(statement, {"item_id": item_id, "project_id": project_id}).one_or_none()
    if found is None:
        raise NotFound
    if found.state in UNFINISHED:
        raise Conflict(NOT_YET)
    return found


def _note_retry(created: Created, state: str, actor: Actor, details: Json) -> None:
    audit.record(
        "retried",
        "workorder",
        created.work_order_id,
        actor=actor,
        project_id=created.project_id,
        before={"state": state},
        after={"state": str(created.state)},
        details={"run_id": str(created.run_id), **details},
    )
