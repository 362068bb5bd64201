"""Loading the demo: three projects, ninety days of work orders, made by the portal's own commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from portal import workorders
from portal.accounts import User, actor_of
from portal.core import clock
from portal.demo import stage
from portal.demo.plans import FLOWS, Plan, make_plans
from portal.demo.player import play
from portal.demo.saved import save_views
from portal.demo.timetable import DAYS

# Work orders in one transaction: a commit for each would cost more than the work.
BATCH = 100
# Sorting that takes longer is left to the ticker.
MOST_SECONDS = 60
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was made."""

    projects: int
    work_orders: int
    indexed_runs: int


def load(owner: User, *, work_orders: int = 2000, seed: int = 1, progress: Progress | None = None) -> Loaded:
    """Make the demo projects, owned by `owner`, and `work_orders` work orders over the last 90 days.

    The same seed at the same moment gives the same history, ids aside. `progress` is told
    how many of how many are done. Ends with a searchable history whose failures stand in
    groups. Call it outside any unit of work. Raises Conflict when a demo project is there
    already.
    """
    stage.refuse_twice()
    now, actor = clock.now(), actor_of(owner)
    began = now - timedelta(days=DAYS + 1)
    workorders.ensure_log_partitions(began.date(), now.date())
    with clock.frozen_at(began):
        stages = stage.build(FLOWS, owner=owner, actor=actor)
        save_views((each.project_id for each in stages.values()), actor)
    done = 0
    for batch in _batches(make_plans(work_orders, seed, now)):
        play(batch, stages, actor)
        done += len(batch)
        if progress:
            progress(done, work_orders)
    indexed = _make_searchable()
    workorders.sort_failures(seconds=MOST_SECONDS)
    return Loaded(len(stage.SPECS), done, indexed)


def _batches(plans: list[Plan]) -> Iterator[list[Plan]]:
    """Groups of plans to play in one transaction; one with a lost run stands alone."""
    batch: list[Plan] = []
    for plan in plans:
        if batch and (plan.lost or len(batch) == BATCH):
            yield batch
            batch = []
        if plan.lost:
            yield [plan]
        else:
            batch.append(plan)
    if batch:
        yield batch


def _make_searchable() -> int:
    """Index until nothing is due, or another process does it."""
    indexed = 0
    while done := workorders.index_due():
        indexed += done
    return indexed
