"""Monthly partitions of log lines, found through the time inside a run's id (performance §1).

Ids without a time (random ones, from outside) belong to the default partition. A month
without a partition lands there too; its rows move when the partition is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import sqlalchemy as sa

from portal.core import clock, db
from portal.core.ids import lowest_at

PARENT = "log_lines"
DEFAULT = "log_lines_default"
MONTHS_AHEAD = 3

_EXISTING = sa.text("""
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = CAST(:parent AS regclass)
""")


def ensure_log_partitions(start: date, end: date) -> list[str]:
    """Make the monthly partitions that are missing; answers their names.

    From `start`'s month to `end`'s, both included. Safe while the portal works: each month
    is a transaction of its own that waits at most two seconds for its locks, one maker at a
    time. Raises OperationalError when a lock cannot be had; calling again goes on where it
    stopped.
    """
    made = []
    for month in _months(start, end):
        with db.unit_of_work():
            if _ensure(month):
                made.append(_name(month))
    return made


def prepare_log_partitions() -> list[str]:
    """Make the partitions of this month and the next three; the ticker calls it daily."""
    today = clock.now().date()
    return ensure_log_partitions(today, _later(today, MONTHS_AHEAD))


def _ensure(month: date) -> bool:
    if not db.try_advisory_lock("log_partitions"):
        return False
    if _name(month) in set(db.session().scalars(_EXISTING, {"parent": PARENT})):
        return False
    for statement in _statements(month):
        db.session().execute(sa.text(statement))
    return True


def _statements(month: date) -> list[str]:
    """Build the table beside its parent, fill it, then attach it: the parent is never locked against reading.

    Values are our own: names from dates, bounds from uuids.
    """
    name, low, high = _name(month), _bound(month), _bound(_later(month, 1))
    moved = f"DELETE FROM {DEFAULT} WHERE run_id >= '{low}' AND run_id < '{high}' RETURNING *"  # noqa: S608
    return [
        "SET LOCAL lock_timeout = '2s'",
        f"CREATE TABLE {name} (LIKE {PARENT} INCLUDING ALL)",
        f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved",  # noqa: S608
        f"ALTER TABLE {PARENT} ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}')",
    ]


def _months(start: date, end: date) -> Iterator[date]:
    month = date(start.year, start.month, 1)
    while month <= date(end.year, end.month, 1):
        yield month
        month = _later(month, 1)


def _later(day: date, months: int) -> date:
    """The first day of the month that lies `months` after `day`'s."""
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _name(month: date) -> str:
    return f"{PARENT}_y{month:%Ym%m}"


def _bound(month: date) -> str:
    return str(lowest_at(datetime(month.year, month.month, 1, tzinfo=UTC)))
