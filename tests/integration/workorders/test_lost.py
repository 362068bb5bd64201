"""The janitor (workorders §11, §18.38-44)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from portal import workorders
from portal.core import clock, db
from portal.core.limits import limits
from portal.workorders import Created, lost
from portal.workorders.models import Run, Step
from tests.support.factories import MadeWorkflow
from tests.support.history import News, claimed, done_step, order_of, received, row, run_of, started, step_of

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MAXIMUM = timedelta(seconds=300)


@pytest.fixture(autouse=True)
def at_noon() -> object:
    """Runs are made at noon; the grace period is that of the limits."""
    with clock.frozen_at(NOON):
        yield


def after(passed: timedelta) -> int:
    """Let the janitor come `passed` and the grace period after noon; answers how many it marked."""
    with clock.frozen_at(NOON + passed + timedelta(seconds=limits().run_grace_seconds)):
        return workorders.mark_lost()


def allow(created: Created, seconds: int | None) -> None:
    options = None if seconds is None else {"run_timeout_ms": seconds * 1000}
    db.session().execute(sa.update(Run).where(Run.id == created.run_id).values(options=options))
    db.session().commit()


SECOND = timedelta(seconds=1)


def test_18_38_only_an_old_unfinished_run_is_lost(flow: MadeWorkflow) -> None:
    old, crashed, waiting = claimed(flow), claimed(flow), received(flow)
    assert crashed.run_id is not None
    workorders.complete_run(crashed.run_id, state="crashed", error_type="ImportError")
    with clock.frozen_at(NOON + MAXIMUM):
        fresh = claimed(flow)
    assert after(MAXIMUM + SECOND) == 1
    assert [run_of(each).state for each in (old, crashed, waiting, fresh)] == [
        "lost",
        "crashed",
        "available",
        "claimed",
    ]
    run = run_of(old)
    assert (run.error_type, run.finished_at) == (
        "LostAfterClaim",
        NOON + MAXIMUM + SECOND + timedelta(seconds=limits().run_grace_seconds),
    )
    assert order_of(old).state == "lost"


def test_18_39_a_longer_time_of_its_own_is_waited_for(flow: MadeWorkflow) -> None:
    created = started(flow)
    allow(created, 600)
    assert after(timedelta(seconds=599)) == 0
    assert after(timedelta(seconds=601)) == 1
    assert run_of(created).error_type == "LostAfterStart"


def test_18_40_without_options_the_systems_maximum_counts(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    allow(created, None)
    assert after(MAXIMUM - SECOND) == 0
    assert after(MAXIMUM + SECOND) == 1


def test_18_41_the_limit_is_exact_and_each_runs_own(flow: MadeWorkflow) -> None:
    created, short, long = claimed(flow), claimed(flow), claimed(flow)
    allow(created, 120)
    allow(short, 30)
    allow(long, 300)
    assert after(timedelta(seconds=40)) == 1
    assert (run_of(short).state, run_of(long).state) == ("lost", "claimed")
    assert after(timedelta(seconds=119)) == 0
    assert after(timedelta(seconds=120)) == 0
    assert after(timedelta(seconds=121)) == 1
    assert (run_of(created).state, run_of(long).state) == ("lost", "claimed")


def test_18_42_a_late_start_counts_instead_of_the_claim(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    assert created.run_id is not None
    with clock.frozen_at(NOON + MAXIMUM):
        workorders.start_run(created.run_id)
    assert after(MAXIMUM + SECOND) == 0


def test_18_43_finished_steps_stay_and_open_ones_are_lost(flow: MadeWorkflow, news: News) -> None:
    created = started(flow)
    done, _ = done_step(flow, created, "First")
    left_open = step_of(flow, created, "Second")
    news.heard()
    after(MAXIMUM + SECOND)
    assert (row(Step, done).exit_reason, row(Step, done).finished_at) == ("success", NOON)
    step = row(Step, left_open)
    assert (step.exit_reason, step.finished_at) == ("lost", run_of(created).finished_at)
    assert "workorder-updated" in news.events()


def test_18_44_a_lost_run_is_measured_once(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    with capture_logs() as logs:
        after(MAXIMUM + SECOND)
        after(MAXIMUM + 2 * SECOND)
    lost_runs = [entry for entry in logs if entry["event"] == "run_lost"]
    assert [entry["run_id"] for entry in lost_runs] == [str(created.run_id)]


def test_11_6_a_run_that_ended_meanwhile_is_left_alone_with_its_steps(flow: MadeWorkflow) -> None:
    created = started(flow)
    step_id = step_of(flow, created, "First")
    assert created.run_id is not None
    workorders.complete_run(created.run_id, state="success")
    with clock.frozen_at(NOON + 2 * MAXIMUM):
        assert lost._mark(created.run_id) is False
    assert (run_of(created).state, row(Step, step_id).exit_reason) == ("success", None)


def test_11_7_one_failing_run_does_not_stop_the_others(
    flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = claimed(flow), claimed(flow)
    mark = lost._mark

    def broken(run_id: object) -> bool:
        if run_id == bad.run_id:
            raise RuntimeError("no luck")
        return mark(run_id)  # type: ignore[arg-type]

    monkeypatch.setattr(lost, "_mark", broken)
    assert after(MAXIMUM + SECOND) == 1
    assert (run_of(bad).state, run_of(good).state) == ("claimed", "lost")


def test_11_8_steps_that_a_finished_run_left_open_are_closed_after_the_grace_period(
    flow: MadeWorkflow,
) -> None:
    created = started(flow)
    done, _ = done_step(flow, created, "First")
    step_id = step_of(flow, created, "Second")
    assert created.run_id is not None
    workorders.complete_run(created.run_id, state="failed")
    after(-SECOND)
    assert row(Step, step_id).exit_reason is None
    assert after(SECOND) == 0
    assert (row(Step, step_id).exit_reason, row(Step, done).exit_reason) == ("lost", "success")
    assert row(Step, step_id).finished_at is not None
