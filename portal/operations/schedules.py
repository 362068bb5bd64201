"""Periodic tasks: what they are, and when each is due next.

Slots lie on multiples of the period since 1970 (or on a time of the day, UTC), so every
ticker computes the same ones. A task that was due while no ticker ran is run once,
however many slots were missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Periodic:
    """A periodic task.

    `every` is a period, or the UTC time of a daily turn. `run` is called without
    arguments, by a worker, or by the ticker itself when `in_ticker` (short work only);
    what it answers is kept as text. With `due`, a slot for which `due()` is false passes
    without a turn.
    """

    name: str
    every: timedelta | time
    run: Callable[[], object]
    due: Callable[[], bool] | None = None
    in_ticker: bool = False

    def next_after(self, moment: datetime) -> datetime:
        """The first slot after `moment` (aware)."""
        if isinstance(self.every, timedelta):
            return EPOCH + ((moment - EPOCH) // self.every + 1) * self.every
        today = datetime.combine(moment.astimezone(UTC).date(), self.every, UTC)
        return today if today > moment else today + timedelta(days=1)


_periodics: dict[str, Periodic] = {}


def install(periodics: Iterable[Periodic]) -> None:
    """Make these, and only these, the portal's periodic tasks. Raises ValueError for a name used twice."""
    named: dict[str, Periodic] = {}
    for periodic in periodics:
        if periodic.name in named:
            raise ValueError(f"two periodic tasks are called {periodic.name}")
        named[periodic.name] = periodic
    _periodics.clear()
    _periodics.update(named)


def installed() -> tuple[Periodic, ...]:
    """The periodic tasks, in the order given."""
    return tuple(_periodics.values())


def periodic_named(name: str) -> Periodic | None:
    """The periodic task called `name`, if this release has it."""
    return _periodics.get(name)


def lock_name(name: str) -> str:
    """The advisory lock that is held while a turn of `name` runs."""
    return f"schedule:{name}"
