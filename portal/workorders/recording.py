"""Taking over work orders that have come and gone already: one unit for many, a statement for each table.

For histories that are brought along (demo data, a move from another installation). What
is stored is what the worker's own commands would have left behind, step by step; a test
holds the two against each other. Nothing is announced, for nothing has just happened.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal import dataclips
from portal.core import db
from portal.core.db import Json
from portal.core.errors import Invalid
from portal.core.ids import id_at, new_id
from portal.core.text import N_
from portal.dataclips import DataclipType, NewDataclip
from portal.workorders import logs, queue, versions
from portal.workorders.models import LogLine, Priority, Run, RunStep, Step, Workorder
from portal.workorders.states import final_state
from portal.workorders.versions import Version

_CREDENTIALS = sa.text("""
    SELECT CAST(j.job ->> 'id' AS uuid), pc.credential_id
    FROM snapshots s CROSS JOIN jsonb_array_elements(s.jobs) AS j (job)
    LEFT JOIN project_credentials pc ON CAST(pc.id AS text) = j.job ->> 'project_credential_id'
    WHERE s.id = :snapshot_id
""")


@dataclass(frozen=True, slots=True)
class PastStep:
    """A finished step. Its input is the output of the step at place `input_from`, or the work order's."""

    job_id: uuid.UUID
    started_at: datetime
    finished_at: datetime
    reason: str
    error_type: str | None = None
    output: str | None = None
    input_from: int | None = None


@dataclass(frozen=True, slots=True)
class PastLine:
    """A log line; `step` is the place of its step among the run's, None for a line of the run itself."""

    timestamp: datetime
    level: str
    source: str | None
    message: object
    step: int | None = None


@dataclass(frozen=True, slots=True)
class PastWorkorder:
    """A work order that arrived at `at` by a trigger, with its one finished run; `body` is JSON text."""

    trigger_id: uuid.UUID
    at: datetime
    body: object
    state: str
    claimed_at: datetime
    started_at: datetime
    finished_at: datetime
    steps: Sequence[PastStep] = ()
    lines: Sequence[PastLine] = ()
    request: object | None = None
    error_type: str | None = None
    worker_name: str | None = None


LINE_COLUMNS = ("step_id", "level", "source", "message", "timestamp", "line_id")


