"""The dashboard's figures, against a recount in plain Python (workorders §14, §18.82)."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core import broker, clock, db
from portal.core.errors import NotFound
from portal.workorders import WorkflowSort, WorkorderState, sorted_workflows, statistics
from portal.workorders.models import Run, RunStep, Step, Workorder
from portal.workorders.pace import count_between
from tests.support.factories import make_project, make_workflow
from tests.support.past import happen

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
EDGE = NOW - timedelta(days=30)


@pytest.fixture(autouse=True)
def at_noon():
    with clock.frozen_at(NOW):
        yield


@pytest.fixture
def flow(cast):
    return make_workflow(cast.project, "Intake")


@pytest.fixture
def figures(cast, queue):
    """The figures as they are now, nothing kept."""

    def compute():
        broker.client().flushdb()
        return workorders.project_statistics(cast.project)

    return compute


def only(found):
    (each,) = found.workflows
    return each


def test_18_82_counts_and_rates_of_a_success_a_failure_and_a_pending_one(flow, figures):
    """workorders §18.82"""
    for state in ("success", "failed", "pending"):
        happen(flow, state=state, at=NOW - timedelta(hours=1))
    found = figures()
    each = only(found)
    for counts in (each.work_orders, each.runs):
        assert (counts.success, counts.failed, counts.pending, counts.total) == (1, 1, 1, 3)
    assert each.workorders_count == 3
    assert found.success_rate == 50.0
    assert found.failed_percentage == 33.33


@pytest.mark.parametrize("state", list(WorkorderState))
def test_14_everything_but_success_and_what_goes_on_is_failed(flow, figures, state):
    """workorders §14: rejected and cancelled ones too"""
    happen(flow, state=str(state))
    counts = only(figures()).work_orders
    expected = {"success": (1, 0, 0), "pending": (0, 1, 0), "running": (0, 1, 0)}.get(str(state), (0, 0, 1))
    assert (counts.success, counts.pending, counts.failed) == expected


def test_14_only_what_is_strictly_newer_than_thirty_days_counts(flow, figures):
    """workorders §14"""
    happen(flow, at=EDGE)
    happen(flow, at=EDGE + timedelta(microseconds=1))
    assert figures().work_orders.total == 1
    assert figures().runs.total == 1


def test_14_rates_are_zero_when_nothing_was_completed(flow, figures):
    """workorders §14"""
    assert (figures().success_rate, figures().failed_percentage) == (0.0, 0.0)
    happen(flow, state="pending", steps=[None])
    found = figures()
    assert (found.success_rate, found.failed_percentage, found.work_orders.pending) == (0.0, 0.0, 1)


def test_14_steps_without_a_reason_are_pending_and_a_carried_one_is_one(flow, figures, db_session):
    """workorders §14"""
    happened = happen(flow, runs=2, state="failed", steps=[None, None, None])
    good, bad, unfinished = happened.steps
    bad.exit_reason, unfinished.exit_reason = "crash", None
    db_session.add(RunStep(run_id=happened.runs[0].id, step_id=good.id))
    db_session.flush()
    each = only(figures())
    assert (each.steps.success, each.steps.failed, each.steps.pending) == (1, 1, 1)
    assert each.step_count == 3
    assert each.step_success_rate == 50.0


def test_14_steps_are_counted_though_none_went_well(flow, figures):
    """workorders §14: the true sum"""
    happened = happen(flow, state="failed", steps=[None])
    happened.steps[0].exit_reason = "fail"
    db.session().flush()
    each = only(figures())
    assert (each.step_count, each.step_success_rate) == (1, 0.0)


def test_14_the_last_work_order_is_the_newest_by_arrival(flow, figures):
    """workorders §14"""
    assert only(figures()).last_workorder is None
    happen(flow, received=NOW - timedelta(days=80), at=NOW, state="failed")
    newest = happen(flow, received=NOW - timedelta(days=70), at=NOW - timedelta(days=70))
    last = only(figures()).last_workorder
    assert (last.id, last.state, last.updated_at) == (newest.id, "success", newest.order.updated_at)


@pytest.mark.parametrize("newest", ["pending", "running", "failed", "cancelled"])
def test_14_the_last_failure_is_the_newest_itself_unless_that_went_well(flow, figures, newest):
    """workorders §14: even when unfinished"""
    happen(flow, state="lost", at=NOW - timedelta(hours=2))
    last = happen(flow, state=newest, at=NOW - timedelta(hours=1))
    assert only(figures()).last_failed_workorder.id == last.id


def test_14_behind_a_success_stands_the_newest_that_failed(flow, figures):
    """workorders §14: neither success nor unfinished"""
    happen(flow, state="crashed", at=NOW - timedelta(hours=9))
    wanted = happen(flow, state="lost", at=NOW - timedelta(hours=8))
    happen(flow, state="pending", at=NOW - timedelta(hours=7))
    happen(flow, at=NOW - timedelta(hours=6))
    assert only(figures()).last_failed_workorder.id == wanted.id


def test_14_a_workflow_that_never_failed_has_no_last_failure(flow, figures):
    """workorders §14"""
    happen(flow)
    assert only(figures()).last_failed_workorder is None


def test_14_workflows_sort_by_last_activity_number_and_failures(cast, figures):
    """workorders §14: real time order; without work orders is oldest"""
    flows = {name: make_workflow(cast.project, name) for name in ("a", "b", "c")}
    happen(flows["a"], state="failed", at=NOW - timedelta(days=9)), happen(flows["b"], at=NOW)
    happen(flows["b"], at=NOW - timedelta(days=1))
    db.session().execute(sa.update(Workorder).values(updated_at=Workorder.inserted_at))
    found = figures().workflows

    def names(sort):
        return [each.name for each in sorted_workflows(found, WorkflowSort(sort))]

    assert names("-last") == ["b", "a", "c"]
    assert names("last") == ["c", "a", "b"]
    assert names("-orders") == ["b", "a", "c"]
    assert names("-failed") == ["a", "b", "c"]
    assert names("orders") == ["c", "a", "b"]


def test_a_deleted_workflow_counts_as_long_as_the_period_has_work_orders_of_it(cast, flow, figures):
    gone = make_workflow(cast.project, "Gone", deleted_at=NOW)
    make_workflow(cast.project, "Gone and empty", deleted_at=NOW)
    happen(gone, state="failed")
    found = figures()
    assert [(each.name, each.deleted) for each in found.workflows] == [("Gone", True), ("Intake", False)]
    assert found.work_orders.failed == 1


def test_the_figures_of_one_workflow_and_of_another_projects(cast, flow, figures):
    happen(flow)
    figures()
    assert workorders.statistics_of(cast.project, flow.id).workorders_count == 1
    with pytest.raises(NotFound):
        workorders.statistics_of(cast.project, make_workflow(make_project()).id)


def test_figures_are_kept_for_a_minute(cast, flow, figures, queue):
    happen(flow)
    assert figures().work_orders.total == 1
    happen(flow)
    kept = workorders.project_statistics(cast.project)
    assert (kept.work_orders.total, kept.taken_at) == (1, NOW)
    assert 0 < queue.ttl(f"portal:cache:statistics:{cast.project.id}") <= 60
    assert figures().work_orders.total == 2


def test_without_the_broker_figures_are_computed(cast, flow):
    address = broker.url()
    broker.configure("redis://127.0.0.1:1")
    try:
        happen(flow)
        assert workorders.project_statistics(cast.project).work_orders.total == 1
    finally:
        broker.configure(address)


# Against a plain recount


@pytest.fixture
def lived_in(cast):
    """Work orders of two workflows and of another project, on both sides of every edge."""
    rng = random.Random(7)
    flows = [make_workflow(cast.project, name) for name in ("One", "Two")]
    flows.append(make_workflow(make_project("elsewhere")))
    for _ in range(120):
        at = NOW - timedelta(days=rng.uniform(0, 40))
        state = str(rng.choice([*WorkorderState, "success", "success"]))
        steps = [None] * rng.randint(0, 3) if state != "rejected" else []
        made = happen(rng.choice(flows), at=at, state=state, runs=rng.randint(1, 3), steps=steps)
        for step in made.steps:
            step.exit_reason = rng.choice([None, "success", "success", "fail", "crash", "lost"])
            step.inserted_at = at
    db.session().flush()
    return flows


WAITING = {"pending", "running", "available", "claimed", "started", None}


def kind(state):
    state = None if state is None else str(state)
    return "success" if state == "success" else "pending" if state in WAITING else "failed"


def recount(rows):
    found = Counter(kind(state) for state in rows)
    return tuple(found[name] for name in ("success", "pending", "failed"))


def numbers(counts):
    return (counts.success, counts.pending, counts.failed)


def test_14_all_figures_equal_a_plain_recount(cast, lived_in, figures):
    """workorders §14"""
    session = db.session()
    orders, runs = session.scalars(sa.select(Workorder)).all(), session.scalars(sa.select(Run)).all()
    steps, pairs = session.scalars(sa.select(Step)).all(), session.scalars(sa.select(RunStep)).all()
    found = figures()
    assert [each.name for each in found.workflows] == ["One", "Two"]
    for each in found.workflows:
        mine = [row for row in orders if row.workflow_id == each.workflow_id]
        ran = [row for row in runs if row.workflow_id == each.workflow_id and row.inserted_at > EDGE]
        through = {pair.step_id for pair in pairs if pair.run_id in {run.id for run in ran}}
        took = [step for step in steps if step.id in through and step.inserted_at > EDGE]
        assert numbers(each.work_orders) == recount(row.state for row in mine if row.inserted_at > EDGE)
        assert numbers(each.runs) == recount(row.state for row in ran)
        assert numbers(each.steps) == recount(step.exit_reason for step in took)
        last = max(mine, key=lambda row: (row.inserted_at, row.id))
        failed = [row for row in mine if kind(row.state) == "failed"]
        wanted = max(failed, key=lambda row: row.inserted_at) if last.state == "success" else last
        assert (each.last_workorder.id, each.last_failed_workorder.id) == (last.id, wanted.id)
    assert found.work_orders.total == sum(each.workorders_count for each in found.workflows) > 50


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
def test_days_are_those_of_the_readers_zone_and_equal_a_plain_recount(cast, lived_in, queue, zone):
    there = ZoneInfo(zone)
    orders = db.session().scalars(sa.select(Workorder).where(Workorder.project_id == cast.project.id)).all()
    days = workorders.daily_counts(cast.project, zone=there)
    today = NOW.astimezone(there).date()
    assert [bucket.start.astimezone(there).date() for bucket in days] == [
        today - timedelta(days=back) for back in range(29, -1, -1)
    ]
    for bucket in days:
        day = bucket.start.astimezone(there).date()
        mine = [row.state for row in orders if row.inserted_at.astimezone(there).date() == day]
        assert numbers(bucket.counts) == recount(mine)


def test_hours_of_one_workflow(cast, flow, queue):
    other = make_workflow(cast.project)
    for minutes in (1, 59, 61, 60 * 24 - 1, 60 * 24 + 1):
        happen(flow, at=NOW - timedelta(minutes=minutes)), happen(other)
    hours = workorders.hourly_counts(cast.project, flow.id)
    assert [bucket.counts.total for bucket in hours] == [1, *[0] * 21, 1, 2]
    assert (hours[0].start, hours[-1].end) == (NOW - timedelta(days=1), NOW)


def test_a_moment_on_an_edge_belongs_to_what_begins_there(cast, flow):
    edges = [NOW - timedelta(hours=2), NOW - timedelta(hours=1), NOW]
    for edge in edges:
        happen(flow, at=edge)
    assert [bucket.counts.total for bucket in count_between(cast.project.id, edges)] == [1, 1]


def test_steps_of_very_many_runs_are_told_to_be_a_sample(cast, flow, monkeypatch, figures):
    monkeypatch.setattr(statistics, "MOST_RUNS", 1)
    old = happen(flow, at=NOW - timedelta(hours=1), steps=[None, None])
    happen(flow, steps=[None])
    assert old.steps
    found = figures()
    assert (found.steps.total, found.sampled) == (1, True)
