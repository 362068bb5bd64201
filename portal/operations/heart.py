"""Keeps the lease of a long batch.

A batch renews the lease when it commits. One that takes longer than the lease would be
given to a second worker while the first is well; a thread renews it meanwhile. It stops
when nothing has advanced for a long time: a handler that hangs must lose its lease.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from portal.core import db
from portal.operations.models import Operation, OperationState
from portal.operations.running import LEASE, NOW, Running

log = structlog.get_logger(__name__)
BEAT_SECONDS = 10.0
SILENT_BEATS = 60


@contextmanager
def beating(running: Running) -> Iterator[None]:
    """Renew the lease of `running` each ten seconds inside the block, for ten minutes without an `advance`.

    Turns that are shorter than a beat never open a connection for it.
    """
    ended = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(db.db.engine, running, ended), name="operation-heart", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=5)


def _beat(engine: sa.Engine, running: Running, ended: threading.Event) -> None:
    advances, silent = running.advances, 0
    while not ended.wait(BEAT_SECONDS):
        silent = silent + 1 if running.advances == advances else 0
        advances = running.advances
        if silent > SILENT_BEATS or running.finished:
            return
        try:
            _renew(engine, running)
        except SQLAlchemyError as error:
            log.warning("operation_heartbeat_missed", reason=type(error).__name__)


def _renew(engine: sa.Engine, running: Running) -> None:
    # A row that the batch itself has locked is about to be renewed anyway: do not wait for it.
    mine = (
        sa.select(Operation.id)
        .where(
            Operation.id == running.operation_id,
            Operation.fence == running.fence,
            Operation.state == OperationState.RUNNING,
        )
        .with_for_update(skip_locked=True, key_share=True)
        .scalar_subquery()
    )
    with engine.begin() as connection:
        connection.execute(sa.update(Operation).where(Operation.id == mine).values(lease_until=NOW + LEASE))
