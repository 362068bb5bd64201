"""The filtered history as CSV, in batches that can be taken up after a crash (performance §6).

The ids are listed once, in the order of the list, into a file of their own: the rows of
the export are those that pass the filters at that moment and were received before the
request. Each row then shows what stands in the database when it is written; a work order
that has gone meanwhile is left out (workorders §13.3). Nothing grows with the number of
rows but the two files, and no transaction outlives a batch.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, BinaryIO, cast

import sqlalchemy as sa
from psycopg import Connection

from portal.core import db
from portal.core.db import Json
from portal.projects import Project
from portal.workorders.inputs import SearchFilters
from portal.workorders.listing import Wanted
from portal.workorders.search import all_keys_sql

BATCH = 2_000
# An id as text, and a line feed.
ID_BYTES = 37
COLUMNS = (
    "work_order_id",
    "workflow",
    "state",
    "trigger_type",
    "input_dataclip_id",
    "input_dataclip_name",
    "runs",
    "last_error_type",
    "inserted_at",
    "last_activity",
    "project",
)
_BE_PATIENT = sa.text("SELECT set_config('statement_timeout', '10min', true)")
HEADER = (",".join(COLUMNS) + "\r\n").encode()

# Whatever a person may have written goes through csv_cell; ids, numbers, times and our own words need not.
# The error type is that of the newest run. The ids come as one array that the planner can count: from a
# subquery it expects a handful, and compares every row with every other.
_LINES = sa.text("""
    WITH batch AS MATERIALIZED (
        SELECT id, place FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS k (id, place)
    ), found AS MATERIALIZED (
        SELECT id, project_id, workflow_id, trigger_id, dataclip_id, state, inserted_at, last_activity
        FROM work_orders WHERE id = ANY(CAST(:ids AS uuid[])) AND project_id = :project_id
    ), project AS MATERIALIZED (
        SELECT csv_cell(name) AS cell FROM projects WHERE id = :project_id
    ), flows AS MATERIALIZED (
        SELECT id, csv_cell(name) AS cell FROM workflows WHERE project_id = :project_id
    )
    SELECT coalesce(string_agg(
        concat_ws(',',
            w.id, f.cell, w.state, coalesce(t.type, ''), coalesce(CAST(w.dataclip_id AS text), ''),
            csv_cell(d.name), coalesce(r.runs, 0), csv_cell(r.error_type),
            to_char(w.inserted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            to_char(w.last_activity AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            p.cell
        ) || E'\\r\\n', '' ORDER BY k.place), ''), count(w.id)
    FROM batch AS k
    JOIN found AS w ON w.id = k.id
    CROSS JOIN project AS p
    JOIN flows AS f ON f.id = w.workflow_id
    LEFT JOIN triggers AS t ON t.id = w.trigger_id
    LEFT JOIN dataclips AS d ON d.id = w.dataclip_id
    LEFT JOIN LATERAL (
        SELECT count(*) AS runs, (array_agg(error_type ORDER BY inserted_at DESC, id DESC))[1] AS error_type
        FROM runs WHERE runs.work_order_id = w.id
    ) AS r ON true
""")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far an export is: ids listed (None: not all yet) and dealt with, lines and bytes written."""

    listed: int | None = None
    done: int = 0
    rows: int = 0
    length: int = 0

    @classmethod
    def from_json(cls, stored: Json) -> Checkpoint:
        """Read what `to_json` wrote; {} is the beginning."""
        return cls(**stored)

    def to_json(self) -> Json:
        """For the ledger."""
        return asdict(self)


Report = Callable[[Checkpoint], object]


def write_csv(
    project: Project,
    filters: SearchFilters,
    *,
    cut_off: datetime,
    sink: BinaryIO,
    ids: BinaryIO,
    checkpoint: Checkpoint | None = None,
    on_batch: Report = lambda _: None,
) -> Checkpoint:
    """Write the work orders that pass the filters and were received until `cut_off`; answers the end.

    RFC 4180, UTF-8, times in ISO 8601 UTC. `sink` stands at `checkpoint.length`; `ids` is
    a file for reading and writing, and holds `checkpoint.listed` ids. `on_batch` is told
    of each checkpoint inside the unit of work of its batch; what it raises ends the export.
    Raises OSError of the files.
    """
    reached = checkpoint or Checkpoint()
    if reached.listed is None:
        reached = _begin(Wanted(project.id, project.number, filters, cut_off=cut_off), sink, ids, on_batch)
    ids.seek(reached.done * ID_BYTES)
    while reached.done < (reached.listed or 0):
        reached = _batch(project.id, reached, sink, ids, on_batch)
    return reached


def _begin(wanted: Wanted, sink: BinaryIO, ids: BinaryIO, on_batch: Report) -> Checkpoint:
    ids.seek(0)
    ids.truncate()
    with db.unit_of_work():
        listed = _list(wanted, ids)
        sink.write(HEADER)
        sink.flush()
        reached = Checkpoint(listed, 0, 0, len(HEADER))
        on_batch(reached)
    return reached


def _list(wanted: Wanted, ids: BinaryIO) -> int:
    """Write the ids of all that pass, a line each; answers their number."""
    found = all_keys_sql(wanted)
    if found is None:
        return 0
    session = db.session()
    session.execute(_BE_PATIENT)
    connection = session.connection()
    copy = sa.text(f"COPY (SELECT k.id FROM ({found[0]}) AS k) TO STDOUT").bindparams(**found[1])  # noqa: S608
    compiled = copy.compile(dialect=connection.dialect)
    listed = 0
    # The driver's own cursor: SQLAlchemy has no word for COPY.
    driver = cast(Connection[Any], connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(compiled.string, compiled.params) as lines:
        for line in lines:
            ids.write(line)
            listed += 1
    ids.flush()
    return listed


def _batch(
    project_id: uuid.UUID, before: Checkpoint, sink: BinaryIO, ids: BinaryIO, on_batch: Report
) -> Checkpoint:
    asked = min(BATCH, (before.listed or 0) - before.done)
    block = ids.read(asked * ID_BYTES)
    if len(block) < asked * ID_BYTES:
        raise OSError("the list of ids is shorter than it was")
    with db.unit_of_work():
        values = {"ids": "{" + ",".join(block.decode().split()) + "}", "project_id": project_id}
        lines, rows = db.session().execute(_LINES, values).one()
        written = lines.encode()
        sink.write(written)
        sink.flush()
        after = Checkpoint(
            before.listed, before.done + asked, before.rows + rows, before.length + len(written)
        )
        on_batch(after)
    return after
