"""All that the page of one run shows, but for its log lines' text in full (workorders §8.5, ux)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.core import db
from portal.core.errors import NotFound
from portal.workorders.history import DataclipRef
from portal.workorders.models import LogLevel
from portal.workorders.stopping import BUSY, stop_deadline

MOST_LINES = 500

# ruff: noqa: S608 - statements are put together from constants of this module; values are always bound.


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step with the names that the executed version gave its job. `carried`: executed by an earlier run."""

    id: uuid.UUID
    job_id: uuid.UUID
    job_name: str | None
    adaptor: str | None
    exit_reason: str | None
    error_type: str | None
    started_at: datetime | None
    finished_at: datetime | None
    input: DataclipRef | None
    output: DataclipRef | None
    carried: bool


@dataclass(frozen=True, slots=True)
class RunPage:
    """A run, the work order and workflow it belongs to, and its steps by the time they began."""

    id: uuid.UUID
    state: str
    error_type: str | None
    priority: int
    worker_name: str | None
    inserted_at: datetime
    claimed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    work_order_id: uuid.UUID
    work_order_state: str
    workflow_id: uuid.UUID
    workflow_name: str
    workflow_deleted: bool
    trigger_type: str | None
    starting_job_id: uuid.UUID | None
    starting_job_name: str | None
    created_by_id: uuid.UUID | None
    created_by_name: str | None
    lock_version: int | None
    input: DataclipRef | None
    final: DataclipRef | None
    log_lines: int
    stop_asked_at: datetime | None
    stop_asked_by_name: str | None
    error_group_id: uuid.UUID | None
    siblings: tuple[uuid.UUID, ...]
    steps: tuple[StepRow, ...]

    @property
    def stop_deadline(self) -> datetime | None:
        """When the portal takes a run away that was asked to stop; None unless it still works."""
        if self.stop_asked_at is None or self.state not in BUSY:
            return None
        return stop_deadline(self.stop_asked_at)


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of a log. `seq` numbers the run's lines in the order of arrival, from 1."""

    seq: int
    timestamp: datetime
    level: str
    source: str | None
    message: str
    step_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines in the order of their times. Ask again with `last_seq`; `more` says whether it pays now."""

    lines: tuple[LogRow, ...]
    last_seq: int
    more: bool


_JOB = "jsonb_path_query_first({0}.jobs, '$[*] ? (@.id == $job)', jsonb_build_object('job', {1}))"
_CLIP = (
    "d{0}.id AS {0}_id, d{0}.type AS {0}_type, d{0}.name AS {0}_name, d{0}.wiped_at IS NOT NULL AS {0}_wiped"
)
_RUN = sa.text(f"""
    SELECT r.id, r.state, r.error_type, r.priority, r.worker_name, r.inserted_at, r.claimed_at, r.started_at,
        r.finished_at, r.stop_asked_at, r.error_group_id, r.log_count AS log_lines,
        r.starting_job_id, r.created_by_id,
        w.id AS work_order_id, w.state AS work_order_state,
        f.id AS workflow_id, f.name AS workflow_name, f.deleted_at IS NOT NULL AS workflow_deleted,
        t.type AS trigger_type, n.lock_version,
        {_JOB.format("n", "r.starting_job_id")} ->> 'name' AS starting_job_name,
        nullif(trim(concat_ws(' ', u.first_name, u.last_name)), '') AS created_by_name,
        nullif(trim(concat_ws(' ', s.first_name, s.last_name)), '') AS stop_asked_by_name,
        {_CLIP.format("input")}, {_CLIP.format("final")},
        ARRAY(SELECT o.id FROM runs AS o WHERE o.work_order_id = w.id
            ORDER BY o.inserted_at, o.id) AS siblings
    FROM runs AS r
    JOIN work_orders AS w ON w.id = r.work_order_id
    JOIN workflows AS f ON f.id = r.workflow_id
    LEFT JOIN triggers AS t ON t.id = w.trigger_id
    LEFT JOIN snapshots AS n ON n.id = r.snapshot_id
    LEFT JOIN users AS u ON u.id = r.created_by_id
    LEFT JOIN users AS s ON s.id = r.stop_asked_by_id
    LEFT JOIN dataclips AS dinput ON dinput.id = r.dataclip_id
    LEFT JOIN dataclips AS dfinal ON dfinal.id = r.final_dataclip_id
    WHERE r.id = :run_id AND r.project_id = :project_id
