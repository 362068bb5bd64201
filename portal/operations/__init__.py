"""The ledger of background work, and the schedules that start some of it.

The row is the promise, RQ only the messenger: `start` writes a row inside the caller's
unit of work, a worker claims it, works in batches that each move the checkpoint, and
ends it. Losing the broker loses time, never work (reliability §1).

A kind of work is registered once, in its context's `jobs.py`:

    @operations.handler("workorders:export", on_failed=mark_file_failed)
    def export(running: operations.Running) -> Json | None:
        for batch in batches_after(running.checkpoint):
            with unit_of_work():
                ...the effect of the batch...
                running.advance(checkpoint={"last": batch.last}, done=running.done + len(batch))

`on_failed` runs in the transaction that ends the operation without success.
"""

from portal.operations.commands import start
from portal.operations.items import Item, count_not_done, items, record_items
from portal.operations.models import ItemResult, Operation, OperationItem, OperationState, Schedule
from portal.operations.once import once
from portal.operations.policies import Steering
from portal.operations.queries import (
    Progress,
    get,
    list_all,
    list_recent,
    list_schedules,
    list_unfinished,
    project_of,
)
from portal.operations.registry import handler
from portal.operations.running import Cancelled, LostLease, Paused, Running, Stopping
from portal.operations.schedules import Periodic, install
from portal.operations.steering import ask_cancel, pause, resume, try_again
from portal.operations.sweeping import prune, sweep
from portal.operations.ticker import run_ticker
from portal.operations.worker import run_worker

__all__ = [
    "Cancelled",
    "Item",
    "ItemResult",
    "LostLease",
    "Operation",
    "OperationItem",
    "OperationState",
    "Paused",
    "Periodic",
    "Progress",
    "Running",
    "Schedule",
    "Steering",
    "Stopping",
    "ask_cancel",
    "count_not_done",
    "get",
    "handler",
    "install",
    "items",
    "list_all",
    "list_recent",
    "list_schedules",
    "list_unfinished",
    "once",
    "pause",
    "project_of",
    "prune",
    "record_items",
    "resume",
    "run_ticker",
    "run_worker",
    "start",
    "sweep",
    "try_again",
]
