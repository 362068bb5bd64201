"""What was measured."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from bench.capture import PlanCheck


@dataclass(slots=True)
class Series:
    """Seconds of one side of a comparison, in the order in which they were measured."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)

    @property
    def p95(self) -> float:
        """The 95th percentile, in seconds."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]


@dataclass(slots=True)
class Case:
    """One line of the table.

    `target` says in words what is asked, `passed` whether it was met (None: nothing is
    asked). `figures` are rates and sizes that are not times of a request.
    """

    name: str
    ours: Series = field(default_factory=Series)
    reference: Series = field(default_factory=Series)
    floor: Series = field(default_factory=Series)
    target: str = ""
    passed: bool | None = None
    same_rows: bool | None = None
    plans: list[PlanCheck] = field(default_factory=list)
    figures: str = ""

    @property
    def plans_pass(self) -> bool:
        """Whether every statement was planned as it should be."""
        return all(plan.passes for plan in self.plans)


@dataclass(slots=True)
class Outcome:
    """Everything of one size."""

    number: int
    cases: list[Case] = field(default_factory=list)
    sizes: list[tuple[str, int, int, int]] = field(default_factory=list)
    made_in: float = 0.0
