"""Steps of a run, as its worker starts and completes them (workorders §8.3, §8.4)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal import dataclips
from portal.core import clock, db
from portal.core.errors import Invalid
from portal.core.ids import new_id
from portal.core.text import N_
from portal.dataclips import DataclipType
from portal.workorders import events, rows, states
from portal.workorders.models import Run, RunState, Step
from portal.workorders.timestamps import moment_or_now

NOT_THERE = N_("does not exist")
NOT_FOUND = N_("not found")
BLANK = N_("can't be blank")

# One statement looks, stores if nothing forbids it, and answers what it saw. The job is
# sought in the run's snapshot, never in the live workflow. Locking the run keeps the
# janitors from ending it meanwhile; here and at the end of a step.
_START = sa.text("""
    WITH seen AS MATERIALIZED (
        SELECT r.snapshot_id, job.found, job.credential_id,
               r.state IN ('available', 'claimed', 'started') AS unfinished,
               (SELECT EXISTS (SELECT FROM dataclips d
                               WHERE d.id = :input_dataclip_id AND d.project_id = r.project_id)) AS has_input,
               (SELECT EXISTS (SELECT FROM steps WHERE id = :step_id)) AS repeated,
               (SELECT EXISTS (SELECT FROM run_steps WHERE run_id = r.id AND step_id = :step_id)) AS own
        FROM runs r
        LEFT JOIN LATERAL (
            SELECT true AS found, pc.credential_id
            FROM snapshots s
            CROSS JOIN jsonb_array_elements(s.jobs) AS j (job)
            LEFT JOIN project_credentials pc ON CAST(pc.id AS text) = j.job ->> 'project_credential_id'
            WHERE s.id = r.snapshot_id AND j.job ->> 'id' = CAST(:job_id AS text)
            LIMIT 1) AS job ON true
        WHERE r.id = :run_id
        FOR NO KEY UPDATE OF r
    ), started AS (
        INSERT INTO steps (id, job_id, snapshot_id, credential_id, input_dataclip_id, started_at,
                           inserted_at, updated_at)
        SELECT :step_id, :job_id, snapshot_id, credential_id, :input_dataclip_id, :started_at, :now, :now
        FROM seen
        WHERE unfinished AND found AND NOT repeated
          AND (has_input OR CAST(:input_dataclip_id AS uuid) IS NULL)
        RETURNING id
    ), link AS (
        INSERT INTO run_steps (run_id, step_id, id, inserted_at)
        SELECT :run_id, id, :link_id, :now FROM started
    ), due AS (
        UPDATE runs
        SET search_due_at = least(search_due_at, CASE WHEN finished_at IS NULL THEN :soon ELSE :now END)
        FROM started WHERE runs.id = :run_id
    )
    SELECT * FROM seen
""")
_BEFORE_END = sa.text("""
    SELECT r.project_id, r.state AS run_state, s.exit_reason,
           coalesce(CAST(r.options ->> 'save_dataclips' AS boolean), true) AS save
    FROM run_steps rs JOIN runs r ON r.id = rs.run_id JOIN steps s ON s.id = rs.step_id
    WHERE rs.run_id = :run_id AND rs.step_id = :step_id
    FOR NO KEY UPDATE OF r, s
""")
_END = sa.text("""
    UPDATE steps
    SET exit_reason = :reason, error_type = :error_type, output_dataclip_id = :output_id,
        finished_at = :finished_at, updated_at = :now
    WHERE id = :step_id
""")
_CLOSE = sa.text("""
    UPDATE steps s SET exit_reason = :reason, finished_at = :now, updated_at = :now
    FROM run_steps rs
    WHERE rs.run_id = :run_id AND s.id = rs.step_id AND s.exit_reason IS NULL
    RETURNING s.id
