"""Fires what is due. Many tickers may run: the one that holds the lock leads, the others wait.

Firing is a conditional update of the schedule's row, so a slot is fired once even if a
paused ticker wakes up beside its successor. The message goes out after that. Lost, it is
sent again: a fired slot that is neither reported back, nor waiting in its queue, nor
running (its lock is free) has no messenger any more.
"""

from __future__ import annotations

import signal
import threading
from datetime import datetime

import sqlalchemy as sa
import structlog
from redis.exceptions import RedisError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from portal.core import broker, db
from portal.core.db import session, unit_of_work
from portal.operations import locks, messenger, periodic, schedules
from portal.operations.models import Schedule
from portal.operations.running import NOW
from portal.operations.schedules import Periodic

log = structlog.get_logger(__name__)
LOCK = "operations:ticker"
STANDBY_SECONDS = 1.0
PAUSE_SECONDS = 0.5


def run_ticker(stop: threading.Event | None = None) -> None:
    """Lead or stand by until `stop` is set; without one, until SIGTERM or SIGINT.

    Needs the application's context. Outages of database and broker are logged and waited out.
    """
    if stop is None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_, ended=stop: ended.set())
    while not stop.is_set():
        try:
            with locks.held(LOCK) as connection:
                if connection is not None:
                    lead(connection, stop)
        except SQLAlchemyError as error:
            log.warning("ticker_waits_for_database", reason=type(error).__name__)
            db.db.session.remove()
        stop.wait(STANDBY_SECONDS)


def lead(connection: sa.Connection, stop: threading.Event) -> None:
    """Tick until `stop` is set. Raises SQLAlchemyError when the connection, and so the lock, is lost."""
    log.info("ticker_leads")
    prepare()
    while not stop.is_set():
        connection.execute(sa.select(1))
        tick(connection)
        db.db.session.remove()
        stop.wait(PAUSE_SECONDS)


def prepare() -> None:
    """Write rows for new tasks (due at once), and bring forward those whose period became shorter."""
    with unit_of_work():
        moment = _now()
        for task in schedules.installed():
            row = insert(Schedule).values(name=task.name, next_at=moment)
            soonest = sa.func.least(Schedule.next_at, task.next_after(moment))
            session().execute(
                row.on_conflict_do_update(index_elements=[Schedule.name], set_={"next_at": soonest})
            )


def tick(connection: sa.Connection) -> None:
    """Fire each due task once; look after fired ones whose message may be lost."""
    with unit_of_work():
        moment = _now()
        found = session().scalars(sa.select(Schedule).execution_options(populate_existing=True))
        rows = {row.name: row for row in found}
    for task in schedules.installed():
        row = rows.get(task.name)
        if row is None:
            continue
        if not task.in_ticker and periodic.is_unfinished(row):
            _look_after(task, row, connection)
        elif row.next_at <= moment:
            _fire(task, row.next_at, moment)


def _now() -> datetime:
    return session().execute(sa.select(NOW)).scalar_one()  # type: ignore[no-any-return]


def _fire(task: Periodic, slot: datetime, moment: datetime) -> None:
    due = _is_due(task)
    if not _take_slot(task, slot, moment, due):
        return
    if due and task.in_ticker:
        periodic.run(task)
    elif due:
        _send(task, slot)


def _is_due(task: Periodic) -> bool:
    try:
        return task.due is None or task.due()
    except SQLAlchemyError:
        raise
    except Exception:
        # One broken question must not stop the other tasks; this one asks again at its next slot.
        log.exception("schedule_not_asked", schedule=task.name)
        return False


def _take_slot(task: Periodic, slot: datetime, moment: datetime, due: bool) -> bool:
    values: dict[str, datetime] = {"next_at": task.next_after(max(moment, slot))}
    if due:
        values["last_started_at"] = slot
    statement = (
        sa.update(Schedule)
        .where(Schedule.name == task.name, Schedule.next_at == slot)
        .values(**values)
        .returning(Schedule.name)
        .execution_options(synchronize_session=False)
    )
    with unit_of_work():
        return session().execute(statement).one_or_none() is not None


def _look_after(task: Periodic, row: Schedule, connection: sa.Connection) -> None:
    """Send the fired slot again if its message is lost. A slot that falls due meanwhile waits for its end."""
    slot = row.last_started_at
    if slot is None:
        return
    try:
        waiting = messenger.waiting_ids(broker.client(), [messenger.MAINTENANCE])
    except RedisError:
        return
    if message_id(task, slot) in waiting:
        return
    if locks.is_free(connection, schedules.lock_name(task.name)):
        _send(task, slot)


def message_id(task: Periodic, slot: datetime) -> str:
    """The RQ job id of a slot: `tick-<name>-<milliseconds since 1970>`; RQ allows no dots."""
    return f"tick-{task.name.replace('.', '-')}-{int(slot.timestamp() * 1000)}"


def _send(task: Periodic, slot: datetime) -> None:
    try:
        messenger.put(
            broker.client(),
            messenger.MAINTENANCE,
            "portal.operations.jobs.run_periodic",
            message_id(task, slot),
            task.name,
            slot.isoformat(),
        )
    except RedisError as error:
        log.warning("schedule_not_sent", schedule=task.name, reason=type(error).__name__)
