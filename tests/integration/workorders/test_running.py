"""Starting and completing runs (workorders §3, §4, §8.2, §18.16-24, §18.81)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from portal import dataclips, workorders
from portal.core import clock, db
from portal.core.errors import NotFound
from portal.workorders import Created, NewRun
from portal.workorders.models import Run
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow
from tests.support.history import News, claimed, order_of, received, refusals, row, run_of, started

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def start(created: Created, **more: object) -> None:
    assert created.run_id is not None
    workorders.start_run(created.run_id, **more)  # type: ignore[arg-type]


def complete(created: Created, **more: object) -> None:
    assert created.run_id is not None
    workorders.complete_run(created.run_id, **more)  # type: ignore[arg-type]


def refused(deed: Callable[..., None], created: Created, **more: object) -> dict[str, list[str]]:
    before = vars(run_of(created)).copy()
    problems = refusals(lambda: deed(created, **more))
    after = vars(run_of(created))
    assert {name: after[name] for name in Run.__table__.c.keys()} == {  # noqa: SIM118
        name: before[name]
        for name in Run.__table__.c.keys()  # noqa: SIM118
    }
    return problems


def test_18_16_starting_a_claimed_run_starts_its_work_order(flow: MadeWorkflow, news: News) -> None:
    with clock.frozen_at(NOON):
        created = claimed(flow)
    news.heard()
    with clock.frozen_at(NOON + timedelta(seconds=3)), capture_logs() as logs:
        start(created)
    assert (run_of(created).state, run_of(created).started_at) == ("started", NOON + timedelta(seconds=3))
    assert order_of(created).state == "running"
    delays = [entry["queue_delay_ms"] for entry in logs if entry["event"] == "run_started"]
    assert delays == [3000]
    project, run = f"project:{created.project_id}", f"run:{created.run_id}"
    assert news.heard() == [
        (project, "workorder-updated", str(created.work_order_id)),
        (project, "run-updated", str(created.run_id)),
        (run, "run-updated", str(created.run_id)),
    ]


def test_8_2_the_workers_timestamp_is_the_start(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    start(created, timestamp="1793620800000000")
    assert run_of(created).started_at == datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_8_1_an_unreadable_timestamp_is_refused(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    assert refused(start, created, timestamp="noon") == {"timestamp": ["is invalid"]}


def test_18_17_starting_an_available_run_is_refused(flow: MadeWorkflow) -> None:
    assert refused(start, received(flow)) == {"state": ["the run was not claimed by a worker"]}


def test_3_1_a_started_run_does_not_start_again(flow: MadeWorkflow) -> None:
    assert "state" in refused(start, started(flow))


def test_3_1_a_finished_run_does_not_start_again(flow: MadeWorkflow) -> None:
    created = started(flow)
    complete(created, state="success")
    assert refused(start, created) == {"state": ["already in completed state"]}


@pytest.mark.parametrize("state", ["success", "lost"])
def test_18_18_completing_an_available_run_is_refused(flow: MadeWorkflow, state: str) -> None:
    problems = refused(complete, received(flow), state=state)
    assert problems == {"state": ["the run was not claimed by a worker"]}


def test_18_19_a_claimed_run_can_be_completed_as_lost(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    complete(created, state="lost")
    assert (run_of(created).state, order_of(created).state) == ("lost", "lost")


def test_18_20_completing_a_started_run(flow: MadeWorkflow, news: News) -> None:
    created, other = started(flow), started(flow)
    news.heard()
    with clock.frozen_at(NOON):
        complete(created, state="success")
    assert (run_of(created).state, run_of(created).finished_at) == ("success", NOON)
    assert (order_of(created).state, order_of(other).state) == ("success", "running")
    assert "workorder-updated" in news.events()
    assert run_of(created).search_due_at == NOON


def test_18_21_a_state_is_required_and_must_be_final(flow: MadeWorkflow) -> None:
    created = started(flow)
    assert refused(complete, created) == {"state": ["can't be blank"]}
    assert refused(complete, created, state="finished") == {"state": ["is invalid"]}
    assert refused(complete, created, state="claimed") == {"state": ["is invalid"]}
    assert refused(complete, created, reason="nonsense") == {"state": ["is invalid"]}


def test_18_22_a_finished_run_cannot_be_completed_again(flow: MadeWorkflow) -> None:
    created = started(flow)
    complete(created, state="failed")
    assert refused(complete, created, state="success") == {"state": ["already in completed state"]}


def test_18_23_a_claimed_run_can_crash_before_it_starts(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    complete(created, reason="crash", error_type="CompileError", final_dataclip_id="")
    run = run_of(created)
    assert (run.state, run.error_type, run.final_dataclip_id) == ("crashed", "CompileError", None)
    assert (run.started_at, run.finished_at is None) == (None, False)


@pytest.mark.parametrize("given", [uuid.UUID(int=7), "nonsense"])
def test_18_24_an_unknown_final_dataclip_is_refused(flow: MadeWorkflow, given: object) -> None:
    created = started(flow)
    problems = refused(complete, created, state="success", final_dataclip_id=given)
    assert problems == {"final_dataclip_id": ["does not exist"]}


def test_a_final_dataclip_of_the_project_is_linked(cast: Cast, flow: MadeWorkflow) -> None:
    created = started(flow)
    clip = dataclips.create(cast.project.id, "step_result", {"done": True})
    complete(created, reason="ok", final_dataclip_id=str(clip))
    assert run_of(created).final_dataclip_id == clip


def test_an_unknown_run_is_not_found(flow: MadeWorkflow) -> None:
    with pytest.raises(NotFound):
        workorders.start_run(uuid.uuid4())


def test_18_81_a_work_order_follows_its_run(flow: MadeWorkflow) -> None:
    created = received(flow)
    assert order_of(created).state == "pending"
    workorders.claim()
    start(created)
    assert order_of(created).state == "running"


def again(flow: MadeWorkflow, created: Created) -> Created:
    run = NewRun(
        work_order_id=created.work_order_id,
        project_id=created.project_id,
        workflow_id=created.workflow_id,
        snapshot_id=flow.snapshot.id,
        dataclip_id=created.dataclip_id,
        options=None,
        starting_trigger_id=flow.trigger.id,
    )
    workorders.enqueue(run)
    return Created(
        created.work_order_id, run.id, None, created.project_id, created.workflow_id, created.state
    )


# workorders §4, the table: (first run, second run), the changed one last; the work order's state.
@pytest.mark.parametrize(
    ("deeds", "state"),
    [
        (["1 claim", "1 start", "1 success"], "success"),
        (["1 claim", "1 start", "1 success", "2 claim", "2 start", "2 failed"], "failed"),
        (["2 wait", "1 claim", "1 start", "1 success"], "pending"),
        (["1 claim", "1 start", "2 claim", "2 start", "1 success"], "running"),
        (["1 claim", "1 start"], "running"),
        (["2 wait", "1 claim", "1 start"], "pending"),
        (["1 claim", "1 start", "1 failed", "2 wait"], "pending"),
        (["1 claim", "1 start", "2 claim"], "running"),
        (["2 claim", "1 claim", "1 start", "1 success"], "pending"),
        # The run that changed last counts, not the one that was made last.
        (["1 claim", "1 start", "2 claim", "2 start", "2 success", "1 crashed"], "crashed"),
    ],
)
def test_4_the_work_orders_state_is_derived(flow: MadeWorkflow, deeds: list[str], state: str) -> None:
    first = received(flow)
    runs = {"1": first}
    for deed in deeds:
        name, word = deed.split()
        run = runs.setdefault(name, runs.get(name) or again(flow, first))
        assert run.run_id is not None
        if word == "claim":
            workorders.claim_run(run.run_id)
        elif word == "start":
            workorders.start_run(run.run_id)
        elif word != "wait":
            workorders.complete_run(run.run_id, state=word)
    assert order_of(first).state == state


def test_4_a_derivation_marks_updated_at_and_last_activity(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    with clock.frozen_at(NOON):
        start(created)
    assert (order_of(created).updated_at, order_of(created).last_activity) == (NOON, NOON)


def test_objects_that_were_loaded_before_show_the_new_state(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    run = row(Run, created.run_id)
    order = order_of(created)
    start(created)
    assert (run.state, order.state) == ("started", "running")
    assert db.session().get(Run, created.run_id) is run
