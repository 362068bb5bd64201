"""The rows of the history: what a list shows of a work order, its runs and steps (performance §3)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal.core import db
from portal.core.errors import NotFound
from portal.core.text import N_
from portal.workorders.evidence import Evidence

UNFINISHED = ("pending", "running")
# Why a work order or step that has ended cannot be retried, in words for people (workorders §10.5).
ERASED = N_("Its input was erased or never kept, so it cannot be retried.")
GONE = N_("Its workflow was deleted, so it cannot be retried.")


@dataclass(frozen=True, slots=True)
class DataclipRef:
    """A dataclip as lists show it. `wiped` ones keep name and type."""

    id: uuid.UUID
    type: str
    name: str | None
    wiped: bool


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One work order of the list. `runs` counts them; the `last_…` fields are of the newest run."""

    id: uuid.UUID
    state: str
    workflow_id: uuid.UUID
    workflow_name: str
    workflow_deleted: bool
    trigger_type: str | None
    inserted_at: datetime
    last_activity: datetime
    dataclip: DataclipRef | None
    runs: int
    last_run_id: uuid.UUID | None
    last_run_state: str | None
    last_error_type: str | None
    last_started_at: datetime | None
    last_finished_at: datetime | None
    evidence: tuple[Evidence, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it neither waits nor runs: only then a retry is offered (workorders §10.5)."""
        return self.state not in UNFINISHED

    @property
    def no_retry(self) -> str | None:
        """Why it cannot be retried from its start although it has ended; None when it can."""
        if self.workflow_deleted:
            return GONE
        return ERASED if self.dataclip is None or self.dataclip.wiped else None


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step inside an expanded row."""

    id: uuid.UUID
    job_id: uuid.UUID
    job_name: str | None
    exit_reason: str | None
    error_type: str | None
    started_at: datetime | None
    finished_at: datetime | None
    input_dataclip_id: uuid.UUID | None
    input_wiped: bool

    @property
    def retryable(self) -> bool:
        """Whether its input is still there to be run again (workorders §10.1.1)."""
        return self.input_dataclip_id is not None and not self.input_wiped


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run inside an expanded row, with its steps in the order in which they began."""

    id: uuid.UUID
    work_order_id: uuid.UUID
    state: str
    error_type: str | None
    inserted_at: datetime
    claimed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    steps: tuple[StepLine, ...]

    @property
    def waiting(self) -> bool:
        """Whether it can still be cancelled (workorders §12.1)."""
        return self.state == "available"


_ROWS = sa.text("""
    SELECT w.id, w.state, w.workflow_id, f.name AS workflow_name,
        f.deleted_at IS NOT NULL AS workflow_deleted,
        t.type AS trigger_type, w.inserted_at, w.last_activity,
        d.id AS dataclip_id, d.type AS dataclip_type, d.name AS dataclip_name,
        d.wiped_at IS NOT NULL AS wiped,
        coalesce(r.runs, 0) AS runs, r.id AS last_run_id, r.state AS last_run_state,
        r.error_type AS last_error_type, r.started_at AS last_started_at, r.finished_at AS last_finished_at
    FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS k (id, place)
    JOIN work_orders AS w ON w.id = k.id AND w.project_id = :project_id
    JOIN workflows AS f ON f.id = w.workflow_id
    LEFT JOIN triggers AS t ON t.id = w.trigger_id
    LEFT JOIN dataclips AS d ON d.id = w.dataclip_id
    LEFT JOIN LATERAL (
        SELECT runs.id, runs.state, runs.error_type, runs.started_at, runs.finished_at,
            count(*) OVER () AS runs
        FROM runs WHERE runs.work_order_id = w.id
        ORDER BY runs.inserted_at DESC, runs.id DESC LIMIT 1
    ) AS r ON true
    ORDER BY k.place
""")
_WORKFLOWS = sa.text("""
    SELECT DISTINCT workflow_id FROM work_orders
    WHERE id = ANY(CAST(:ids AS uuid[])) AND project_id = :project_id LIMIT :limit
""")
_RUNS = sa.text("""
    SELECT r.id AS run_id, r.work_order_id, r.state, r.error_type AS run_error, r.inserted_at, r.claimed_at,
        r.started_at AS run_started, r.finished_at AS run_finished,
        s.id, s.job_id, s.exit_reason, s.error_type, s.started_at, s.finished_at, s.input_dataclip_id,
        d.wiped_at IS NOT NULL AS wiped,
        jsonb_path_query_first(n.jobs, '$[*] ? (@.id == $job)',
            jsonb_build_object('job', s.job_id)) ->> 'name' AS job_name
    FROM runs AS r
    LEFT JOIN run_steps AS rs ON rs.run_id = r.id
    LEFT JOIN steps AS s ON s.id = rs.step_id
    LEFT JOIN snapshots AS n ON n.id = coalesce(s.snapshot_id, r.snapshot_id)
    LEFT JOIN dataclips AS d ON d.id = s.input_dataclip_id
    WHERE r.work_order_id = ANY(:ids) AND r.project_id = :project_id
    ORDER BY r.work_order_id, r.inserted_at DESC, r.id DESC, s.started_at, s.id
""")


def rows(project_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> list[HistoryRow]:
    """The project's work orders `ids`, in that order; ones that have gone are left out. One statement."""
    if not ids:
        return []
    found = db.session().execute(_ROWS, {"ids": list(ids), "project_id": project_id})
    return [_row(row) for row in found]


def get(project_id: uuid.UUID, work_order_id: uuid.UUID) -> HistoryRow:
    """One work order as its row of the history. Raises NotFound, also for one of another project."""
    found = rows(project_id, [work_order_id])
    if not found:
        raise NotFound
    return found[0]


def workflows_of(project_id: uuid.UUID, ids: Sequence[uuid.UUID], limit: int = 2) -> list[uuid.UUID]:
    """The workflows of the project's work orders `ids`, each once, at most `limit`."""
    values = {"ids": list(ids), "project_id": project_id, "limit": limit}
    return list(db.session().scalars(_WORKFLOWS, values))


def runs_of(project_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[RunLine]]:
    """The runs of work orders, newest first, each with its steps; one statement for all `ids`.

    Every id is a key of the answer; one of another project has an empty list.
    """
    grouped: dict[uuid.UUID, list[RunLine]] = {id_: [] for id_ in ids}
    if not grouped:
        return grouped
    found = db.session().execute(_RUNS, {"ids": list(grouped), "project_id": project_id}).all()
    steps: dict[uuid.UUID, list[StepLine]] = {}
    for row in found:
        steps.setdefault(row.run_id, []).extend([_step(row)] if row.id else [])
    for row in {row.run_id: row for row in found}.values():
        grouped[row.work_order_id].append(_run(row, tuple(steps[row.run_id])))
    return grouped


def _row(row: sa.Row[tuple[object, ...]]) -> HistoryRow:
    dataclip = None
    if row.dataclip_id:
        dataclip = DataclipRef(row.dataclip_id, row.dataclip_type, row.dataclip_name, row.wiped)
    return HistoryRow(
        row.id,
        row.state,
        row.workflow_id,
        row.workflow_name,
        row.workflow_deleted,
        row.trigger_type,
        row.inserted_at,
        row.last_activity,
        dataclip,
        row.runs,
        row.last_run_id,
        row.last_run_state,
        row.last_error_type,
        row.last_started_at,
        row.last_finished_at,
    )


def _run(row: sa.Row[tuple[object, ...]], steps: tuple[StepLine, ...]) -> RunLine:
    return RunLine(
        row.run_id,
        row.work_order_id,
        row.state,
        row.run_error,
        row.inserted_at,
        row.claimed_at,
        row.run_started,
        row.run_finished,
        steps,
    )


def _step(row: sa.Row[tuple[object, ...]]) -> StepLine:
    return StepLine(
        row.id,
        row.job_id,
        row.job_name,
        row.exit_reason,
        row.error_type,
        row.started_at,
        row.finished_at,
        row.input_dataclip_id,
        row.wiped,
    )
