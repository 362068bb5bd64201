"""Times as workers send them (workorders §8.1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from portal.core import clock
from portal.core.errors import Invalid
from portal.core.text import N_

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INVALID = N_("is invalid")
_MILLISECONDS = re.compile(r"[0-9]{13}")
_MICROSECONDS = re.compile(r"[0-9]{16}")


def moment(value: object) -> datetime | None:
    """The aware UTC time that `value` means, or None when it means none (workorders §8.1).

    Integers are milliseconds whatever their length; texts of 13 digits are milliseconds,
    of 16 digits microseconds; aware datetimes are taken as they are.
    """
    try:
        match value:
            case datetime() if value.tzinfo is not None:
                return value.astimezone(UTC)
            case bool():
                return None
            case int():
                return EPOCH + timedelta(milliseconds=value)
            case str() if _MILLISECONDS.fullmatch(value):
                return EPOCH + timedelta(milliseconds=int(value))
            case str() if _MICROSECONDS.fullmatch(value):
                return EPOCH + timedelta(microseconds=int(value))
    except OverflowError:
        pass
    return None


def moment_or_now(value: object | None, field: str = "timestamp") -> datetime:
    """As `moment`; a missing value is now. Raises Invalid on `field`."""
    if value is None:
        return clock.now()
    found = moment(value)
    if found is None:
        raise Invalid({field: [INVALID]})
    return found
