"""A bulk deed at work: batch after batch, each work order once (workorders §10.3, §12.5; performance §7).

A batch is one unit of work: locks, verdicts, new runs or cancelled ones, an item for each
work order, the checkpoint. A worker that dies leaves whole batches; its successor goes on
behind the last one. Nobody waits longer for a lock than one batch takes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from portal import audit, operations
from portal.core import db
from portal.core.access import SYSTEM, Actor
from portal.core.db import Json
from portal.core.errors import NotFound
from portal.operations import Item, ItemResult, Operation, Running
from portal.projects import Project
from portal.workorders import bulk_keys, judging, rows
from portal.workorders.bulk_task import KIND, Reached, Task
from portal.workorders.cancel import cancel_many
from portal.workorders.deeds import Deed
from portal.workorders.listing import Key
from portal.workorders.requeue import requeue

BATCH = 1_000


def _note_stop(operation: Operation) -> None:
    """Cancelled or failed for good: the entry tells what had been done until then."""
    reached = Reached.from_json(operation.checkpoint or {})
    actor = Actor(operation.actor_id) if operation.actor_id else SYSTEM
    audit.record(
        "stopped",
        "bulk_work",
        operation.id,
        actor=actor,
        project_id=operation.project_id,
        details=reached.result,
    )


@operations.handler(KIND, on_failed=_note_stop)
def work(running: Running) -> Json:
    """Do one bulk deed from where the last worker got to.

    Raises NotFound when the project has gone, which ends the operation.
    """
    project, task = _begin(running)
    reached = Reached.from_json(running.checkpoint)
    for keys in _batches(project, task, reached):
        with db.unit_of_work():
            items = _act(project.id, task, [key.id for key in keys], running.actor)
            reached = _advance(running, reached, items, keys[-1])
    return _finish(running, reached)


def _begin(running: Running) -> tuple[Project, Task]:
    """Find project and total; at the first turn, write down the ids that are not of the project."""
    task = Task.from_json(running.arguments)
    with db.unit_of_work():
        project = db.session().get(Project, running.project_id)
    if project is None:
        raise NotFound
    if running.checkpoint:
        return project, task
    total = bulk_keys.count_all(project, task) if task.total is None else task.total
    with db.unit_of_work():
        strangers = bulk_keys.strangers(project.id, task.selection.ids)
        items = [Item(id_, ItemResult.SKIPPED, "not_here") for id_ in strangers]
        _advance(running, Reached(), items, total=total)
    return project, task


def _batches(project: Project, task: Task, reached: Reached) -> Iterator[Sequence[Key]]:
    for block in bulk_keys.blocks(project, task, reached.after):
        for start in range(0, len(block), BATCH):
            yield block[start : start + BATCH]


def _act(project_id: uuid.UUID, task: Task, ids: Sequence[uuid.UUID], actor: Actor) -> list[Item]:
    """The effect of one batch, and what became of each."""
    rows.lock_workorders(set(ids))
    verdicts = judging.judge(project_id, task.deed, ids, job_id=task.job_id, cut_off=task.cut_off)
    good = [verdict for verdict in verdicts if verdict.reason is None]
    items = [
        Item(verdict.work_order_id, ItemResult.SKIPPED, verdict.reason)
        for verdict in verdicts
        if verdict.reason is not None
    ]
    if task.deed is Deed.CANCEL:
        cancel_many(project_id, [verdict.work_order_id for verdict in good], cut_off=task.cut_off)
        return items + [Item(verdict.work_order_id, ItemResult.DONE) for verdict in good]
    made = requeue(project_id, good, actor=actor)
    pairs = zip(good, made, strict=True)
    return items + [Item(verdict.work_order_id, ItemResult.DONE, made_id=run_id) for verdict, run_id in pairs]


def _advance(
    running: Running,
    reached: Reached,
    items: Sequence[Item],
    last: Key | None = None,
    total: int | None = None,
) -> Reached:
    further = reached.plus(items, last)
    operations.record_items(running.operation_id, items)
    running.advance(checkpoint=further.to_json(), done=further.handled, total=total)
    return further


def _finish(running: Running, reached: Reached) -> Json:
    """Count what left the set while the others were dealt with, and write the closing entry."""
    end = reached.left_out(max(0, (running.total or 0) - reached.handled))
    with db.unit_of_work():
        running.advance(checkpoint=end.to_json(), done=end.handled)
        audit.record(
            "completed",
            "bulk_work",
            running.operation_id,
            actor=running.actor,
            project_id=running.project_id,
            details=end.result,
        )
        running.finish(result=end.result)
    return end.result
