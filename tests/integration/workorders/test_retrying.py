"""Retrying one work order, from a step and from its start (workorders §10, §18.62-65, §18.74-76)."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from portal import dataclips, workorders
from portal.core import clock, db
from portal.core.errors import NotFound
from portal.workflows.models import Job
from portal.workorders import Created
from portal.workorders.models import RunStep
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_snapshot, make_workflow
from tests.support.history import (
    News,
    done_step,
    finished,
    order_of,
    received,
    refusals,
    run_of,
    started,
    step_of,
)


def from_step(cast: Cast, created: Created, step_id: uuid.UUID) -> Created:
    actor = cast.actor(cast.editor)
    return workorders.retry_from_step(cast.project.id, run_of(created).id, step_id, actor=actor)


def from_start(cast: Cast, created: Created) -> Created:
    actor = cast.actor(cast.editor)
    return workorders.retry_from_start(cast.project.id, created.work_order_id, actor=actor)


def end(created: Created, state: str) -> None:
    workorders.complete_run(run_of(created).id, state=state)


def carried(created: Created) -> set[uuid.UUID]:
    return set(db.session().scalars(sa.select(RunStep.step_id).where(RunStep.run_id == created.run_id)))


def test_18_62_retrying_the_first_step_runs_the_newest_snapshot(
    cast: Cast, flow: MadeWorkflow, news: News
) -> None:
    created = started(flow)
    step_id, _ = done_step(flow, created, "First")
    end(created, "failed")
    flow.workflow.name, flow.workflow.lock_version = "Renamed", 2
    newest = make_snapshot(flow.workflow, flow.jobs.values(), [], [])
    db.session().commit()
    news.heard()
    again = from_step(cast, created, step_id)
    run = run_of(again)
    assert (again.work_order_id, run.dataclip_id) == (created.work_order_id, created.dataclip_id)
    assert (run.snapshot_id, run.state, run.priority) == (newest.id, "available", 0)
    assert (run.starting_job_id, run.starting_trigger_id) == (flow.jobs["First"].id, None)
    assert run.created_by_id == cast.editor.id
    assert carried(again) == set()
    assert [item for _, event, item in news.heard() if event == "run-created"] == [str(run.id)]


def test_18_63_retrying_the_second_of_three_carries_the_first(cast: Cast, flow: MadeWorkflow) -> None:
    created = started(flow)
    first, output = done_step(flow, created, "First")
    second, _ = done_step(flow, created, "Second", input_dataclip_id=output)
    done_step(flow, created, "Third")
    end(created, "failed")
    again = from_step(cast, created, second)
    assert (run_of(again).dataclip_id, run_of(again).starting_job_id) == (output, flow.jobs["Second"].id)
    assert carried(again) == {first}


def test_10_1_parallel_branches_are_carried(cast: Cast, db_session: sa.orm.Session) -> None:
    edges = (("Start", "Left"), ("Start", "Right"), ("Left", "Left end"))
    flow = make_workflow(cast.project, jobs=("Start", "Left", "Right", "Left end"), edges=edges)
    db_session.commit()
    created = started(flow)
    steps = {job: done_step(flow, created, job)[0] for job in flow.jobs}
    end(created, "failed")
    assert carried(from_step(cast, created, steps["Left"])) == {steps["Start"], steps["Right"]}


def test_18_64_a_wiped_or_missing_input_cannot_be_retried(cast: Cast, flow: MadeWorkflow) -> None:
    created = started(flow)
    missing = step_of(flow, created, "First", input_dataclip_id=None)
    wiped = step_of(flow, created, "Second")
    assert created.dataclip_id is not None
    dataclips.wipe(cast.project.id, created.dataclip_id)
    for step_id in (missing, wiped):
        assert set(refusals(lambda step_id=step_id: from_step(cast, created, step_id))) == {  # type: ignore[misc]
            "input_dataclip_id"
        }
    assert set(refusals(lambda: from_start(cast, created))) == {"input_dataclip_id"}


def test_18_65_a_failed_work_order_is_pending_again(cast: Cast, flow: MadeWorkflow, news: News) -> None:
    created = started(flow)
    step_id, _ = done_step(flow, created, "First")
    end(created, "failed")
    assert order_of(created).state == "failed"
    news.heard()
    from_step(cast, created, step_id)
    assert order_of(created).state == "pending"
    assert news.events() == ["workorder-updated", "run-created"]


def test_a_deleted_workflow_is_not_retried(cast: Cast, flow: MadeWorkflow) -> None:
    created = started(flow)
    step_id = step_of(flow, created, "First")
    flow.workflow.deleted_at = clock.now()
    db.session().commit()
    refused = {"workflow_id": ["workflow deleted"]}
    assert refusals(lambda: from_step(cast, created, step_id)) == refused
    assert refusals(lambda: from_start(cast, created)) == refused


def test_a_job_that_left_the_workflow_is_not_retried(cast: Cast, flow: MadeWorkflow) -> None:
    created = started(flow)
    step_id = step_of(flow, created, "Second")
    left = [flow.jobs["First"], flow.jobs["Third"]]
    db.session().execute(sa.delete(Job).where(Job.id == flow.jobs["Second"].id))
    flow.workflow.lock_version = 2
    make_snapshot(flow.workflow, left, [], [])
    db.session().commit()
    assert refusals(lambda: from_step(cast, created, step_id)) == {"job_id": ["does not exist"]}


def test_steps_of_other_runs_and_projects_are_not_found(cast: Cast, flow: MadeWorkflow) -> None:
    created, other = started(flow), started(flow)
    step_id = step_of(flow, other, "First")
    actor, run_id = cast.actor(cast.editor), run_of(other).id
    with pytest.raises(NotFound):
        from_step(cast, created, step_id)
    with pytest.raises(NotFound):
        workorders.retry_from_step(uuid.uuid4(), run_id, step_id, actor=actor)
    with pytest.raises(NotFound):
        workorders.retry_from_start(uuid.uuid4(), other.work_order_id, actor=actor)


def test_18_74_from_the_start_the_work_orders_input_and_the_first_runs_job_are_used(
    cast: Cast, flow: MadeWorkflow
) -> None:
    job_id = flow.jobs["Second"].id
    created = workorders.create_manual(
        cast.project.id, flow.id, job_id, actor=cast.actor(cast.editor), body={"a": 1}
    )
    workorders.claim()
    workorders.start_run(run_of(created).id)
    _, output = done_step(flow, created, "Second")
    third, _ = done_step(flow, created, "Third", input_dataclip_id=output)
    end(created, "failed")
    from_step(cast, created, third)
    again = from_start(cast, created)
    run = run_of(again)
    assert (run.dataclip_id, run.starting_job_id) == (created.dataclip_id, job_id)
    assert (run.priority, run.created_by_id, run.state) == (0, cast.editor.id, "available")
    assert carried(again) == set()


def test_18_75_a_trigger_run_without_steps_starts_at_the_job_after_the_trigger(
    cast: Cast, flow: MadeWorkflow
) -> None:
    again = from_start(cast, finished(flow, "crashed"))
    assert run_of(again).starting_job_id == flow.jobs["First"].id


def test_18_75_a_manual_run_without_steps_starts_at_its_own_job(cast: Cast, flow: MadeWorkflow) -> None:
    job_id = flow.jobs["Third"].id
    created = workorders.create_manual(
        cast.project.id, flow.id, job_id, actor=cast.actor(cast.editor), body={}
    )
    assert run_of(from_start(cast, created)).starting_job_id == job_id


def test_18_76_a_rejected_work_order_leaves_rejected(cast: Cast, flow: MadeWorkflow) -> None:
    created = received(flow, runs_allowed=False)
    again = from_start(cast, created)
    assert order_of(created).state == "pending"
    assert (run_of(again).starting_job_id, run_of(again).dataclip_id) == (
        flow.jobs["First"].id,
        created.dataclip_id,
    )
