"""New runs for work orders that ran before (workorders §10), one or many.

The functions here judge no states: whoever lets people use them does (§10.5). Thousands
are retried in the background, by `bulk`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from portal.core import db
from portal.core.access import Actor
from portal.core.errors import Invalid, NotFound
from portal.core.text import N_
from portal.workorders import judging, limiter
from portal.workorders.creation import NOT_THERE, Created
from portal.workorders.deeds import Deed
from portal.workorders.judging import Verdict
from portal.workorders.models import WorkorderState
from portal.workorders.requeue import requeue
from portal.workorders.versions import WORKFLOW_DELETED

MOST_AT_ONCE = 1_000
NO_RETRY = N_("cannot retry: the input was erased or never kept")
TOO_MANY = N_("at most 1,000 at once")
_REFUSALS = {
    "input_wiped": {"input_dataclip_id": [NO_RETRY]},
    "workflow_deleted": {"workflow_id": [WORKFLOW_DELETED]},
    "no_version": {"snapshot_id": [N_("can't be blank")]},
    "no_such_job": {"job_id": [NOT_THERE]},
}


@dataclass(frozen=True, slots=True)
class Enqueued:
    """How many new runs there are, and how many work orders were left out because they cannot be retried."""

    enqueued: int
    discarded: int


def retry_from_step(project_id: uuid.UUID, run_id: uuid.UUID, step_id: uuid.UUID, *, actor: Actor) -> Created:
    """Run a work order again from one step of one of its runs (workorders §10.1).

    The new run has the step's input and job, the workflow's current snapshot, and carries
    the steps that need no repeating. Raises NotFound (step, run or project do not belong
    together), Invalid on `input_dataclip_id` (missing or wiped), `workflow_id`
    («workflow deleted») or `job_id` (no longer in the workflow), TooMany by the limiter.
    """
    with db.unit_of_work():
        return _retry_one(project_id, judging.judge_steps(project_id, [(run_id, step_id)])[0], actor)


def retry_from_start(project_id: uuid.UUID, work_order_id: uuid.UUID, *, actor: Actor) -> Created:
    """Run a work order again from where it began, with its own input (workorders §10.3.4).

    That is the first run's starting job, or the job after its trigger; also for a rejected
    work order. No steps are carried. Raises as `retry_from_step`.
    """
    with db.unit_of_work():
        return _retry_one(project_id, judging.judge(project_id, Deed.RETRY, [work_order_id])[0], actor)


def retry_many_from_job(
    project_id: uuid.UUID, work_order_ids: Sequence[uuid.UUID], job_id: uuid.UUID, *, actor: Actor
) -> Enqueued:
    """Retry each work order's latest run from its step for `job_id` (workorders §10.2).

    In the order received, whatever the order given. One whose latest run has no such step
    is neither enqueued nor discarded. Raises Invalid on `ids` (more than 1,000), TooMany.
    """
    _refuse_too_many(work_order_ids)
    with db.unit_of_work():
        verdicts = judging.judge(project_id, Deed.RETRY_FROM_JOB, work_order_ids, job_id=job_id)
        return _retry_good(project_id, [each for each in verdicts if each.reason != "no_such_step"], actor)


def retry_run_steps(
    project_id: uuid.UUID, run_steps: Sequence[tuple[uuid.UUID, uuid.UUID]], *, actor: Actor
) -> Enqueued:
    """Retry each step (run id, step id) as `retry_from_step` does, in the order given (workorders §10.4).

    What cannot be retried is discarded. Raises Invalid on `ids` (more than 1,000), TooMany.
    """
    _refuse_too_many(run_steps)
    with db.unit_of_work():
        return _retry_good(project_id, judging.judge_steps(project_id, run_steps), actor)


def _retry_one(project_id: uuid.UUID, verdict: Verdict, actor: Actor) -> Created:
    if verdict.reason in _REFUSALS:
        raise Invalid(_REFUSALS[verdict.reason])
    if verdict.reason is not None:
        raise NotFound
    limiter.ask(project_id, 1)
    (run_id,) = requeue(project_id, [verdict], actor=actor)
    state = WorkorderState.PENDING
    return Created(verdict.work_order_id, run_id, verdict.dataclip_id, project_id, verdict.workflow_id, state)


def _retry_good(project_id: uuid.UUID, verdicts: Sequence[Verdict], actor: Actor) -> Enqueued:
    good = [verdict for verdict in verdicts if verdict.reason is None]
    limiter.ask(project_id, len(good))
    requeue(project_id, good, actor=actor)
    return Enqueued(len(good), len(verdicts) - len(good))


def _refuse_too_many(asked: Sequence[object]) -> None:
    if len(asked) > MOST_AT_ONCE:
        raise Invalid({"ids": [TOO_MANY]})