""")
# What the portal writes when it ends a run itself; results that come later are refused.
KILL, LOST = "kill", "lost"
TAKEN_AWAY = (RunState.KILLED, RunState.LOST)


def start_step(
    run_id: uuid.UUID,
    step_id: uuid.UUID,
    job_id: uuid.UUID,
    *,
    input_dataclip_id: uuid.UUID | None = None,
    timestamp: object = None,
) -> uuid.UUID:
    """Begin a step of a run; answers its id, which the worker chose (workorders §8.3).

    A repeated start of the same step in the same run changes nothing. Raises Invalid on
    `job_id` (not in the run's snapshot), `run_id` (it has ended), `run_id` and `job_id` (no
    such run), `input_dataclip_id` (not of the project), `step_id` (a step of another run) or
    `timestamp`.
    """
    started_at = moment_or_now(timestamp)
    now = clock.now()
    values = {
        "run_id": run_id,
        "step_id": step_id,
        "job_id": job_id,
        "input_dataclip_id": input_dataclip_id,
        "link_id": new_id(),
        "started_at": started_at,
        "now": now,
        "soon": now + rows.FIRST_WORDS,
    }
    with db.unit_of_work() as unit:
        seen = db.session().execute(_START, values).one_or_none()
        if seen is not None and seen.own:
            return step_id
        _refuse_start(seen, input_dataclip_id)
        rows.forget(Run, run_id)
        events.to_run(unit, run_id, events.STEP_STARTED, step_id)
    return step_id


def _refuse_start(seen: sa.Row[Any] | None, input_dataclip_id: uuid.UUID | None) -> None:
    if seen is None:
        raise Invalid({"run_id": [NOT_THERE], "job_id": [NOT_THERE]})
    problems = {}
    if not seen.unfinished:
        problems["run_id"] = [states.COMPLETED]
    if seen.repeated:
        problems["step_id"] = [N_("belongs to another run")]
    if not seen.found:
        problems["job_id"] = [NOT_THERE]
    if input_dataclip_id is not None and not seen.has_input:
        problems["input_dataclip_id"] = [NOT_THERE]
    if problems:
        raise Invalid(problems)


def complete_step(
    run_id: uuid.UUID,
    step_id: uuid.UUID,
    reason: str | None,
    *,
    output_dataclip: str | None = None,
    output_dataclip_id: uuid.UUID | None = None,
    error_type: str | None = None,
    timestamp: object = None,
) -> uuid.UUID | None:
    """End a step and store its output; answers the output dataclip's id, if any (workorders §8.4).

    `output_dataclip` is JSON text and comes with `output_dataclip_id`, both or neither.
    Where the run keeps no dataclips, an id alone leaves a wiped one. A step that has ended
    stays as it is. Raises Invalid on `reason` (blank), `step_id` (not found in this run),
    `run_id` (the run was killed or lost, and the step with it), `output_dataclip`,
    `output_dataclip_id` or `timestamp`, and as `dataclips.create`.
    """
    if not reason:
        raise Invalid({"reason": [BLANK]})
    finished_at = moment_or_now(timestamp)
    with db.unit_of_work() as unit:
        seen = db.session().execute(_BEFORE_END, {"run_id": run_id, "step_id": step_id}).one_or_none()
        if seen is None:
            raise Invalid({"step_id": [NOT_FOUND]})
        if seen.run_state in TAKEN_AWAY and seen.exit_reason in (None, KILL, LOST):
            raise Invalid({"run_id": [states.COMPLETED]})
        if seen.exit_reason is not None:
            return output_dataclip_id
        output_id = _output(seen, output_dataclip, output_dataclip_id)
        values = {
            "step_id": step_id,
            "reason": reason,
            "error_type": error_type,
            "output_id": output_id,
            "finished_at": finished_at,
            "now": clock.now(),
        }
        db.session().execute(_END, values)
        rows.forget(Step, step_id)
        events.to_run(unit, run_id, events.STEP_COMPLETED, step_id)
    return output_id


def _output(seen: sa.Row[Any], text: str | None, dataclip_id: uuid.UUID | None) -> uuid.UUID | None:
    """Store the output, or where nothing is kept an empty, wiped dataclip in its place."""
    kind = DataclipType.STEP_RESULT
    if not seen.save:
        return dataclip_id and dataclips.create_wiped(seen.project_id, kind, dataclip_id=dataclip_id)
    if (text is None) != (dataclip_id is None):
        missing = "output_dataclip" if text is None else "output_dataclip_id"
        raise Invalid({missing: [BLANK]})
    if text is None:
        return None
    try:
        return dataclips.create(seen.project_id, kind, text, dataclip_id=dataclip_id)
    except Invalid as refusal:
        names = {"body": "output_dataclip", "id": "output_dataclip_id"}
        raise Invalid({names.get(name, name): texts for name, texts in refusal.fields.items()}) from refusal


def close_open(run_id: uuid.UUID, reason: str, *, now: datetime) -> int:
    """Give the unfinished steps of a run that the portal ends `reason`; answers how many (workorders §11.5).

    Steps that have ended stay. Call it in the unit that holds the run's lock.
    """
    with db.unit_of_work():
        values = {"run_id": run_id, "reason": reason, "now": now}
        closed = list(db.session().scalars(_CLOSE, values))
        for step_id in closed:
            rows.forget(Step, step_id)
    return len(closed)
