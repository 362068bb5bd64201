"""Advisory locks that outlive transactions: held by a connection of their own until the block ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from portal.core import db


@contextmanager
def held(name: str) -> Iterator[sa.Connection | None]:
    """Hold the cluster-wide lock `name`; gives its connection, or None when another process holds it.

    The lock lives as long as the connection: who works long asks `SELECT 1` on it now and
    then, for a restarted database has forgotten the lock.
    """
    number = db.lock_number(name)
    with db.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))):
            yield None
            return
        try:
            yield connection
        finally:
            _release(connection, number)


def _release(connection: sa.Connection, number: int) -> None:
    try:
        connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
    except sa.exc.DBAPIError:
        # The server has released it with the connection; the pool must not hand this one out again.
        connection.invalidate()


def is_free(connection: sa.Connection, name: str) -> bool:
    """Whether nobody holds the lock `name` just now, asked on `connection` (which holds no transaction)."""
    number = db.lock_number(name)
    if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))):
        return False
    connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
    return True
