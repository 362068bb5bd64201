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

from portal.core import db
from portal.core.db import Json
from portal.projects import Project
from portal.workorders.csv_columns import STANDARD, header, lines_sql
from portal.workorders.export_listing import ID_BYTES, as_array, list_ids, read_ids
from portal.workorders.inputs import SearchFilters
from portal.workorders.listing import Wanted

BATCH = 2_000
COLUMNS = STANDARD


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
    columns: tuple[str, ...] = STANDARD,
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
        wanted = Wanted(project.id, project.number, filters, cut_off=cut_off)
        reached = _begin(wanted, columns, sink, ids, on_batch)
    ids.seek(reached.done * ID_BYTES)
    while reached.done < (reached.listed or 0):
        reached = _batch(project.id, columns, reached, sink, ids, on_batch)
    return reached


def _begin(
    wanted: Wanted, columns: tuple[str, ...], sink: BinaryIO, ids: BinaryIO, on_batch: Report
) -> Checkpoint:
    with db.unit_of_work():
        listed = list_ids(wanted, ids)
        first = header(columns)
        sink.write(first)
        sink.flush()
        reached = Checkpoint(listed, 0, 0, len(first))
        on_batch(reached)
    return reached


def _batch(
    project_id: uuid.UUID,
    columns: tuple[str, ...],
    before: Checkpoint,
    sink: BinaryIO,
    ids: BinaryIO,
    on_batch: Report,
) -> Checkpoint:
    asked = read_ids(ids, min(BATCH, (before.listed or 0) - before.done))
    with db.unit_of_work():
        values = {"ids": as_array(asked), "project_id": project_id}
        lines, rows = db.session().execute(lines_sql(columns), values).one()
        written = lines.encode()
        sink.write(written)
        sink.flush()
        after = Checkpoint(
            before.listed, before.done + len(asked), before.rows + rows, before.length + len(written)
        )
        on_batch(after)
    return after
