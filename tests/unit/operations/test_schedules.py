"""When periodic tasks are due."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.operations import schedules
from portal.operations.schedules import Periodic


def _every(period):
    return Periodic("task", period, lambda: None)


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=30)),
)
def test_the_next_slot_lies_after_the_moment_and_at_most_a_period_ahead(moment, period):
    slot = _every(period).next_after(moment)
    assert moment < slot <= moment + period
    assert (slot - schedules.EPOCH) % period == timedelta(0)


def test_slots_do_not_depend_on_when_one_asks():
    task = _every(timedelta(seconds=5))
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert {task.next_after(noon + timedelta(seconds=part)) for part in (0, 1, 4.999)} == {
        noon + timedelta(seconds=5)
    }


@pytest.mark.parametrize(
    ("moment", "slot"),
    [
        ("2026-02-28T03:09:59+00:00", "2026-02-28T03:10:00+00:00"),
        ("2026-02-28T03:10:00+00:00", "2026-03-01T03:10:00+00:00"),
        ("2028-02-28T03:10:00+00:00", "2028-02-29T03:10:00+00:00"),
        ("2026-12-31T23:59:59+00:00", "2027-01-01T03:10:00+00:00"),
    ],
)
def test_a_daily_task_has_one_slot_a_day_in_utc(moment, slot):
    found = _every(time(3, 10)).next_after(datetime.fromisoformat(moment))
    assert found == datetime.fromisoformat(slot)


def test_a_moment_of_another_zone_gives_the_same_slot():
    berlin = timezone(timedelta(hours=1))
    task = _every(time(3, 10))
    moment = datetime(2026, 11, 21, 4, 0, tzinfo=berlin)
    assert task.next_after(moment) == task.next_after(moment.astimezone(UTC))


def test_two_tasks_of_one_name_are_refused():
    before = schedules.installed()
    with pytest.raises(ValueError, match="task"):
        schedules.install([_every(timedelta(seconds=1)), _every(timedelta(seconds=2))])
    assert schedules.installed() == before
