"""One turn of a periodic task, in a worker or in the ticker."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
import structlog

from portal.core.db import session, unit_of_work
from portal.core.errors import PortalError
from portal.operations import locks
from portal.operations.models import Schedule
from portal.operations.running import NOW
from portal.operations.schedules import Periodic, lock_name, periodic_named

log = structlog.get_logger(__name__)


def take_turn(name: str, slot: datetime) -> bool:
    """Run the task `name` for `slot` and write down how it ended; False when there was nothing to do.

    A lock keeps two turns of a task from running side by side, and a slot that has been
    run, or is not the latest fired one, is not run again: messages may come twice.
    """
    periodic = periodic_named(name)
    if periodic is None:
        log.warning("schedule_unknown", schedule=name)
        return False
    with locks.held(lock_name(name)) as lock:
        if lock is None or not _is_pending(name, slot):
            return False
        run(periodic)
        return True


def _is_pending(name: str, slot: datetime) -> bool:
    with unit_of_work():
        row = session().get(Schedule, name, populate_existing=True)
        return row is not None and row.last_started_at == slot and is_unfinished(row)


def is_unfinished(row: Schedule) -> bool:
    """Whether the latest fired slot has not been reported back."""
    started, finished = row.last_started_at, row.last_finished_at
    return started is not None and (finished is None or finished < started)


def run(periodic: Periodic) -> None:
    """Call the task and record its end. A failure is logged and recorded, and waits for the next slot."""
    with structlog.contextvars.bound_contextvars(schedule=periodic.name):
        result, error = _call(periodic)
    with unit_of_work():
        session().execute(
            sa.update(Schedule)
            .where(Schedule.name == periodic.name)
            .values(last_finished_at=NOW, last_result=result, last_error=error)
            .execution_options(synchronize_session=False)
        )


def _call(periodic: Periodic) -> tuple[str | None, str | None]:
    try:
        result = periodic.run()
    except Exception as failure:
        session().rollback()
        log.exception("schedule_failed")
        # The row is read by keepers of the portal; details of strange errors stay in the log.
        return None, failure.message if isinstance(failure, PortalError) else type(failure).__name__
    return None if result is None else str(result)[:500], None
