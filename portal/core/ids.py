"""Keys: time-ordered uuids (version 7), made from the portal's own clock.

Time order keeps inserts at the right edge of every index, and lets a run's log
lines be found in the partition of the month in which the run was made.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import uuid_utils

from portal.core import clock


def new_id() -> uuid.UUID:
    """A fresh uuid v7 whose time part is `clock.now()`, in milliseconds."""
    return id_at(clock.now())


def id_at(moment: datetime) -> uuid.UUID:
    """A fresh uuid v7 whose time part is `moment` (aware)."""
    return uuid.UUID(int=uuid_utils.uuid7(nanoseconds=int(moment.timestamp() * 1_000_000) * 1000).int)


def lowest_at(moment: datetime) -> uuid.UUID:
    """The least uuid v7 of `moment`'s millisecond: a bound for ranges of keys by time."""
    return uuid.UUID(int=(int(moment.timestamp() * 1000) << 80) | (0x7 << 76) | (0b10 << 62))


def moment_of(key: uuid.UUID) -> datetime | None:
    """When a uuid v7 was made, to the millisecond (UTC); None for any other version."""
    if key.version != 7:
        return None
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)
