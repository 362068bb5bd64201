"""Single questions about runs and steps, each within a project (workorders §2, §8.5)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.core import db, paging
from portal.core.errors import Invalid, NotFound
from portal.core.limits import limits
from portal.core.paging import Page
from portal.core.text import N_
from portal.workorders import history, runpage
from portal.workorders.history import HistoryRow, RunLine
from portal.workorders.runpage import MOST_LINES, LogPage

MOST_IDS = 1_000
_SCOPE = "steps"


@dataclass(frozen=True, slots=True)
class StepItem:
    """A step with the run that executed it, and its job as that run's version knew it."""

    id: uuid.UUID
    run_id: uuid.UUID
    workflow_id: uuid.UUID
    job_id: uuid.UUID
    job_name: str | None
    adaptor: str | None
    exit_reason: str | None
    error_type: str | None
    input_dataclip_id: uuid.UUID | None
    output_dataclip_id: uuid.UUID | None
    started_at: datetime | None
    finished_at: datetime | None
    received_at: datetime


# A step that a retry carries stands with the run that executed it, the first to have it.
_STEP = """
    SELECT s.id, r.id AS run_id, r.workflow_id, s.job_id, j.job ->> 'name' AS job_name,
        j.job ->> 'adaptor' AS adaptor, s.exit_reason, s.error_type, s.input_dataclip_id,
        s.output_dataclip_id, s.started_at, s.finished_at, r.inserted_at AS received_at
    FROM runs AS r
    JOIN run_steps AS rs ON rs.run_id = r.id
    JOIN steps AS s ON s.id = rs.step_id
    LEFT JOIN snapshots AS n ON n.id = coalesce(s.snapshot_id, r.snapshot_id)
    CROSS JOIN LATERAL (SELECT jsonb_path_query_first(n.jobs, '$[*] ? (@.id == $job)',
        jsonb_build_object('job', s.job_id)) AS job) AS j
    WHERE r.project_id = :project_id AND {which}
"""
_EXECUTED = """NOT EXISTS (SELECT FROM run_steps AS o WHERE o.step_id = s.id
    AND (o.inserted_at, o.run_id) < (rs.inserted_at, rs.run_id))"""
_LIST = """
    {step} ORDER BY r.inserted_at DESC, r.id DESC, s.id DESC LIMIT :limit
"""
_ALL = sa.text(_LIST.format(step=_STEP.format(which=_EXECUTED)))
_AFTER = sa.text(
    _LIST.format(
        step=_STEP.format(
            which=f"""{_EXECUTED} AND (r.inserted_at, r.id) <= (:received_at, :run_id)
                AND (r.inserted_at, r.id, s.id) < (:received_at, :run_id, :step_id)"""
        )
    )
)
_ONE = sa.text(_STEP.format(which=f"s.id = :step_id AND {_EXECUTED}"))
_FIRST = sa.text(
    _STEP.format(which="r.id = :run_id AND s.job_id = :job_id") + " ORDER BY s.started_at, s.id LIMIT 1"
)
_COUNT = sa.text("""
    SELECT (SELECT count(*) FROM run_steps WHERE run_id = r.id)
    FROM runs r WHERE r.id = :run_id AND r.project_id = :project_id
""")
_PROJECT = sa.text("SELECT project_id FROM runs WHERE id = :run_id")
_JOB_TEXT = sa.text("""
    SELECT string_agg(l.message, E'\\n' ORDER BY l.timestamp, l.seq)
    FROM run_steps rs
    JOIN steps s ON s.id = rs.step_id
    JOIN run_steps own ON own.step_id = s.id
    JOIN log_lines l ON l.run_id = own.run_id AND l.step_id = s.id
    WHERE rs.run_id = :run_id AND s.job_id = :job_id
""")


def project_of_run(run_id: uuid.UUID) -> uuid.UUID:
    """The project that a run belongs to. Raises NotFound."""
    found: uuid.UUID | None = db.session().scalar(_PROJECT, {"run_id": run_id})
    if found is None:
        raise NotFound
    return found


