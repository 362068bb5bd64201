"""Work orders, runs, steps and logs: history, search and export."""

from portal.workorders import policies as _policies  # noqa: F401 - registers the permissions
from portal.workorders.cancel import cancel_run, cancel_workorder
from portal.workorders.claim import ClaimedRun, claim, claim_run
from portal.workorders.creation import Created, create_for_trigger, create_manual
from portal.workorders.logs import append_log, append_logs, log_text, step_log_text
from portal.workorders.lost import mark_lost
from portal.workorders.models import LogLevel, Priority, RunState, WorkorderState
from portal.workorders.partitions import ensure_log_partitions, prepare_log_partitions
from portal.workorders.queue import NewRun, dequeue, enqueue, enqueue_many
from portal.workorders.retry import retry_from_start, retry_from_step
from portal.workorders.running import complete_run, start_run
from portal.workorders.steps import complete_step, start_step

__all__ = [
    "ClaimedRun",
    "Created",
    "LogLevel",
    "NewRun",
    "Priority",
    "RunState",
    "WorkorderState",
    "append_log",
    "append_logs",
    "cancel_run",
    "cancel_workorder",
    "claim",
    "claim_run",
    "complete_run",
    "complete_step",
    "create_for_trigger",
    "create_manual",
    "dequeue",
    "enqueue",
    "enqueue_many",
    "ensure_log_partitions",
    "log_text",
    "mark_lost",
    "prepare_log_partitions",
    "retry_from_start",
    "retry_from_step",
    "start_run",
    "start_step",
    "step_log_text",
]