def record_past(past: Sequence[PastWorkorder]) -> list[uuid.UUID]:
    """Store finished work orders with all that belongs to them; answers their ids in the same order.

    Each is checked as the single commands check: final state (workorders §3.2), jobs of the
    snapshot (§8.3), log lines (§8.5), bodies. Log partitions of old months must be there.
    All or none. Raises NotFound (trigger), Invalid, TooLarge.
    """
    known: dict[uuid.UUID, _Known] = {}
    with db.unit_of_work():
        records = [_Record(order, _known(order.trigger_id, known)) for order in past]
        dataclips.create_many([clip for record in records for clip in record.clips()])
        for model in (Workorder, Run, Step, RunStep, LogLine):
            _copy(model, [row for record in records for row in record.rows(model)])
    return [record.id for record in records]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored of a trigger: the version that runs, and the credential of each of its jobs."""

    version: Version
    credentials: Mapping[uuid.UUID, uuid.UUID | None]


def _known(trigger_id: uuid.UUID, known: dict[uuid.UUID, _Known]) -> _Known:
    if trigger_id not in known:
        version = versions.of_trigger(trigger_id)
        jobs = db.session().execute(_CREDENTIALS, {"snapshot_id": version.snapshot_id})
        known[trigger_id] = _Known(version, {row[0]: row[1] for row in jobs})
    return known[trigger_id]


class _Record:
    """One past work order with the ids that it gets."""

    def __init__(self, past: PastWorkorder, known: _Known) -> None:
        self.past, self.known = past, known
        self.state = final_state(past.state, None)
        self.id, self.run_id, self.input_id = (id_at(past.at) for _ in range(3))
        self.step_ids = [id_at(step.started_at) for step in past.steps]
        self.outputs = [id_at(step.finished_at) if step.output is not None else None for step in past.steps]
        if any(step.job_id not in known.credentials for step in past.steps):
            raise Invalid({"job_id": [N_("does not exist")]})

    def clips(self) -> Iterable[NewDataclip]:
        project_id, by = self.known.version.project_id, self.known.version.trigger_type
        kind = DataclipType.HTTP_REQUEST if by == "webhook" else DataclipType.GLOBAL
        yield NewDataclip(self.input_id, project_id, kind, self.past.body, self.past.at, self.past.request)
        for step, output in zip(self.past.steps, self.outputs, strict=True):
            if output is not None:
                yield NewDataclip(output, project_id, DataclipType.STEP_RESULT, step.output, step.finished_at)

    def rows(self, model: type[db.Base]) -> list[Json]:
        makers = {
            Workorder: self._workorder,
            Run: self._run,
            Step: self._steps,
            RunStep: self._links,
            LogLine: self._lines,
        }
        return makers[model]()

    def _place(self) -> Json:
        version = self.known.version
        return {
            "project_id": version.project_id,
            "workflow_id": version.workflow_id,
            "snapshot_id": version.snapshot_id,
        }

    def _workorder(self) -> list[Json]:
        past = self.past
        row = {"id": self.id, **self._place(), "trigger_id": past.trigger_id, "dataclip_id": self.input_id}
        times = {"inserted_at": past.at, "last_activity": past.finished_at, "updated_at": past.finished_at}
        return [{**row, **times, "state": self.state.value}]

    def _run(self) -> list[Json]:
        past = self.past
        return [
            {
                "id": self.run_id,
                "work_order_id": self.id,
                **self._place(),
                "dataclip_id": self.input_id,
                "starting_trigger_id": past.trigger_id,
                "state": self.state.value,
                "error_type": past.error_type,
                "priority": int(Priority.NORMAL),
                "queue": queue.DEFAULT,
                "options": json.dumps(self.known.version.options()),
                "worker_name": past.worker_name,
                "claimed_at": past.claimed_at,
                "started_at": past.started_at,
                "finished_at": past.finished_at,
                "log_count": len(past.lines),
                "search_due_at": past.finished_at,
                "inserted_at": past.at,
                "updated_at": past.finished_at,
            }
        ]

    def _steps(self) -> list[Json]:
        return [
            {
                "id": self.step_ids[place],
                "job_id": step.job_id,
                "snapshot_id": self.known.version.snapshot_id,
                "credential_id": self.known.credentials[step.job_id],
                "input_dataclip_id": self._input_of(step),
                "output_dataclip_id": self.outputs[place],
                "exit_reason": step.reason,
                "error_type": step.error_type,
                "started_at": step.started_at,
                "finished_at": step.finished_at,
                "inserted_at": step.started_at,
                "updated_at": step.finished_at,
            }
            for place, step in enumerate(self.past.steps)
        ]

    def _input_of(self, step: PastStep) -> uuid.UUID | None:
        return self.input_id if step.input_from is None else self.outputs[step.input_from]

    def _links(self) -> list[Json]:
        return [
            {"run_id": self.run_id, "step_id": step_id, "id": new_id(), "inserted_at": step.started_at}
            for step_id, step in zip(self.step_ids, self.past.steps, strict=True)
        ]

    def _lines(self) -> list[Json]:
        return [
            {"run_id": self.run_id, "seq": seq, **self._line(line)}
            for seq, line in enumerate(self.past.lines, start=1)
        ]

    def _line(self, line: PastLine) -> Json:
        step_id = None if line.step is None else self.step_ids[line.step]
        given = {"timestamp": line.timestamp, "level": line.level, "source": line.source, "step_id": step_id}
        stored = logs.checked({"message": line.message, **given})
        return {name: getattr(stored, name) for name in LINE_COLUMNS}


def _copy(model: type[db.Base], rows: list[Json]) -> None:
    """Write rows of the same columns with one COPY, five times as fast as inserts."""
    if not rows:
        return
    columns = ", ".join(f'"{name}"' for name in rows[0])
    cursor = db.session().connection().connection.cursor()
    with cursor.copy(f"COPY {model.__tablename__} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(list(row.values()))
