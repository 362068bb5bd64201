"""Retrying and cancelling many work orders: preview, confirmation, the promise (workorders §10, §12).

A preview counts what a deed would act on and why it leaves the rest out, up to a cut-off:
its token stands for exactly that set. Confirming the token starts one operation; whatever
was received or has changed since the cut-off is left alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal import audit, operations
from portal.core import clock, db, paging
from portal.core.access import Actor
from portal.core.errors import Conflict, Invalid, NotFound
from portal.core.ids import new_id
from portal.core.text import N_
from portal.operations import Operation
from portal.projects import Project
from portal.workorders import bulk_keys, judging, limiter, versions
from portal.workorders.bulk_task import KIND, Task, selection_from_json, selection_to_json
from portal.workorders.creation import NOT_THERE
from portal.workorders.deeds import Changed, Deed, Preview, Selection

MOST_COUNTED = 10_000
MOST_IDS = 1_000
GOOD_FOR = timedelta(hours=1)
NOTHING_CHOSEN = N_("Choose at least one work order.")
TOO_MANY = N_("Choose at most 1,000 work orders, or all that match a filter.")
ONE_OF_THEM = N_("Give either filters or ids.")
NO_JOB = N_("Choose the job where the new runs begin.")
SPANS = N_("The selection spans several workflows; a job belongs to one.")
BAD_TOKEN = N_("This preview is no longer good. Look at it again.")
NOTHING_TO_DO = N_("There is nothing to do.")
STILL_ON = N_("This has not ended yet.")

_WORKFLOWS = sa.text("""
    SELECT DISTINCT workflow_id FROM work_orders
    WHERE id = ANY(CAST(:ids AS uuid[])) AND project_id = :project_id LIMIT 2
""")


@dataclass(frozen=True, slots=True)
class _Counted:
    """A task with its numbers; `digest` stands for the set acted on."""

    task: Task
    acts_on: int
    excluded: dict[str, int]
    more: bool
    digest: int
    oldest: datetime | None
    newest: datetime | None

    @property
    def total(self) -> int:
        return self.acts_on + sum(self.excluded.values())

    def same_as(self, told: _Told) -> bool:
        """Whether it is the set that the token stands for; beyond 10,000 nobody looked at each."""
        if self.more or told.more:
            return self.more == told.more
        return (self.acts_on, self.total, self.digest) == (told.acts_on, told.total, told.digest)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a token says."""

    number: str
    task: Task
    acts_on: int
    total: int
    more: bool
    digest: int


def preview_bulk(
    project: Project, deed: Deed, selection: Selection, *, job_id: uuid.UUID | None = None
) -> Preview:
    """Count what `deed` would act on, and why it leaves the rest out; changes nothing.

    Raises Invalid on `ids` (none, or more than 1,000), on `job_id` (missing for
    RETRY_FROM_JOB, not in the workflow, or the selection spans several workflows),
    Unavailable when a search takes more than 30 seconds.
    """
    _check(deed, selection, job_id)
    wanted_job = job_id if deed is Deed.RETRY_FROM_JOB else None
    return _preview(project, _count(project, Task(deed, wanted_job, clock.now(), selection)))


def start_bulk(project: Project, token: str, *, actor: Actor, deed: Deed | None = None) -> Operation:
    """Promise what a preview showed (of `deed`, when given). The same token again answers the same operation.

    One unit of work: audit entry (requested, bulk_work), operation. Raises Invalid on `token`
    (forged, of another project, older than an hour), Changed when the set has changed,
    Conflict when it is empty, TooMany with the limiter's message.
    """
    told = _read(project.id, token)
    if deed is not None and told.task.deed is not deed:
        raise Invalid({"token": [BAD_TOKEN]})
    key = f"{KIND}:{told.number}"

    def work() -> dict[str, str]:
        counted = _count(project, told.task)
        if not counted.same_as(told):
            again = replace(told.task, cut_off=clock.now(), total=None)
            raise Changed(_preview(project, _count(project, again)))
        return {"operation_id": str(_start(counted, project.id, key, actor).id)}

    answer = operations.once(actor, key, KIND, work)
    return operations.get(project.id, uuid.UUID(answer["operation_id"])).operation


def retry_many_from_start(
    project: Project, work_order_ids: Sequence[uuid.UUID], *, actor: Actor
) -> tuple[int, int, Operation | None]:
    """Retry work orders from their start in the background (workorders §10.3).

    Answers, before anything runs, how many are to be retried, how many are left out, and the
    operation (None when nothing is to be done). Raises Invalid on `ids` (more than 1,000),
    TooMany with the limiter's message.
    """
    if not work_order_ids:
        return 0, 0, None
    selection = Selection(ids=tuple(work_order_ids))
    _check(Deed.RETRY, selection, None)
    with db.unit_of_work():
        counted = _count(project, Task(Deed.RETRY, None, clock.now(), selection))
        left_out = counted.total - counted.acts_on
        if not counted.acts_on:
            return 0, left_out, None
        return counted.acts_on, left_out, _start(counted, project.id, f"{KIND}:{new_id()}", actor)