""")
_STEPS = sa.text(f"""
    SELECT s.id, s.job_id, s.exit_reason, s.error_type, s.started_at, s.finished_at,
        j.job ->> 'name' AS job_name, j.job ->> 'adaptor' AS adaptor,
        {_CLIP.format("input")}, {_CLIP.format("output")},
        EXISTS (SELECT FROM run_steps AS o WHERE o.step_id = s.id
            AND (o.inserted_at, o.run_id) < (rs.inserted_at, rs.run_id)) AS carried
    FROM run_steps AS rs
    JOIN runs AS r ON r.id = rs.run_id
    JOIN steps AS s ON s.id = rs.step_id
    LEFT JOIN snapshots AS n ON n.id = coalesce(s.snapshot_id, r.snapshot_id)
    CROSS JOIN LATERAL (SELECT {_JOB.format("n", "s.job_id")} AS job) AS j
    LEFT JOIN dataclips AS dinput ON dinput.id = s.input_dataclip_id
    LEFT JOIN dataclips AS doutput ON doutput.id = s.output_dataclip_id
    WHERE rs.run_id = :run_id
    ORDER BY s.started_at, s.id
""")
# Pages are cut by number, so that a line which arrives late is never missed by who follows a live run.
_LINES = sa.text("""
    SELECT l.seq, l.timestamp, l.level, l.source, l.message, l.step_id
    FROM log_lines AS l
    WHERE l.run_id = :run_id AND l.seq > :after_seq
        AND (CAST(:levels AS text[]) IS NULL OR l.level = ANY(CAST(:levels AS text[])))
        AND (CAST(:step_id AS uuid) IS NULL OR l.step_id = :step_id)
    ORDER BY l.seq LIMIT :limit
""")
_LAST = sa.text("SELECT log_count FROM runs WHERE id = :run_id AND project_id = :project_id")


def run_page(project_id: uuid.UUID, run_id: uuid.UUID) -> RunPage:
    """One run with everything its page shows, in two statements.

    Job names and adaptors are those of the executed version. Raises NotFound, also for a
    run of another project.
    """
    row = db.session().execute(_RUN, {"run_id": run_id, "project_id": project_id}).one_or_none()
    if row is None:
        raise NotFound
    values = dict(row._mapping)
    values["input"], values["final"] = _clip(values, "input"), _clip(values, "final")
    values["siblings"] = tuple(values["siblings"])
    return RunPage(**values, steps=_steps(run_id))


def log_lines(
    project_id: uuid.UUID,
    run_id: uuid.UUID,
    *,
    levels: Collection[LogLevel | str] = (),
    step_id: uuid.UUID | None = None,
    after_seq: int = 0,
    limit: int = MOST_LINES,
) -> LogPage:
    """Lines of a run that arrived after number `after_seq`, shown by time, then number.

    No `levels`, or all, is no filter; an unknown one matches nothing. A page is cut by
    number and then sorted, so following a live run (asking again with `last_seq`) never
    misses a late line. Raises NotFound, also for a run of another project.
    """
    arrived = db.session().scalar(_LAST, {"run_id": run_id, "project_id": project_id})
    if arrived is None:
        raise NotFound
    values = {
        "run_id": run_id,
        "after_seq": max(after_seq, 0),
        "levels": [str(level) for level in levels] or None,
        "step_id": step_id,
        "limit": limit + 1,
    }
    found = [LogRow(*row) for row in db.session().execute(_LINES, values)]
    more, shown = len(found) > limit, found[:limit]
    last = shown[-1].seq if more else max(arrived, after_seq, *(line.seq for line in shown))
    return LogPage(tuple(sorted(shown, key=lambda line: (line.timestamp, line.seq))), last, more)


def _steps(run_id: uuid.UUID) -> tuple[StepRow, ...]:
    found = []
    for row in db.session().execute(_STEPS, {"run_id": run_id}):
        values = dict(row._mapping)
        values["input"], values["output"] = _clip(values, "input"), _clip(values, "output")
        found.append(StepRow(**values))
    return tuple(found)


def _clip(values: dict[str, Any], which: str) -> DataclipRef | None:
    id_, type_, name, wiped = (values.pop(f"{which}_{part}") for part in ("id", "type", "name", "wiped"))
    return DataclipRef(id_, type_, name, wiped) if id_ else None
