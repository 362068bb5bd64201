"""The queue: who gets which run (workorders §6, §18.7-15)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core import clock, db
from portal.core.errors import Conflict, NotFound
from portal.projects.models import Project
from portal.workorders import NewRun, Priority, RunState
from portal.workorders.models import Run, RunStep
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project, make_workflow
from tests.support.history import News, order_of, received, refusals, row, run_of

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class Queue:
    """Makes runs one second apart and remembers them by name."""

    def __init__(self) -> None:
        self.names: dict[uuid.UUID, str] = {}
        self.ids: dict[str, uuid.UUID] = {}
        self._moment = NOON

    def add(
        self, name: str, flow: MadeWorkflow, priority: Priority = Priority.NORMAL, queue: str = "default"
    ) -> None:
        self._moment += timedelta(seconds=1)
        with clock.frozen_at(self._moment):
            run_id = received(flow).run_id
        assert run_id is not None
        values = {"priority": int(priority), "queue": queue}
        db.session().execute(sa.update(Run).where(Run.id == run_id).values(values))
        self.names[run_id], self.ids[name] = name, run_id

    def claim(self, demand: int = 1, queues: list[str] | None = None) -> list[str]:
        return [self.names[run.id] for run in workorders.claim(demand, "w", queues)]

    def finish(self, name: str) -> None:
        workorders.complete_run(self.ids[name], state="success")


def limited(project: Project, concurrency: int | None = None) -> MadeWorkflow:
    made = make_workflow(project, concurrency=concurrency)
    db.session().commit()
    return made


def test_18_7_an_available_run_is_claimed_once(flow: MadeWorkflow) -> None:
    created = received(flow)
    with clock.frozen_at(NOON):
        (run,) = workorders.claim(worker_name="w")
    assert (run.id, run.work_order_id) == (created.run_id, created.work_order_id)
    assert (run_of(created).state, run_of(created).claimed_at) == (RunState.CLAIMED, NOON)
    assert workorders.claim(worker_name="w") == []


def test_an_empty_queue_gives_an_empty_list(flow: MadeWorkflow) -> None:
    assert workorders.claim(5) == []
    received(flow)
    assert workorders.claim(0) == []


def test_18_8_the_workers_name_is_stored(flow: MadeWorkflow) -> None:
    first, second = received(flow), received(flow)
    workorders.claim(worker_name="worker-7")
    workorders.claim(worker_name="")
    assert run_of(first).worker_name == "worker-7"
    assert (run_of(second).worker_name, run_of(second).state) == (None, "claimed")


def test_18_9_a_demand_of_two_takes_the_two_oldest(flow: MadeWorkflow) -> None:
    queue = Queue()
    for name in ("a", "b", "c"):
        queue.add(name, flow)
    assert queue.claim(2) == ["a", "b"]
    assert queue.claim(2) == ["c"]


def test_18_10_immediate_runs_go_first_in_their_order(flow: MadeWorkflow) -> None:
    queue = Queue()
    for name in ("n1", "n2"):
        queue.add(name, flow)
    for name in ("i1", "i2", "i3", "i4"):
        queue.add(name, flow, Priority.IMMEDIATE)
    assert [queue.claim()[0] for _ in range(6)] == ["i1", "i2", "i3", "i4", "n1", "n2"]


def test_18_11_a_project_of_one_waits_while_another_project_goes_on(cast: Cast) -> None:
    one, free, queue = limited(make_project(concurrency=1)), limited(cast.project), Queue()
    queue.add("r1", one)
    queue.add("r2", free)
    queue.add("r3", one)
    assert [queue.claim(), queue.claim(), queue.claim()] == [["r1"], ["r2"], []]
    queue.finish("r1")
    assert queue.claim() == ["r3"]


def test_18_12_limits_of_workflow_project_and_none_side_by_side(cast: Cast) -> None:
    project = make_project(concurrency=2)
    own, shared, free, queue = limited(project, 1), limited(project), limited(cast.project), Queue()
    for name in ("o1", "o2"):
        queue.add(name, own)
    for name in ("s1", "s2", "s3"):
        queue.add(name, shared)
    for name in ("f1", "f2"):
        queue.add(name, free)
    assert queue.claim(10) == ["o1", "s1", "s2", "f1", "f2"]
    assert queue.claim(10) == []
    queue.finish("s2")
    assert queue.claim(10) == ["s3"]
    queue.finish("o1")
    assert queue.claim(10) == ["o2"]


def test_18_13_workflows_with_limits_of_their_own_count_for_themselves(cast: Cast) -> None:
    project, queue = make_project(concurrency=3), Queue()
    first, second = limited(project, 2), limited(project, 2)
    for number in range(3):
        queue.add(f"a{number}", first)
        queue.add(f"b{number}", second)
    assert queue.claim(10) == ["a0", "b0", "a1", "b1"]


def test_18_14_workflows_without_limits_share_their_projects(cast: Cast) -> None:
    project, queue = make_project(concurrency=1), Queue()
    queue.add("a", limited(project))
    queue.add("b", limited(project))
    assert [queue.claim(), queue.claim()] == [["a"], []]
    queue.finish("a")
    assert queue.claim() == ["b"]


def test_6_4_a_self_limited_workflow_takes_no_slot_of_its_project(cast: Cast) -> None:
    project, queue = make_project(concurrency=1), Queue()
    queue.add("own", limited(project, 1))
    queue.add("shared", limited(project))
    assert queue.claim(10) == ["own", "shared"]


def test_6_4_inside_a_limited_group_priority_does_not_overtake(cast: Cast) -> None:
    flow, queue = limited(cast.project, 1), Queue()
    queue.add("older", flow)
    queue.add("urgent", flow, Priority.IMMEDIATE)
    assert queue.claim(10) == ["older"]


def test_a_limit_holds_when_an_older_run_comes_back_beside_a_busy_one(cast: Cast) -> None:
    flow, queue = limited(cast.project, 1), Queue()
    queue.add("older", flow)
    queue.add("newer", flow)
    assert workorders.claim_run(queue.ids["newer"])
    assert queue.claim(10) == []


def test_a_limit_above_the_window_can_be_filled(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.workorders.claiming.WINDOW", 2)
    flow, queue = limited(cast.project, 4), Queue()
    for number in range(5):
        queue.add(f"r{number}", flow)
    assert queue.claim(10) == ["r0", "r1", "r2", "r3"]


def test_6_7_named_queues_are_preferred_and_the_star_stands_for_all_others(flow: MadeWorkflow) -> None:
    queue = Queue()
    queue.add("d", flow)
    queue.add("urgent", flow, Priority.IMMEDIATE)
    queue.add("m", flow, queue="manual")
    queue.add("s", flow, queue="slow")
    assert queue.claim(10) == ["m", "urgent", "d", "s"]


def test_6_7_the_star_alone_is_no_preference_and_may_stand_first(flow: MadeWorkflow) -> None:
    queue = Queue()
    queue.add("d", flow)
    queue.add("m", flow, queue="manual")
    assert queue.claim(1, ["*"]) == ["d"]
    queue.add("e", flow)
    assert queue.claim(2, ["*", "manual"]) == ["e", "m"]


def test_6_7_a_list_without_star_is_a_filter(flow: MadeWorkflow) -> None:
    queue = Queue()
    queue.add("d", flow)
    queue.add("m", flow, queue="manual")
    assert queue.claim(10, ["manual"]) == ["m"]
    assert queue.claim(10, ["manual"]) == []
    assert queue.claim(10, ["other", "default"]) == ["d"]


def test_6_8_a_claim_keeps_the_work_order_pending_and_marks_its_activity(
    flow: MadeWorkflow, news: News
) -> None:
    created = received(flow)
    news.heard()
    with clock.frozen_at(clock.now() + timedelta(hours=1)):
        workorders.claim()
        assert order_of(created).last_activity == clock.now()
    assert order_of(created).state == "pending"
    assert news.events() == ["workorder-updated", "run-updated", "run-updated"]


def test_18_15_dequeue_removes_the_row(flow: MadeWorkflow) -> None:
    created = received(flow)
    assert created.run_id is not None
    workorders.dequeue(created.run_id)
    assert db.session().scalar(sa.select(sa.func.count()).select_from(Run)) == 0
    assert db.session().scalar(sa.select(sa.func.count()).select_from(RunStep)) == 0
    with pytest.raises(NotFound):
        workorders.dequeue(created.run_id)


def test_a_claimed_run_is_not_dequeued(flow: MadeWorkflow) -> None:
    created = received(flow)
    workorders.claim()
    assert created.run_id is not None
    with pytest.raises(Conflict):
        workorders.dequeue(created.run_id)


def new_run(flow: MadeWorkflow, created: workorders.Created, **changes: object) -> NewRun:
    values: dict[str, object] = {
        "work_order_id": created.work_order_id,
        "project_id": created.project_id,
        "workflow_id": created.workflow_id,
        "snapshot_id": flow.snapshot.id,
        "dataclip_id": created.dataclip_id,
        "options": None,
        "starting_trigger_id": flow.trigger.id,
    }
    return NewRun(**(values | changes))  # type: ignore[arg-type]


def test_6_9_enqueued_runs_are_available_and_derive_their_work_order(flow: MadeWorkflow, news: News) -> None:
    created = received(flow, runs_allowed=False)
    news.heard()
    run_ids = workorders.enqueue_many([new_run(flow, created), new_run(flow, created)])
    assert [row(Run, run_id).state for run_id in run_ids] == ["available", "available"]
    assert order_of(created).state == "pending"
    assert news.events() == ["workorder-updated", "run-created", "run-created"]


def test_2_2_a_run_that_breaks_a_rule_is_not_enqueued(cast: Cast, flow: MadeWorkflow) -> None:
    created, job = received(flow), flow.jobs["First"].id
    both = new_run(flow, created, starting_job_id=job, created_by_id=cast.editor.id)
    nobody = new_run(flow, created, starting_trigger_id=None, starting_job_id=job)
    bare = new_run(flow, created, snapshot_id=None, dataclip_id=None)
    assert set(refusals(lambda: workorders.enqueue(both))) == {"starting_job_id"}
    assert set(refusals(lambda: workorders.enqueue(nobody))) == {"created_by_id"}
    assert set(refusals(lambda: workorders.enqueue(bare))) == {"snapshot_id", "dataclip_id"}
    with pytest.raises(NotFound):
        workorders.enqueue(new_run(flow, created, work_order_id=uuid.uuid4()))
