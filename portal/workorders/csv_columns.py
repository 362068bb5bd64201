"""The columns of a CSV export, and the statement that writes the chosen ones (workorders §13.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa

from portal.core.errors import Invalid
from portal.core.text import N_

NONE_CHOSEN = N_("Choose at least one column.")
UNKNOWN = N_("One of these columns does not exist.")
TWICE = N_("Each column can be chosen once.")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in the header, what people call it, its cell in SQL (never null), what it joins."""

    name: str
    label: str
    cell: str
    joins: tuple[str, ...] = ()


# In the order in which they are joined; each may use those before it. The error type is the newest run's.
_JOINS = {
    "project": "CROSS JOIN (SELECT csv_cell(name) AS cell FROM projects WHERE id = :project_id) AS p",
    "flow": "JOIN flows AS f ON f.id = w.workflow_id",
    "trigger": "LEFT JOIN triggers AS t ON t.id = w.trigger_id",
    "clip": "LEFT JOIN dataclips AS d ON d.id = w.dataclip_id",
    "runs": """LEFT JOIN LATERAL (
        SELECT count(*) AS runs, (array_agg(error_type ORDER BY inserted_at DESC, id DESC))[1] AS error_type
        FROM runs WHERE runs.work_order_id = w.id
    ) AS r ON true""",
    "newest": """LEFT JOIN LATERAL (
        SELECT id, state, started_at, finished_at, error_group_id FROM runs
        WHERE runs.work_order_id = w.id ORDER BY inserted_at DESC, id DESC LIMIT 1
    ) AS n ON true""",
    "failure": """LEFT JOIN LATERAL (
        SELECT jsonb_path_query_first(
            x.jobs, '$[*] ? (@.id == $job)', jsonb_build_object('job', s.job_id)) ->> 'name' AS job
        FROM run_steps AS rs JOIN steps AS s ON s.id = rs.step_id
        LEFT JOIN snapshots AS x ON x.id = s.snapshot_id
        WHERE rs.run_id = n.id AND s.exit_reason <> 'success'
        ORDER BY s.finished_at DESC NULLS LAST, s.id DESC LIMIT 1
    ) AS j ON true""",
}


def _text(expression: str) -> str:
    return f"coalesce(CAST({expression} AS text), '')"


def _time(column: str) -> str:
    return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


_MILLISECONDS = "CAST(round(extract(epoch FROM n.finished_at - n.started_at) * 1000) AS bigint)"

# Whatever a person may have written goes through csv_cell; ids, numbers, times and our own words need not.
_ALL = (
    Column("work_order_id", N_("Work order"), "w.id"),
    Column("workflow", N_("Workflow"), "f.cell", ("flow",)),
    Column("state", N_("State"), "w.state"),
    Column("trigger_type", N_("Trigger"), _text("t.type"), ("trigger",)),
    Column("input_dataclip_id", N_("Input"), _text("w.dataclip_id")),
    Column("input_dataclip_name", N_("Name of the input"), "csv_cell(d.name)", ("clip",)),
    Column("runs", N_("Number of runs"), "coalesce(r.runs, 0)", ("runs",)),
    Column("last_error_type", N_("Last error"), "csv_cell(r.error_type)", ("runs",)),
    Column("inserted_at", N_("Received"), _time("w.inserted_at")),
    Column("last_activity", N_("Last activity"), _time("w.last_activity")),
    Column("project", N_("Project"), "p.cell", ("project",)),
    Column("last_run_id", N_("Last run"), _text("n.id"), ("newest",)),
    Column("last_run_state", N_("State of the last run"), _text("n.state"), ("newest",)),
    Column("duration_ms", N_("Duration of the last run"), _text(_MILLISECONDS), ("newest",)),
    Column("failed_job", N_("Job that failed"), "csv_cell(j.job)", ("newest", "failure")),
    Column("error_group_id", N_("Error group"), _text("n.error_group_id"), ("newest",)),
    Column("workflow_id", N_("Id of the workflow"), "w.workflow_id"),
    Column("snapshot_id", N_("Workflow version"), _text("w.snapshot_id")),
)
CSV_COLUMNS = {column.name: column for column in _ALL}
# What an export holds when nobody chose.
STANDARD = tuple(CSV_COLUMNS)[:11]

# The ids come as one array that the planner can count: from a subquery it expects a handful, and compares
# every row with every other.
_LINES = """
    WITH batch AS MATERIALIZED (
        SELECT id, place FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS k (id, place)
    ), found AS MATERIALIZED (
        SELECT id, workflow_id, snapshot_id, trigger_id, dataclip_id, state, inserted_at, last_activity
        FROM work_orders WHERE id = ANY(CAST(:ids AS uuid[])) AND project_id = :project_id
    ), flows AS MATERIALIZED (
        SELECT id, csv_cell(name) AS cell FROM workflows WHERE project_id = :project_id
    )
    SELECT coalesce(string_agg(
        concat_ws(',', {cells}) || E'\\r\\n', '' ORDER BY k.place), ''), count(w.id)
    FROM batch AS k
    JOIN found AS w ON w.id = k.id
    {joins}
"""


def checked(columns: Sequence[str] | None) -> tuple[str, ...]:
    """The columns as chosen, in the order given; None stands for the standard ones.

    Raises Invalid on `columns` for none at all, an unknown one, or one named twice.
    """
    if columns is None:
        return STANDARD
    refused = {NONE_CHOSEN: not columns, UNKNOWN: bool(set(columns) - set(CSV_COLUMNS))}
    refused[TWICE] = len(set(columns)) < len(columns)
    for message, applies in refused.items():
        if applies:
            raise Invalid({"columns": [message]})
    return tuple(columns)


def header(columns: Sequence[str]) -> bytes:
    """The first line of the file."""
    return (",".join(columns) + "\r\n").encode()


@lru_cache(maxsize=64)
def lines_sql(columns: tuple[str, ...]) -> sa.TextClause:
    """The statement for the lines of a batch (values ids, project_id): one text, and the number of lines."""
    chosen = [CSV_COLUMNS[name] for name in columns]
    wanted = {join for column in chosen for join in column.joins}
    joins = [join for name, join in _JOINS.items() if name in wanted]
    cells = ", ".join(column.cell for column in chosen)
    return sa.text(_LINES.format(cells=cells, joins="\n    ".join(joins)))
