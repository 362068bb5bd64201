"""Times as workers send them (workorders §8.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from portal.core import clock
from portal.core.errors import Invalid
from portal.workorders.timestamps import moment, moment_or_now

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (1793620800000, NOON),
        ("1793620800000", NOON),
        ("1793620800000001", NOON + timedelta(microseconds=1)),
        (NOON.astimezone(timezone(timedelta(hours=2))), NOON),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_milliseconds_microseconds_and_datetimes_are_understood(given: object, meant: datetime) -> None:
    assert moment(given) == meant


@pytest.mark.parametrize(
    "given",
    [
        1793620800000001,
        "1793620800",
        "12345678901234",
        "soon",
        "",
        True,
        1.5,
        NOON.replace(tzinfo=None),
        None,
        10**30,
    ],
)
def test_anything_else_means_no_time(given: object) -> None:
    assert moment(given) is None


def test_a_missing_time_is_now_and_a_bad_one_is_refused() -> None:
    with clock.frozen_at(NOON):
        assert moment_or_now(None) == NOON
    with pytest.raises(Invalid) as refused:
        moment_or_now("soon", "started_at")
    assert refused.value.fields == {"started_at": ["is invalid"]}