def get_many(project_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> list[HistoryRow]:
    """The project's work orders `ids` (at most 1,000), in that order; those that are not there are left out.

    Raises Invalid on `ids` for more.
    """
    return history.rows(project_id, _few(ids))


def get_many_with_runs(
    project_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[tuple[HistoryRow, list[RunLine]]]:
    """As `get_many`, each with its runs, newest first, and their steps. Two statements."""
    runs = history.runs_of(project_id, _few(ids))
    return [(row, runs[row.id]) for row in history.rows(project_id, ids)]


def _few(ids: Sequence[uuid.UUID]) -> Sequence[uuid.UUID]:
    if len(ids) > MOST_IDS:
        raise Invalid({"ids": [N_("are too many at once")]})
    return ids


def list_steps(
    project_id: uuid.UUID, cursor: str | None = None, *, size: int | None = None
) -> Page[StepItem]:
    """The steps of a project, those of the newest run first, each once. Raises Invalid on `cursor`."""
    wanted = size or limits().page_size
    values: dict[str, Any] = {"project_id": project_id, "limit": wanted + 1}
    scope = f"{_SCOPE}:{project_id}"
    if cursor is not None:
        received_at, run_id, step_id = paging.decode(scope, cursor)
        values |= {"received_at": received_at, "run_id": run_id, "step_id": step_id}
    found = db.session().execute(_ALL if cursor is None else _AFTER, values)
    steps = [StepItem(*row) for row in found]
    return paging.page_of(
        steps,
        wanted,
        lambda step: paging.encode(scope, [step.received_at.isoformat(), str(step.run_id), str(step.id)]),
    )


def step_with_job(project_id: uuid.UUID, step_id: uuid.UUID) -> StepItem:
    """One step with its job. Raises NotFound, also for a step of another project."""
    row = db.session().execute(_ONE, {"project_id": project_id, "step_id": step_id}).one_or_none()
    if row is None:
        raise NotFound
    return StepItem(*row)


def first_step(project_id: uuid.UUID, run_id: uuid.UUID, job_id: uuid.UUID) -> StepItem | None:
    """The first step of a job in a run, carried ones too; None when the run has none, or is not there."""
    values = {"project_id": project_id, "run_id": run_id, "job_id": job_id}
    row = db.session().execute(_FIRST, values).one_or_none()
    return StepItem(*row) if row else None


def step_count(project_id: uuid.UUID, run_id: uuid.UUID) -> int:
    """How many steps a run has, carried ones too. Raises NotFound, also for a run of another project."""
    found: int | None = db.session().scalar(_COUNT, {"project_id": project_id, "run_id": run_id})
    if found is None:
        raise NotFound
    return found


def step_log_lines(
    project_id: uuid.UUID, step_id: uuid.UUID, *, after_seq: int = 0, limit: int = MOST_LINES
) -> LogPage:
    """The lines of one step, as `log_lines`. Raises NotFound, also for a step of another project."""
    step = step_with_job(project_id, step_id)
    return runpage.log_lines(project_id, step.run_id, step_id=step_id, after_seq=after_seq, limit=limit)


def job_log_lines(
    project_id: uuid.UUID,
    run_id: uuid.UUID,
    job_id: uuid.UUID,
    *,
    after_seq: int = 0,
    limit: int = MOST_LINES,
) -> LogPage:
    """The lines of a job's first step in a run, as `log_lines`; none when the run has no such step."""
    step = first_step(project_id, run_id, job_id)
    if step is None:
        step_count(project_id, run_id)
        return LogPage((), after_seq, False)
    return step_log_lines(project_id, step.id, after_seq=after_seq, limit=limit)


def job_log_text(project_id: uuid.UUID, run_id: uuid.UUID, job_id: uuid.UUID) -> str | None:
    """The messages of a job's steps in a run, joined with line feeds; no step gives None (workorders §8.5).

    Raises NotFound, also for a run of another project.
    """
    if first_step(project_id, run_id, job_id) is None:
        step_count(project_id, run_id)
        return None
    return db.session().scalar(_JOB_TEXT, {"run_id": run_id, "job_id": job_id}) or ""
