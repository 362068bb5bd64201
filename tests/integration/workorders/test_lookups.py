"""Single questions about runs and steps, within a project (workorders §2, §8.5)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core import clock, db
from portal.core.errors import Invalid, NotFound
from portal.workorders import lookups
from portal.workorders.models import RunStep
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project, make_workflow
from tests.support.past import Happened, happen, log


@pytest.fixture
def retried(flow: MadeWorkflow) -> Happened:
    """Two runs; the second executed two steps and carries one of the first."""
    made = happen(flow, runs=2, steps=[{"a": 1}, {"b": 1}])
    first = happen(flow, steps=[{"c": 1}]).steps[0]
    db.session().execute(sa.update(RunStep).where(RunStep.step_id == first.id).values(run_id=made.runs[0].id))
    db.session().add(
        RunStep(run_id=made.run.id, step_id=first.id, inserted_at=clock.now() + timedelta(minutes=1))
    )
    db.session().flush()
    made.steps.insert(0, first)
    return made


def test_work_orders_come_by_their_ids_with_and_without_runs(cast: Cast, flow: MadeWorkflow) -> None:
    one, two = happen(flow, runs=2, steps=[{"a": 1}]), happen(flow)
    foreign = happen(make_workflow(make_project()))
    ids = [two.id, foreign.id, uuid.uuid4(), one.id]
    assert [row.id for row in workorders.get_many(cast.project.id, ids)] == [two.id, one.id]
    found = workorders.get_many_with_runs(cast.project.id, ids)
    assert [(row.id, [run.id for run in runs]) for row, runs in found] == [
        (two.id, [two.run.id]),
        (one.id, [one.runs[1].id, one.runs[0].id]),
    ]
    assert found[1][1][0].steps[0].job_name == "First"
    assert workorders.get_many(cast.project.id, []) == []


def test_too_many_ids_at_once_are_refused(cast: Cast) -> None:
    ids = [uuid.uuid4()] * (lookups.MOST_IDS + 1)
    for read in (workorders.get_many, workorders.get_many_with_runs):
        with pytest.raises(Invalid):
            read(cast.project.id, ids)


def test_the_steps_of_a_project_come_page_by_page_each_once(
    cast: Cast, flow: MadeWorkflow, retried: Happened
) -> None:
    older = happen(flow, at=clock.now() - timedelta(days=1), steps=[{"x": 1}, {"y": 1}])
    happen(make_workflow(make_project()), steps=[{"a": 1}])
    seen, cursor = [], None
    while True:
        page = workorders.list_steps(cast.project.id, cursor, size=2)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [step.id for step in seen] == [
        *sorted((step.id for step in retried.steps[1:]), reverse=True),
        retried.steps[0].id,
        *sorted((step.id for step in older.steps), reverse=True),
    ]
    assert {step.id: step.run_id for step in seen}[retried.steps[0].id] == retried.runs[0].id
    with pytest.raises(Invalid):
        workorders.list_steps(make_project().id, workorders.list_steps(cast.project.id, size=1).next_cursor)


def test_a_step_comes_with_the_job_of_its_version(cast: Cast, flow: MadeWorkflow, retried: Happened) -> None:
    flow.jobs["First"].name = "Renamed"
    db.session().flush()
    step = workorders.step_with_job(cast.project.id, retried.steps[0].id)
    assert (step.job_name, step.adaptor, step.run_id) == (
        "First",
        "@openfn/language-common@latest",
        retried.runs[0].id,
    )
    for project_id, step_id in ((make_project().id, step.id), (cast.project.id, uuid.uuid4())):
        with pytest.raises(NotFound):
            workorders.step_with_job(project_id, step_id)


def test_the_first_step_of_a_job_in_a_run_and_the_number_of_steps(
    cast: Cast, flow: MadeWorkflow, retried: Happened
) -> None:
    job = flow.jobs["Second"].id
    found = workorders.first_step(cast.project.id, retried.run.id, job)
    assert found is not None
    assert found.id == retried.steps[2].id
    assert workorders.first_step(cast.project.id, retried.run.id, uuid.uuid4()) is None
    assert workorders.first_step(make_project().id, retried.run.id, job) is None
    assert workorders.step_count(cast.project.id, retried.run.id) == 3
    assert workorders.step_count(cast.project.id, retried.runs[0].id) == 1


def test_the_log_of_a_step_and_of_a_job_in_a_run(cast: Cast, flow: MadeWorkflow, retried: Happened) -> None:
    carried, second = retried.steps[0], retried.steps[2]
    log(retried.runs[0], ["carried one", "carried two"], step=carried)
    log(retried.run, ["of the run"])
    log(retried.run, ["own"], step=second)
    project_id, job = cast.project.id, flow.jobs["Second"].id

    def lines(page: workorders.LogPage) -> list[str]:
        return [line.message for line in page.lines]

    assert lines(workorders.step_log_lines(project_id, carried.id)) == ["carried one", "carried two"]
    assert lines(workorders.step_log_lines(project_id, carried.id, after_seq=1)) == ["carried two"]
    assert lines(workorders.job_log_lines(project_id, retried.run.id, job)) == ["own"]
    assert workorders.job_log_text(project_id, retried.run.id, job) == "own"
    first = flow.jobs["First"].id
    assert "carried one\ncarried two" in (workorders.job_log_text(project_id, retried.run.id, first) or "")
    assert workorders.job_log_text(project_id, retried.run.id, uuid.uuid4()) is None
    assert lines(workorders.job_log_lines(project_id, retried.run.id, uuid.uuid4())) == []


def test_the_project_of_a_run(cast: Cast, flow: MadeWorkflow) -> None:
    assert workorders.project_of_run(happen(flow).run.id) == cast.project.id


@pytest.mark.parametrize(
    "read",
    [
        lambda project_id, made: workorders.step_count(project_id, made.run.id),
        lambda project_id, made: workorders.step_log_lines(project_id, made.steps[0].id),
        lambda project_id, made: workorders.job_log_lines(project_id, made.run.id, made.steps[0].job_id),
        lambda project_id, made: workorders.job_log_text(project_id, made.run.id, made.steps[0].job_id),
    ],
)
def test_nothing_of_another_project_is_there(
    flow: MadeWorkflow, read: Callable[[uuid.UUID, Happened], object]
) -> None:
    made = happen(flow, steps=[{"a": 1}], logs=["secret"])
    with pytest.raises(NotFound):
        read(make_project().id, made)
