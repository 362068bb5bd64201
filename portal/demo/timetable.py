"""When demo work orders arrive: business hours, quieter weekends, one bad day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import accumulate
from random import Random

DAYS = 90
TUESDAY = 1
# Arrivals in each hour (UTC) of a day, in proportion.
RHYTHM = (1, 1, 1, 1, 2, 5, 16, 38, 60, 70, 66, 52, 40, 50, 58, 46, 30, 15, 8, 5, 4, 3, 2, 1)
SATURDAY, SUNDAY = 0.4, 0.15
OUTAGE = (time(8, 40), time(13, 20))


@dataclass(frozen=True, slots=True)
class Timetable:
    """The ninety days before `now` (aware)."""

    now: datetime

    @property
    def days(self) -> list[datetime]:
        """Midnights, the oldest first; today is the last."""
        today = datetime.combine(self.now.date(), time(), UTC)
        return [today - timedelta(days=back) for back in reversed(range(DAYS))]

    @property
    def bad_day(self) -> datetime:
        """A Tuesday three to four weeks ago."""
        return next(day for day in reversed(self.days[:-20]) if day.weekday() == TUESDAY)

    def in_outage(self, moment: datetime) -> bool:
        """Whether other people's servers are away."""
        return moment.date() == self.bad_day.date() and OUTAGE[0] <= moment.time() < OUTAGE[1]

    def arrivals(self, rng: Random, count: int) -> list[datetime]:
        """`count` moments, sorted; the newest at least twenty minutes before now."""
        last = self.now - timedelta(minutes=20)
        days, weights = self.days, list(accumulate(self._weight(day) for day in self.days))
        hours = list(accumulate(RHYTHM))
        found: list[datetime] = []
        while len(found) < count:
            moment = rng.choices(days, cum_weights=weights)[0] + timedelta(
                hours=rng.choices(range(24), cum_weights=hours)[0], seconds=rng.uniform(0, 3600)
            )
            found.extend([moment] if moment <= last else [])
        return sorted(found)

    def daily(self, at: time, most: int) -> list[datetime]:
        """The last `most` days at the same time, the oldest first."""
        moments = [day + timedelta(hours=at.hour, minutes=at.minute) for day in self.days]
        past = [moment for moment in moments if moment <= self.now - timedelta(minutes=20)]
        return past[len(past) - min(most, len(past)) :]

    def _weight(self, day: datetime) -> float:
        """The clinic grows slowly; on the bad day people send their forms again."""
        growth = 0.7 + 0.5 * (1 - (self.now - day).days / DAYS)
        weekday = {5: SATURDAY, 6: SUNDAY}.get(day.weekday(), 1.0)
        return growth * weekday * (2.2 if day == self.bad_day else 1)


def spread(count: int, places: int) -> Sequence[int]:
    """`places` positions spread evenly over a list of `count`; fewer when the list is short."""
    return [round((place + 0.5) * count / places) for place in range(min(places, count))]
