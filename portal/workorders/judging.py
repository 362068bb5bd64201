"""Which work orders can be retried or cancelled, and why not: one rule for one and for many (§10, §12).

Each statement takes many ids at once and finds, for each, where a new run would begin and
with what input; a second layer names the first reason against it. With a cut-off the state
counts too (a bulk deed, §10.5): without one, the bare service functions judge no states.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.core import db
from portal.workorders.deeds import Deed

# ruff: noqa: S608 - statements are put together from constants of this module; values are always bound.

_ORDERS = """
    FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS k (id, place)
    LEFT JOIN work_orders w ON w.id = k.id AND w.project_id = :project_id
"""
# The first run decides where a work order starts; a rejected one has only its trigger (§10.3.4).
_FROM_START = f"""
    SELECT k.place, k.id AS work_order_id, w.workflow_id, w.state, w.last_activity, w.inserted_at,
           w.dataclip_id, CAST(NULL AS uuid) AS run_id, true AS has_step,
           coalesce(first.starting_job_id, (
               SELECT e.target_job_id FROM edges e
               WHERE e.workflow_id = w.workflow_id
                 AND e.source_trigger_id = coalesce(first.starting_trigger_id, w.trigger_id)
               ORDER BY e.inserted_at, e.id LIMIT 1)) AS job_id
    {_ORDERS}
    LEFT JOIN LATERAL (
        SELECT starting_job_id, starting_trigger_id FROM runs
        WHERE work_order_id = w.id ORDER BY coalesce(started_at, inserted_at), id LIMIT 1) AS first ON true
"""
# The latest run alone counts, even where an older one has a step for the job (§10.2).
_FROM_JOB = f"""
    SELECT k.place, k.id AS work_order_id, w.workflow_id, w.state, w.last_activity, w.inserted_at,
           step.input_dataclip_id AS dataclip_id, latest.id AS run_id, step.id IS NOT NULL AS has_step,
           CAST(:job_id AS uuid) AS job_id
    {_ORDERS}
    LEFT JOIN LATERAL (
        SELECT id FROM runs WHERE work_order_id = w.id
        ORDER BY inserted_at DESC, id DESC LIMIT 1) AS latest ON true
    LEFT JOIN LATERAL (
        SELECT s.id, s.input_dataclip_id FROM run_steps rs JOIN steps s ON s.id = rs.step_id
        WHERE rs.run_id = latest.id AND s.job_id = :job_id
        ORDER BY s.started_at DESC NULLS LAST, s.id DESC LIMIT 1) AS step ON true
"""
_FROM_STEPS = """
    SELECT k.place, w.id AS work_order_id, w.workflow_id, w.state, w.last_activity, w.inserted_at,
           s.input_dataclip_id AS dataclip_id, r.id AS run_id, s.id IS NOT NULL AS has_step, s.job_id
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:step_ids AS uuid[]))
        WITH ORDINALITY AS k (run_id, step_id, place)
    LEFT JOIN (run_steps rs JOIN steps s ON s.id = rs.step_id
               JOIN runs r ON r.id = rs.run_id AND r.project_id = :project_id
               JOIN work_orders w ON w.id = r.work_order_id)
        ON rs.run_id = k.run_id AND rs.step_id = k.step_id
"""
_RETRIED = """
    WITH origins AS MATERIALIZED ({origins}),
    versions AS MATERIALIZED (
        SELECT f.id AS workflow_id, f.deleted_at IS NOT NULL AS deleted, s.id AS snapshot_id,
               ARRAY(SELECT j ->> 'id' FROM jsonb_array_elements(s.jobs) AS j) AS jobs
        FROM workflows f LEFT JOIN snapshots s ON s.workflow_id = f.id AND s.lock_version = f.lock_version
        WHERE f.id IN (SELECT workflow_id FROM origins)
    ), judged AS (
        SELECT o.place, o.work_order_id, o.workflow_id, o.inserted_at, o.dataclip_id, o.run_id, o.job_id,
               CASE WHEN o.workflow_id IS NULL THEN 'not_here'
                    WHEN o.last_activity > :cut_off THEN 'changed'
                    WHEN o.state IN ('pending', 'running')
                         AND CAST(:cut_off AS timestamptz) IS NOT NULL THEN 'unfinished'
                    WHEN NOT o.has_step THEN 'no_such_step'
                    WHEN d.id IS NULL OR d.wiped_at IS NOT NULL THEN 'input_wiped'
                    WHEN v.deleted THEN 'workflow_deleted'
                    WHEN v.snapshot_id IS NULL THEN 'no_version'
                    WHEN CAST(o.job_id AS text) = ANY(v.jobs) THEN NULL
                    ELSE 'no_such_job' END AS reason
        FROM origins o
        LEFT JOIN dataclips d ON d.id = o.dataclip_id
        LEFT JOIN versions v ON v.workflow_id = o.workflow_id
    )
