"""Locked rows of runs and work orders, and the work order's derived state (workorders §3.1, §4).

Commands here write with plain statements, for they are the portal's busiest. Order of
locks: work order, run, step. Whoever cannot keep the order (a claim meets runs first)
skips locked rows instead of waiting, so nobody ever waits in a circle.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm.util import identity_key

from portal.core import db
from portal.core.db import Base, Json, Unit
from portal.core.errors import NotFound
from portal.workorders import events
from portal.workorders.models import Run, RunState, Workorder, WorkorderState

RUNS = cast(sa.Table, Run.__table__)
WORK_ORDERS = cast(sa.Table, Workorder.__table__)

# How soon the words of a run that still works become searchable; a finished run's are due at once.
FIRST_WORDS = timedelta(seconds=10)

WORDS = {
    RunState.AVAILABLE: WorkorderState.PENDING,
    RunState.CLAIMED: WorkorderState.PENDING,
    RunState.STARTED: WorkorderState.RUNNING,
}

# The order after OF is the order of locking.
_LOCK_RUN = """
    SELECT r.id, r.work_order_id, r.project_id, r.workflow_id, r.state, r.options,
           r.inserted_at, r.claimed_at, r.started_at
    FROM work_orders w JOIN runs r ON r.work_order_id = w.id
    WHERE r.id = :run_id
    FOR NO KEY UPDATE OF w, r
"""
_LOCK_WORKORDERS = sa.text("""
    SELECT id, project_id, state FROM work_orders
    WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""")
_DERIVE = """
    UPDATE work_orders w
    SET state = coalesce(
            (SELECT CASE WHEN bool_or(o.state = 'started') THEN 'running'
                         WHEN count(*) > 0 THEN 'pending' END
             FROM runs o
             WHERE o.work_order_id = w.id AND o.id <> :run_id
               AND o.state IN ('available', 'claimed', 'started')),
            :word),
        last_activity = :now, updated_at = :now
    WHERE w.id = :work_order_id
"""
# Deriving leaves the changed run itself out, so both rows can change in one statement.
_CHANGE = """
    WITH changed AS (
        UPDATE runs
        SET state = :state, updated_at = :now,
            claimed_at = coalesce(:claimed_at, claimed_at),
            worker_name = coalesce(:worker_name, worker_name),
            started_at = coalesce(:started_at, started_at),
            finished_at = coalesce(:finished_at, finished_at),
            error_type = coalesce(:error_type, error_type),
            final_dataclip_id = coalesce(:final_dataclip_id, final_dataclip_id),
            search_due_at =
                CASE WHEN CAST(:finished_at AS timestamptz) IS NULL THEN search_due_at ELSE :now END
        WHERE id = :run_id
    )
"""
_derive_only = sa.text(_DERIVE)
_change_and_derive = sa.text(_CHANGE + _DERIVE)
_UNCHANGED = dict.fromkeys(
    ("claimed_at", "worker_name", "started_at", "finished_at", "error_type", "final_dataclip_id")
)
_waiting = sa.text(_LOCK_RUN)
_skipping = sa.text(_LOCK_RUN + " SKIP LOCKED")


@dataclass(frozen=True, slots=True)
class LockedRun:
    """A run as it stands under its lock."""

    id: uuid.UUID
    work_order_id: uuid.UUID
    project_id: uuid.UUID
    workflow_id: uuid.UUID
    state: RunState
    options: Json | None
    inserted_at: datetime
    claimed_at: datetime | None
    started_at: datetime | None


def lock_run(run_id: uuid.UUID) -> LockedRun:
    """Lock a run's work order, then the run, until the unit ends. Raises NotFound."""
    row = db.session().execute(_waiting, {"run_id": run_id}).one_or_none()
    if row is None:
        raise NotFound
    return _locked(row)


def try_lock_run(run_id: uuid.UUID) -> LockedRun | None:
    """As `lock_run`, but None when the run has gone or somebody works on it right now."""
    row = db.session().execute(_skipping, {"run_id": run_id}).one_or_none()
    return _locked(row) if row else None


def _locked(row: sa.Row[Any]) -> LockedRun:
    return LockedRun(**{**row._mapping, "state": RunState(row.state)})


def lock_workorders(ids: set[uuid.UUID]) -> list[sa.Row[Any]]:
    """Lock work orders in the order of their ids; rows of id, project_id, state, without missing ones."""
    return list(db.session().execute(_LOCK_WORKORDERS, {"ids": sorted(ids)}))


def change_run(unit: Unit, run: LockedRun, state: RunState, *, now: datetime, **columns: Any) -> None:
    """Give a locked run a new state, derive its work order's and tell after the commit.

    `columns` are some of `claimed_at`, `worker_name`, `started_at`, `finished_at`,
    `error_type` and `final_dataclip_id`; those left out or None stay. A run that ends is
    due for search at once.
    """
    values = {**_UNCHANGED, **columns, **_derivation(run.work_order_id, run.id, state, now)}
    db.session().execute(_change_and_derive, {**values, "state": str(state)})
    forget(Run, run.id)
    forget(Workorder, run.work_order_id)
    events.run_changed(unit, run.project_id, run.work_order_id, run.id)


def derive(work_order_id: uuid.UUID, run_id: uuid.UUID, state: RunState, *, now: datetime) -> None:
    """Set the work order's state from the run that just became `state` (workorders §4).

    Another unfinished run counts before it. The caller must hold the work order's lock
    since before this statement: only then does it see what others did to its runs.
    """
    db.session().execute(_derive_only, _derivation(work_order_id, run_id, state, now))
    forget(Workorder, work_order_id)


def _derivation(
    work_order_id: uuid.UUID, run_id: uuid.UUID, state: RunState, now: datetime
) -> dict[str, object]:
    word = str(WORDS.get(state, state))
    return {"work_order_id": work_order_id, "run_id": run_id, "word": word, "now": now}


def forget(model: type[Base], row_id: uuid.UUID) -> None:
    """Have the session read `row_id` anew if it was loaded: plain statements pass it by."""
    loaded = db.session().identity_map.get(identity_key(model, row_id))
    if loaded is not None:
        db.session().expire(loaded)
