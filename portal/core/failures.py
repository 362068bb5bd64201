"""Turning what libraries raise into the portal's own words, in one place.

Edges know nothing of drivers: they ask here what an unexpected exception means.
"""

from __future__ import annotations

from psycopg import errors as pg
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from portal.core.errors import Conflict, PortalError, Unavailable
from portal.core.text import N_

SLOW = N_("This took too long and was stopped. Narrow your filters and try again.")


def as_portal_error(error: BaseException) -> PortalError | None:
    """What `error` means for the person who waits; None when it is a defect of ours (500)."""
    if isinstance(error, PortalError):
        return error
    if isinstance(error, DBAPIError):
        return _of_database(error)
    if isinstance(error, PoolTimeout | RedisError):
        return Unavailable()
    return None


def _of_database(error: DBAPIError) -> PortalError | None:
    cause = error.orig
    if isinstance(cause, pg.QueryCanceled):
        return Unavailable(SLOW)
    if isinstance(cause, pg.LockNotAvailable | pg.DeadlockDetected | pg.SerializationFailure):
        return Conflict()
    if isinstance(error, OperationalError):
        return Unavailable()
    return None
