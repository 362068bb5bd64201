"""Stopping a run that works (workorders §12.6): asked by a person, done by whatever executes it, or by force.

The request is only a mark on the run. An executor that hears of it ends the run itself and
says so; of one that does not, the portal takes the run away after `limits().run_stop_seconds`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from portal import audit
from portal.core import clock, db
from portal.core.access import Actor
from portal.core.errors import Conflict, NotFound
from portal.core.limits import limits
from portal.core.text import N_
from portal.workorders import events, rows, steps
from portal.workorders.models import Run, RunState

log = structlog.get_logger(__name__)

BUSY = (RunState.CLAIMED, RunState.STARTED)
ERROR_TYPE = "StoppedByUser"
# Runs that one turn of the janitor ends at most; what is left comes with the next slot.
MOST = 500

WAITS = N_("This run still waits. Cancel it instead.")
ENDED = N_("This run has already ended, so it cannot be stopped.")

_ASK = sa.text("""
    UPDATE runs SET stop_asked_at = :now, stop_asked_by_id = :person, updated_at = :now
    WHERE id = :run_id AND stop_asked_at IS NULL
    RETURNING id
""")
_ASKED = sa.text("SELECT id FROM runs WHERE id = ANY(CAST(:ids AS uuid[])) AND stop_asked_at IS NOT NULL")
_DUE = sa.text("""
    SELECT id FROM runs
    WHERE stop_asked_at IS NOT NULL AND state IN ('claimed', 'started') AND stop_asked_at <= :before
    ORDER BY stop_asked_at LIMIT :most
""")


def ask_stop(project_id: uuid.UUID, run_id: uuid.UUID, *, actor: Actor) -> None:
    """Ask that a claimed or started run stop; its state and its work order's stay (workorders §12.6).

    Asking again changes nothing. Raises NotFound, also for a run of another project;
    Conflict for a run that still waits (cancel it) or has ended.
    """
    with db.unit_of_work() as unit:
        run = rows.lock_run(run_id)
        if run.project_id != project_id:
            raise NotFound
        if run.state not in BUSY:
            raise Conflict(WAITS if run.state is RunState.AVAILABLE else ENDED)
        person = actor.id if actor.type == "user" else None
        values = {"run_id": run_id, "now": clock.now(), "person": person}
        if db.session().scalar(_ASK, values) is None:
            return
        rows.forget(Run, run_id)
        audit.record("stop_asked", "run", run_id, actor=actor, project_id=project_id)
        events.to_project(unit, project_id, events.RUN_STOP_ASKED, run_id)
        events.to_run(unit, run_id, events.RUN_STOP_ASKED, run_id)


def stops_asked(run_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Which of these runs somebody asked to stop; for whatever executes them. One statement.

    Runs that the portal has already taken away are among them.
    """
    return set(db.session().scalars(_ASKED, {"ids": list(run_ids)})) if run_ids else set()


def stop_deadline(asked_at: datetime) -> datetime:
    """When a run that was asked to stop at `asked_at` is taken away."""
    return asked_at + timedelta(seconds=limits().run_stop_seconds)


def any_stop_due() -> bool:
    """Whether some run did not stop in time; one look at a small index."""
    return db.session().scalar(_DUE, _due(most=1)) is not None


def force_stops() -> int:
    """Kill the runs that did not stop in time; answers how many (workorders §12.7).

    State killed, error type StoppedByUser; their unfinished steps get exit reason kill,
    their log lines stay. Each run is a unit of its own: one that fails is logged and does
    not stop the others, one that somebody works on is left for the next turn. Call it
    outside any unit of work.
    """
    with db.unit_of_work():
        due = list(db.session().scalars(_DUE, _due(most=MOST)))
    return sum(_try_to_kill(run_id) for run_id in due)


def _due(*, most: int) -> dict[str, object]:
    before = clock.now() - timedelta(seconds=limits().run_stop_seconds)
    return {"before": before, "most": most}


def _try_to_kill(run_id: uuid.UUID) -> bool:
    try:
        return _kill(run_id)
    except Exception:
        log.exception("stop_failed", run_id=str(run_id))
        return False


def _kill(run_id: uuid.UUID) -> bool:
    """Take one run away, unless somebody works on it or it ended meanwhile."""
    with db.unit_of_work() as unit:
        run = rows.try_lock_run(run_id)
        if run is None or run.state not in BUSY:
            return False
        now = clock.now()
        rows.change_run(unit, run, RunState.KILLED, now=now, finished_at=now, error_type=ERROR_TYPE)
        steps.close_open(run_id, steps.KILL, now=now)
        unit.after_commit(_measure, run_id)
    return True


def _measure(run_id: uuid.UUID) -> None:
    log.warning("run_stopped", run_id=str(run_id), error_type=ERROR_TYPE)