def retry_failed_items(project_id: uuid.UUID, operation_id: uuid.UUID, *, actor: Actor) -> Operation:
    """Promise the same deed again, as of now, for the items that were skipped or failed.

    While that is under way, the same operation is answered. Raises NotFound for an operation
    of another project or kind, Conflict while it has not ended or when nothing is left to do,
    TooMany with the limiter's message.
    """
    before = operations.get(project_id, operation_id).operation
    if before.kind != KIND:
        raise NotFound
    if before.unfinished:
        raise Conflict(STILL_ON)
    left = sum(operations.count_not_done(operation_id).values())
    if not left:
        raise Conflict(NOTHING_TO_DO)
    old = Task.from_json(before.arguments)
    task = Task(old.deed, old.job_id, clock.now(), again_of=operation_id, total=left)
    with db.unit_of_work():
        return _promise(task, left, project_id, f"{KIND}:again:{operation_id}", actor)


def _check(deed: Deed, selection: Selection, job_id: uuid.UUID | None) -> None:
    if selection.filters is not None:
        if selection.ids:
            raise Invalid({"ids": [ONE_OF_THEM]})
    elif not selection.ids:
        raise Invalid({"ids": [NOTHING_CHOSEN]})
    elif len(selection.ids) > MOST_IDS:
        raise Invalid({"ids": [TOO_MANY]})
    if deed is Deed.RETRY_FROM_JOB and job_id is None:
        raise Invalid({"job_id": [NO_JOB]})


def _count(project: Project, task: Task) -> _Counted:
    found = bulk_keys.first_ids(project, task, MOST_COUNTED + 1)
    ids, more = found[:MOST_COUNTED], len(found) > MOST_COUNTED
    if task.job_id is not None:
        _check_job(project.id, ids, task.job_id)
    tallies = judging.tally(project.id, task.deed, ids, job_id=task.job_id, cut_off=task.cut_off)
    good = next((each for each in tallies if each.reason is None), None)
    excluded = {each.reason: each.number for each in tallies if each.reason is not None}
    numbers = (good.number, good.digest, good.oldest, good.newest) if good else (0, 0, None, None)
    acts_on, digest, oldest, newest = numbers
    return _Counted(task, acts_on, excluded, more, digest, oldest, newest)


def _check_job(project_id: uuid.UUID, ids: Sequence[uuid.UUID], job_id: uuid.UUID) -> None:
    """Of one workflow, whose current version has the job. A deleted workflow is left to the verdicts."""
    values = {"ids": list(ids), "project_id": project_id}
    workflows = list(db.session().scalars(_WORKFLOWS, values))
    if len(workflows) > 1:
        raise Invalid({"job_id": [SPANS]})
    for version in versions.of_workflows(project_id, workflows).values():
        if not version.has_job(job_id):
            raise Invalid({"job_id": [NOT_THERE]})


def _preview(project: Project, counted: _Counted) -> Preview:
    task = counted.task
    return Preview(
        deed=task.deed,
        selection=task.selection,
        job_id=task.job_id,
        acts_on=counted.acts_on,
        excluded=counted.excluded,
        total=counted.total,
        more=counted.more,
        cut_off=task.cut_off,
        oldest=counted.oldest,
        newest=counted.newest,
        token=_write(project.id, counted),
    )


def _start(counted: _Counted, project_id: uuid.UUID, key: str, actor: Actor) -> Operation:
    if not counted.acts_on:
        raise Conflict(NOTHING_TO_DO)
    task = replace(counted.task, total=None if counted.more else counted.total)
    return _promise(task, counted.acts_on, project_id, key, actor)


def _promise(task: Task, acts_on: int, project_id: uuid.UUID, key: str, actor: Actor) -> Operation:
    if task.deed is not Deed.CANCEL:
        limiter.ask(project_id, acts_on)
    arguments = task.to_json()
    operation = operations.start(
        KIND, project_id=project_id, actor=actor, arguments=arguments, unique_key=key
    )
    if operation.arguments == arguments:
        operation.total = task.total
        details = arguments | {"ids": len(task.selection.ids), "acts_on": acts_on}
        audit.record(
            "requested", "bulk_work", operation.id, actor=actor, project_id=project_id, details=details
        )
    return operation


def _scope(project_id: uuid.UUID) -> str:
    return f"{KIND}:{project_id}"


def _write(project_id: uuid.UUID, counted: _Counted) -> str:
    """A token, signed as cursors are; its age is that of the cut-off."""
    task = counted.task
    job_id = str(task.job_id) if task.job_id else None
    what = [str(new_id()), str(task.deed), selection_to_json(task.selection), job_id]
    numbers = [task.cut_off.isoformat(), counted.acts_on, counted.total, counted.more, counted.digest]
    return paging.encode(_scope(project_id), [*what, *numbers])


def _read(project_id: uuid.UUID, token: str) -> _Told:
    try:
        said = paging.decode(_scope(project_id), token)
    except Invalid as forged:
        raise Invalid({"token": [BAD_TOKEN]}) from forged
    number, deed, selection, job_id, cut_off, *numbers = said
    moment = datetime.fromisoformat(cut_off)
    if clock.now() - moment > GOOD_FOR:
        raise Invalid({"token": [BAD_TOKEN]})
    job = uuid.UUID(job_id) if job_id else None
    return _Told(number, Task(Deed(deed), job, moment, selection_from_json(selection)), *numbers)
