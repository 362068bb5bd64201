"""The words of the dashboard's figures: what is counted, and the rates that follow (workorders §14)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from portal.workorders.models import WorkorderState

Outcome = Literal["success", "pending", "failed"]
# Of work orders, runs and steps alike; whatever else there is counts as failed.
_WAITING = frozenset({"pending", "running", "available", "claimed", "started"})


def outcome(state: str) -> Outcome:
    """What a state of a work order or run, or the exit reason of a step, counts as.

    Rejected and cancelled ones are failed.
    """
    return "success" if state == "success" else "pending" if state in _WAITING else "failed"


# The states of work orders behind each figure, for the address of exactly that history.
STATES: dict[Outcome, tuple[WorkorderState, ...]] = {
    name: tuple(state for state in WorkorderState if outcome(state) == name)
    for name in ("success", "pending", "failed")
}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many went well, are not finished, failed."""

    success: int = 0
    pending: int = 0
    failed: int = 0

    def plus(self, name: Outcome, number: int) -> Counts:
        """The same with `number` more of one kind."""
        return replace(self, **{name: getattr(self, name) + number})

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.success + other.success, self.pending + other.pending, self.failed + other.failed)

    @property
    def total(self) -> int:
        """All of them."""
        return self.success + self.pending + self.failed

    @property
    def success_rate(self) -> float:
        """Per cent of the finished ones that went well, two decimals; 0.0 when none did."""
        return _percent(self.success, self.success + self.failed)

    @property
    def failed_percentage(self) -> float:
        """Per cent of all, unfinished included, that failed, two decimals; 0.0 when there is nothing."""
        return _percent(self.failed, self.total)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


@dataclass(frozen=True, slots=True)
class LastOrder:
    """A work order as the dashboard names it."""

    id: uuid.UUID
    state: WorkorderState
    inserted_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class WorkflowStatistics:
    """One workflow's figures.

    `last_workorder` is the newest that was ever received, by its arrival. `last_failed_workorder`
    is that one too unless it went well; then the newest failed one of the period.
    """

    workflow_id: uuid.UUID
    name: str
    deleted: bool
    work_orders: Counts
    runs: Counts
    steps: Counts
    last_workorder: LastOrder | None
    last_failed_workorder: LastOrder | None

    @property
    def workorders_count(self) -> int:
        """The sum of the three."""
        return self.work_orders.total

    @property
    def step_count(self) -> int:
        """The sum of the three, also when no step went well."""
        return self.steps.total

    @property
    def step_success_rate(self) -> float:
        """Per cent of the finished steps."""
        return self.steps.success_rate


class WorkflowSort(StrEnum):
    """The order of a project's workflows; a leading minus says most or newest first."""

    LAST_DESC = "-last"
    LAST_ASC = "last"
    ORDERS_DESC = "-orders"
    ORDERS_ASC = "orders"
    FAILED_DESC = "-failed"
    FAILED_ASC = "failed"

    @property
    def column(self) -> str:
        """What is sorted by."""
        return self.value.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the most or newest comes first."""
        return self.value.startswith("-")


_NEVER = datetime.min.replace(tzinfo=UTC)


def sorted_workflows(found: Iterable[WorkflowStatistics], sort: WorkflowSort) -> list[WorkflowStatistics]:
    """The workflows in an order; equal ones stay by name. Without a work order: the oldest activity."""
    keys = {
        "last": lambda each: each.last_workorder.updated_at if each.last_workorder else _NEVER,
        "orders": lambda each: each.workorders_count,
        "failed": lambda each: each.work_orders.failed,
    }
    return sorted(found, key=keys[sort.column], reverse=sort.descending)


@dataclass(frozen=True, slots=True)
class ProjectStatistics:
    """A project's figures: received after `since`, as they stood at `taken_at`.

    `sampled`: steps are those of the newest 20,000 runs, for there are more.
    """

    since: datetime
    taken_at: datetime
    workflows: tuple[WorkflowStatistics, ...]
    sampled: bool = False

    @property
    def work_orders(self) -> Counts:
        """The sum over the workflows."""
        return sum((each.work_orders for each in self.workflows), Counts())

    @property
    def runs(self) -> Counts:
        """The sum over the workflows."""
        return sum((each.runs for each in self.workflows), Counts())

    @property
    def steps(self) -> Counts:
        """The sum over the workflows."""
        return sum((each.steps for each in self.workflows), Counts())

    @property
    def success_rate(self) -> float:
        """Per cent of the finished runs that went well."""
        return self.runs.success_rate

    @property
    def failed_percentage(self) -> float:
        """Per cent of all work orders that failed."""
        return self.work_orders.failed_percentage


@dataclass(frozen=True, slots=True)
class Bucket:
    """The work orders received from `start` up to, not including, `end`."""

    start: datetime
    end: datetime
    counts: Counts
