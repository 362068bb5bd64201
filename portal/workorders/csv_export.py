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
from typing import BinaryIO

import sqlalchemy as sa

from portal.core import db
from portal.core.db import Json
from portal.projects import Project
from portal.workorders.inputs import SearchFilters
from portal.workorders.listing import Wanted
from portal.workorders.search import all_keys_sql

BATCH = 2_000
ID_BYTES = 16
LISTING_TIMEOUT = "10min"
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
HEADER = (",".join(COLUMNS) + "\r\n").encode()

# Whatever a person may have written goes through csv_cell; ids, numbers, times and our own words need not.
# The error type is that of the newest run.
_LINES = sa.text("""
    SELECT coalesce(string_agg(
        concat_ws(',',
            w.id, csv_cell(f.name), w.state, coalesce(t.type, ''), coalesce(CAST(w.dataclip_id AS text), ''),
            csv_cell(d.name), coalesce(r.runs, 0), csv_cell(r.error_type),
            to_char(w.inserted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            to_char(w.last_activity AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            csv_cell(p.name)
        ) || E'\\r\\n', '' ORDER BY k.place), ''), count(w.id)
    FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS k (id, place)
    JOIN work_orders AS w ON w.id = k.id AND w.project_id = :project_id
    JOIN projects AS p ON p.id = w.project_id
    JOIN workflows AS f ON f.id = w.workflow_id
    LEFT JOIN triggers AS t ON t.id = w.trigger_id
    LEFT JOIN dataclips AS d ON d.id = w.dataclip_id
    LEFT JOIN LATERAL (
        SELECT runs.error_type, count(*) OVER () AS runs FROM runs WHERE runs.work_order_id = w.id
        ORDER BY runs.inserted_at DESC, runs.id DESC LIMIT 1
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
    """Write the ids of all that pass, 16 bytes each; answers their number."""
    found = all_keys_sql(wanted)
    if found is None:
        return 0
    listed = 0
    session = db.session()
    session.execute(
        sa.text("SELECT set_config('statement_timeout', :value, true)"), {"value": LISTING_TIMEOUT}
    )
    statement = sa.text(found[0]).execution_options(yield_per=BATCH)
    for part in session.execute(statement, found[1]).partitions():
        ids.write(b"".join(row.id.bytes for row in part))
        listed += len(part)
    ids.flush()
    return listed


def _batch(
    project_id: uuid.UUID, before: Checkpoint, sink: BinaryIO, ids: BinaryIO, on_batch: Report
) -> Checkpoint:
    block = ids.read(min(BATCH, (before.listed or 0) - before.done) * ID_BYTES)
    wanted = [uuid.UUID(bytes=block[start : start + ID_BYTES]) for start in range(0, len(block), ID_BYTES)]
    if not wanted:
        raise OSError("the list of ids is shorter than it was")
    with db.unit_of_work():
        lines, rows = db.session().execute(_LINES, {"ids": wanted, "project_id": project_id}).one()
        written = lines.encode()
        sink.write(written)
        sink.flush()
        after = Checkpoint(
            before.listed, before.done + len(wanted), before.rows + rows, before.length + len(written)
        )
        on_batch(after)
    return after
