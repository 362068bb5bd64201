"""Work orders, runs, steps and logs: history, search and export."""

from portal.workorders import bulk_work as _bulk_work  # noqa: F401 - registers the handler
from portal.workorders import jobs as _jobs  # noqa: F401 - registers the work of exports
from portal.workorders import policies as _policies  # noqa: F401 - registers the permissions
from portal.workorders.api_lists import (
    Among,
    LinesAmong,
    NumberedPage,
    Span,
    list_lines,
    list_runs,
    list_workorders,
)
from portal.workorders.api_rows import (
    LineItem,
    RunItem,
    WorkorderItem,
    get_line_item,
    get_run_item,
    get_workorder_item,
)
from portal.workorders.bulk import preview_bulk, retry_failed_items, retry_many_from_start, start_bulk
from portal.workorders.by_hand import (
    cancel_by_hand,
    cancel_run_by_hand,
    retry_by_hand,
    retry_step_by_hand,
    run_by_hand,
)
from portal.workorders.cancel import cancel_run, cancel_workorder
from portal.workorders.claiming import ClaimedRun, claim, claim_run
from portal.workorders.comparing import (
    BodyComparison,
    Comparison,
    LogComparison,
    StepPair,
    compare_bodies,
    compare_logs,
    compare_runs,
)
from portal.workorders.creation import Created, create_for_trigger, create_manual
from portal.workorders.csv_columns import CSV_COLUMNS
from portal.workorders.csv_export import Checkpoint, write_csv
from portal.workorders.deeds import EXCLUSIONS, Changed, Deed, Preview, Selection
from portal.workorders.earlier import EarlierInput, earlier_inputs
from portal.workorders.evidence import Evidence
from portal.workorders.export_life import (
    cancel_export,
    delete_expired_exports,
    delete_export,
    record_download,
    retry_export,
)
from portal.workorders.export_request import ExportFormat, request_export
from portal.workorders.figures import (
    STATES,
    Bucket,
    Counts,
    LastOrder,
    Outcome,
    ProjectStatistics,
    WorkflowSort,
    WorkflowStatistics,
    sorted_workflows,
)
from portal.workorders.group_inputs import GroupFilters, GroupSort, NewGroupState
from portal.workorders.group_models import GroupState
from portal.workorders.group_sorting import anything_unsorted, sort_failures
from portal.workorders.groups import (
    ErrorGroupRow,
    GroupRun,
    count_open_groups,
    get_error_group,
    group_trend,
    list_error_groups,
    runs_of_group,
)
from portal.workorders.history import (
    DataclipRef,
    HistoryRow,
    RunLine,
    StepLine,
    get,
    runs_of,
    workflows_of,
)
from portal.workorders.indexing import anything_due, forget_bodies, index_backlog, index_due
from portal.workorders.inputs import Pill, ReadFilters, SearchField, SearchFilters, Sort, read_filters
from portal.workorders.limiter import limit_runs
from portal.workorders.logs import append_log, append_logs, log_text, step_log_text
from portal.workorders.lookups import (
    StepItem,
    first_step,
    get_many,
    get_many_with_runs,
    job_log_lines,
    job_log_text,
    list_steps,
    project_of_run,
    step_count,
    step_log_lines,
    step_with_job,
)
from portal.workorders.lost import mark_lost, mark_run_lost, mark_steps_lost
from portal.workorders.models import LogLevel, Priority, RunState, WorkorderState
from portal.workorders.pace import daily_counts, hourly_counts
from portal.workorders.partitions import ensure_log_partitions, prepare_log_partitions
from portal.workorders.query_text import QueryText, read_query
from portal.workorders.query_tokens import Problem
from portal.workorders.query_writing import write_query
from portal.workorders.queue import NewRun, dequeue, enqueue, enqueue_many
from portal.workorders.recording import PastLine, PastStep, PastWorkorder, record_past
from portal.workorders.retry import (
    Enqueued,
    retry_from_start,
    retry_from_step,
    retry_many_from_job,
    retry_run_steps,
)
from portal.workorders.running import complete_run, start_run
from portal.workorders.runpage import LogPage, LogRow, RunPage, StepRow, log_lines, run_page
from portal.workorders.search import Total, count, search
from portal.workorders.statistics import project_statistics, statistics_of, workflow_statistics
from portal.workorders.step_secrets import secrets_of_step_output, shown_body, shown_preview
from portal.workorders.steps import complete_step, start_step
from portal.workorders.stopping import any_stop_due, ask_stop, force_stops, stop_deadline, stops_asked
from portal.workorders.suggestions import error_types, suggest
from portal.workorders.triage import set_group_state
from portal.workorders.view_counts import count_views
from portal.workorders.view_edits import ViewEdit, edit_view
from portal.workorders.view_inputs import NewView, ViewRename
from portal.workorders.views import (
    View,
    change_view,
    create_view,
    delete_view,
    find_view,
    get_view,
    list_views,
    rename_view,
    share_view,
)
from portal.workorders.worker_view import (
    RunOptions,
    WorkerRun,
    credential_of_run,
    read_input,
    run_body,
    run_for_worker,
    run_input,
    run_options,
    run_request,
    update_run,
    update_runs,
    wipe_after_reading,
)

