"""The janitor: runs whose worker fell silent (workorders §11). The ticker calls it every minute."""

from __future__ import annotations

import uuid
from datetime import timedelta

import sqlalchemy as sa
import structlog

from portal.core import clock, db
from portal.core.db import Unit
from portal.core.limits import limits
from portal.workorders import rows, steps
from portal.workorders.models import FINAL, RunState, Step
from portal.workorders.rows import LockedRun

log = structlog.get_logger(__name__)

BUSY = (RunState.CLAIMED, RunState.STARTED)

# Available runs have neither time, so they never match. Old runs without options have the system's maximum.
_OVERDUE = sa.text("""
    SELECT id FROM runs
    WHERE state IN ('claimed', 'started') AND finished_at IS NULL
      AND coalesce(started_at, claimed_at)
          + coalesce(CAST(options ->> 'run_timeout_ms' AS bigint), :max_ms) * interval '1 millisecond'
          + :grace_ms * interval '1 millisecond' < :now
    ORDER BY id
""")
_CLOSE_ORPHANS = sa.text("""
    UPDATE steps SET exit_reason = 'lost', finished_at = :now, updated_at = :now
    WHERE id IN (
        SELECT s.id FROM steps s
        WHERE s.exit_reason IS NULL AND s.finished_at IS NULL
          AND EXISTS (SELECT FROM run_steps rs JOIN runs r ON r.id = rs.run_id
                      WHERE rs.step_id = s.id AND r.finished_at < :before)
        FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
""")


def mark_lost() -> int:
    """Mark overdue runs as lost, and close steps that finished runs left open; answers the number of runs.

    A run is overdue when its start (or claim) plus its own time plus the grace period lies
    before now. Each run is a unit of its own: one that fails is logged and does not stop
    the others. Call it outside any unit of work (workorders §11).
    """
    values = {"max_ms": limits().run_seconds * 1000, "grace_ms": _grace_ms(), "now": clock.now()}
    with db.unit_of_work():
        overdue = list(db.session().scalars(_OVERDUE, values))
    marked = sum(_try_to_mark(run_id) for run_id in overdue)
    _close_orphaned_steps()
    return marked


def _grace_ms() -> int:
    return limits().run_grace_seconds * 1000


def _try_to_mark(run_id: uuid.UUID) -> bool:
    try:
        return _mark(run_id)
    except Exception:
        log.exception("mark_lost_failed", run_id=str(run_id))
        return False


def _mark(run_id: uuid.UUID) -> bool:
    """Take one run, unless somebody works on it or it ended meanwhile (§11.6, §11.7)."""
    with db.unit_of_work() as unit:
        run = rows.try_lock_run(run_id)
        if run is None or not _overdue(run):
            return False
        _give_up(unit, run)
    return True


def mark_run_lost(run_id: uuid.UUID) -> bool:
    """Give up one claimed or started run whose worker is known to be gone, whatever its time.

    False when it waits or has ended: then nothing changes. Its unfinished steps become
    lost with it (workorders §11.4, §11.5). Raises NotFound.
    """
    with db.unit_of_work() as unit:
        run = rows.lock_run(run_id)
        if run.state not in BUSY:
            return False
        _give_up(unit, run)
    return True


def mark_steps_lost(run_id: uuid.UUID) -> int:
    """Close the steps that a finished run left open, without waiting for the grace period (§11.8).

    Answers how many; 0 while the run is unfinished. Raises NotFound.
    """
    with db.unit_of_work():
        run = rows.lock_run(run_id)
        return steps.close_open(run_id, steps.LOST, now=clock.now()) if run.state in FINAL else 0


def _give_up(unit: Unit, run: LockedRun) -> None:
    now, error_type = clock.now(), _error_type(run.state)
    rows.change_run(unit, run, RunState.LOST, now=now, finished_at=now, error_type=error_type)
    steps.close_open(run.id, steps.LOST, now=now)
    unit.after_commit(_measure, run.id, error_type)


def _overdue(run: LockedRun) -> bool:
    """The question of the list, asked again under the lock: the run may have started meanwhile."""
    since = run.started_at or run.claimed_at
    if run.state not in BUSY or since is None:
        return False
    allowed = (run.options or {}).get("run_timeout_ms") or limits().run_seconds * 1000
    return since + timedelta(milliseconds=int(allowed) + _grace_ms()) < clock.now()


def _error_type(state: RunState) -> str:
    words = {RunState.CLAIMED: "LostAfterClaim", RunState.STARTED: "LostAfterStart"}
    return words.get(state, "UnknownReason")


def _measure(run_id: uuid.UUID, error_type: str) -> None:
    log.warning("run_lost", run_id=str(run_id), error_type=error_type)


def _close_orphaned_steps() -> None:
    """Close steps that a run left open when it ended more than the grace period ago (§11.8)."""
    now = clock.now()
    with db.unit_of_work():
        before = now - timedelta(milliseconds=_grace_ms())
        for step_id in db.session().scalars(_CLOSE_ORPHANS, {"now": now, "before": before}):
            rows.forget(Step, step_id)
