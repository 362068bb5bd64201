"""A run's start and end, as its worker reports them (workorders §3, §8.2)."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
import structlog

from portal.core import clock, db
from portal.core.errors import Invalid
from portal.core.text import N_
from portal.workorders import rows, states
from portal.workorders.models import RunState
from portal.workorders.timestamps import moment_or_now

log = structlog.get_logger(__name__)

_CLIP_EXISTS = sa.text(
    "SELECT EXISTS (SELECT FROM dataclips WHERE id = :dataclip_id AND project_id = :project_id)"
)


def start_run(run_id: uuid.UUID, *, timestamp: object = None) -> None:
    """Claimed to started; the work order runs (workorders §8.2).

    `timestamp` as in workorders §8.1; missing means now. The time that the run waited goes
    to the log as `run_started` with `queue_delay_ms`. Raises NotFound, Invalid on `state`
    or `timestamp`; the row is then untouched.
    """
    started_at = moment_or_now(timestamp)
    with db.unit_of_work() as unit:
        run = rows.lock_run(run_id)
        states.check_start(run.state)
        rows.change_run(unit, run, RunState.STARTED, now=clock.now(), started_at=started_at)
        delay = (started_at - run.inserted_at).total_seconds() * 1000
        unit.after_commit(_measure_start, run_id, delay)


def _measure_start(run_id: uuid.UUID, delay: float) -> None:
    log.info("run_started", run_id=str(run_id), queue_delay_ms=round(delay))


def complete_run(
    run_id: uuid.UUID,
    *,
    state: str | None = None,
    reason: str | None = None,
    error_type: str | None = None,
    final_dataclip_id: uuid.UUID | str | None = None,
    timestamp: object = None,
) -> RunState:
    """End a claimed or started run, in the words of workorders §3.2; answers its final state.

    `state` wins over `reason`. An empty `final_dataclip_id` counts as absent; otherwise it
    must be a dataclip of the project. Raises NotFound, Invalid on `state`,
    `final_dataclip_id` or `timestamp`; the row is then untouched.
    """
    final = states.final_state(state, reason)
    finished_at = moment_or_now(timestamp)
    with db.unit_of_work() as unit:
        run = rows.lock_run(run_id)
        states.check_completion(run.state)
        now = clock.now()
        rows.change_run(
            unit,
            run,
            final,
            now=now,
            finished_at=finished_at,
            error_type=error_type,
            final_dataclip_id=_final_clip(run.project_id, final_dataclip_id),
        )
    return final


def _final_clip(project_id: uuid.UUID, given: uuid.UUID | str | None) -> uuid.UUID | None:
    if not given:
        return None
    refusal = Invalid({"final_dataclip_id": [N_("does not exist")]})
    try:
        dataclip_id = uuid.UUID(str(given))
    except ValueError:
        raise refusal from None
    values = {"dataclip_id": dataclip_id, "project_id": project_id}
    if not db.session().scalar(_CLIP_EXISTS, values):
        raise refusal
    return dataclip_id