"""
# Runs that were made after the cut-off are not cancelled, so they do not count here.
_CANCELLED = f"""
    WITH judged AS (
        SELECT k.place, k.id AS work_order_id, w.workflow_id, w.inserted_at, w.dataclip_id,
               CAST(NULL AS uuid) AS run_id, CAST(NULL AS uuid) AS job_id,
               CASE WHEN w.id IS NULL THEN 'not_here'
                    WHEN NOT EXISTS (
                        SELECT FROM runs r WHERE r.work_order_id = w.id AND r.state = 'available'
                          AND (CAST(:cut_off AS timestamptz) IS NULL OR r.inserted_at <= :cut_off)
                    ) THEN 'nothing_waiting' END AS reason
        {_ORDERS}
    )
"""
_JUDGED = {
    Deed.RETRY: _RETRIED.format(origins=_FROM_START),
    Deed.RETRY_FROM_JOB: _RETRIED.format(origins=_FROM_JOB),
    Deed.CANCEL: _CANCELLED,
}
_COLUMNS = "SELECT work_order_id, reason, workflow_id, dataclip_id, run_id, job_id FROM judged"
_IN_ORDER_RECEIVED = f"{_COLUMNS} ORDER BY inserted_at, work_order_id"
_AS_GIVEN = f"{_COLUMNS} ORDER BY place"
# `digest` stands for the set: it does not depend on the order, and two sets rarely share one.
_TALLY = """
    SELECT reason, count(*) AS number, min(inserted_at) AS oldest, max(inserted_at) AS newest,
           bit_xor(hashtextextended(CAST(work_order_id AS text), 0)) AS digest
    FROM judged GROUP BY reason ORDER BY reason
"""
_VERDICTS = {deed: sa.text(judged + _IN_ORDER_RECEIVED) for deed, judged in _JUDGED.items()}
_TALLIES = {deed: sa.text(judged + _TALLY) for deed, judged in _JUDGED.items()}
_OF_STEPS = sa.text(_RETRIED.format(origins=_FROM_STEPS) + _AS_GIVEN)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one work order: a `reason` of `EXCLUSIONS` against it, or None.

    A retry would begin at `job_id` with `dataclip_id`; `run_id` is the run whose steps it
    carries. All but `work_order_id` may be None; that too for a step that is not there.
    """

    work_order_id: uuid.UUID
    reason: str | None
    workflow_id: uuid.UUID
    dataclip_id: uuid.UUID
    run_id: uuid.UUID | None
    job_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Tally:
    """How many work orders share one verdict; when the first and last were received; their digest."""

    reason: str | None
    number: int
    oldest: datetime | None
    newest: datetime | None
    digest: int


def judge(
    project_id: uuid.UUID,
    deed: Deed,
    ids: Sequence[uuid.UUID],
    *,
    job_id: uuid.UUID | None = None,
    cut_off: datetime | None = None,
) -> list[Verdict]:
    """A verdict on each work order of `ids`, those received first in front, unknown ones last.

    Take their locks before, when something is to follow from it.
    """
    found = db.session().execute(_VERDICTS[deed], _values(project_id, deed, ids, job_id, cut_off))
    return [Verdict(*row) for row in found]


def judge_steps(project_id: uuid.UUID, pairs: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> list[Verdict]:
    """A verdict on the retry of each step of a run (run id, step id), in the order given (§10.4)."""
    runs, steps = [list(ids) for ids in zip(*pairs, strict=True)] or ([], [])
    values = {"project_id": project_id, "run_ids": runs, "step_ids": steps, "cut_off": None}
    return [Verdict(*row) for row in db.session().execute(_OF_STEPS, values)]


def tally(
    project_id: uuid.UUID,
    deed: Deed,
    ids: Sequence[uuid.UUID],
    *,
    job_id: uuid.UUID | None = None,
    cut_off: datetime | None = None,
) -> list[Tally]:
    """The verdicts of `judge`, counted; changes and locks nothing."""
    found = db.session().execute(_TALLIES[deed], _values(project_id, deed, ids, job_id, cut_off))
    return [Tally(*row) for row in found]


def _values(
    project_id: uuid.UUID,
    deed: Deed,
    ids: Sequence[uuid.UUID],
    job_id: uuid.UUID | None,
    cut_off: datetime | None,
) -> dict[str, Any]:
    values: dict[str, Any] = {"project_id": project_id, "ids": list(ids), "cut_off": cut_off}
    return values | ({"job_id": job_id} if deed is Deed.RETRY_FROM_JOB else {})