__all__ = [
    "CSV_COLUMNS",
    "EXCLUSIONS",
    "STATES",
    "Among",
    "BodyComparison",
    "Bucket",
    "Changed",
    "Checkpoint",
    "ClaimedRun",
    "Comparison",
    "Counts",
    "Created",
    "DataclipRef",
    "Deed",
    "EarlierInput",
    "Enqueued",
    "ErrorGroupRow",
    "Evidence",
    "ExportFormat",
    "GroupFilters",
    "GroupRun",
    "GroupSort",
    "GroupState",
    "HistoryRow",
    "LastOrder",
    "LineItem",
    "LinesAmong",
    "LogComparison",
    "LogLevel",
    "LogPage",
    "LogRow",
    "NewGroupState",
    "NewRun",
    "NewView",
    "NumberedPage",
    "Outcome",
    "PastLine",
    "PastStep",
    "PastWorkorder",
    "Pill",
    "Preview",
    "Priority",
    "Problem",
    "ProjectStatistics",
    "QueryText",
    "ReadFilters",
    "RunItem",
    "RunLine",
    "RunOptions",
    "RunPage",
    "RunState",
    "SearchField",
    "SearchFilters",
    "Selection",
    "Sort",
    "Span",
    "StepItem",
    "StepLine",
    "StepPair",
    "StepRow",
    "Total",
    "View",
    "ViewEdit",
    "ViewRename",
    "WorkerRun",
    "WorkflowSort",
    "WorkflowStatistics",
    "WorkorderItem",
    "WorkorderState",
    "any_stop_due",
    "anything_due",
    "anything_unsorted",
    "append_log",
    "append_logs",
    "ask_stop",
    "cancel_by_hand",
    "cancel_export",
    "cancel_run",
    "cancel_run_by_hand",
    "cancel_workorder",
    "change_view",
    "claim",
    "claim_run",
    "compare_bodies",
    "compare_logs",
    "compare_runs",
    "complete_run",
    "complete_step",
    "count",
    "count_open_groups",
    "count_views",
    "create_for_trigger",
    "create_manual",
    "create_view",
    "credential_of_run",
    "daily_counts",
    "delete_expired_exports",
    "delete_export",
    "delete_view",
    "dequeue",
    "earlier_inputs",
    "edit_view",
    "enqueue",
    "enqueue_many",
    "ensure_log_partitions",
    "error_types",
    "find_view",
    "first_step",
    "force_stops",
    "forget_bodies",
    "get",
    "get_error_group",
    "get_line_item",
    "get_many",
    "get_many_with_runs",
    "get_run_item",
    "get_view",
    "get_workorder_item",
    "group_trend",
    "hourly_counts",
    "index_backlog",
    "index_due",
    "job_log_lines",
    "job_log_text",
    "limit_runs",
    "list_error_groups",
    "list_lines",
    "list_runs",
    "list_steps",
    "list_views",
    "list_workorders",
    "log_lines",
    "log_text",
    "mark_lost",
    "mark_run_lost",
    "mark_steps_lost",
    "prepare_log_partitions",
    "preview_bulk",
    "project_of_run",
    "project_statistics",
    "read_filters",
    "read_input",
    "read_query",
    "record_download",
    "record_past",
    "rename_view",
    "request_export",
    "retry_by_hand",
    "retry_export",
    "retry_failed_items",
    "retry_from_start",
    "retry_from_step",
    "retry_many_from_job",
    "retry_many_from_start",
    "retry_run_steps",
    "retry_step_by_hand",
    "run_body",
    "run_by_hand",
    "run_for_worker",
    "run_input",
    "run_options",
    "run_page",
    "run_request",
    "runs_of",
    "runs_of_group",
    "search",
    "secrets_of_step_output",
    "set_group_state",
    "share_view",
    "shown_body",
    "shown_preview",
    "sort_failures",
    "sorted_workflows",
    "start_bulk",
    "start_run",
    "start_step",
    "statistics_of",
    "step_count",
    "step_log_lines",
    "step_log_text",
    "step_with_job",
    "stop_deadline",
    "stops_asked",
    "suggest",
    "update_run",
    "update_runs",
    "wipe_after_reading",
    "workflow_statistics",
    "workflows_of",
    "write_csv",
    "write_query",
]
