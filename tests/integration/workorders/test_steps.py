"""Starting and completing steps (workorders §8.3, §8.4, §18.25-31)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from portal import dataclips, workorders
from portal.core import clock, db
from portal.credentials.models import Credential, ProjectCredential
from portal.dataclips import Dataclip, DataclipType
from portal.projects.models import RetentionPolicy
from portal.workflows.models import Job
from portal.workorders.models import RunStep, Step
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project
from tests.support.history import News, done_step, refusals, row, run_of, started, step_of

NOON = datetime(2026, 11, 2, 12, 0, 0, 123, tzinfo=UTC)
OUTPUT = '{"data": {"big": 12345678901234567890.10}, "configuration": {"password": "x"}}'


def test_18_25_an_unknown_job_is_refused(flow: MadeWorkflow) -> None:
    run_id = run_of(started(flow)).id
    unknown = lambda: workorders.start_step(run_id, uuid.uuid4(), uuid.uuid4())  # noqa: E731
    assert refusals(unknown) == {"job_id": ["does not exist"]}
    unsaved = lambda: workorders.start_step(uuid.uuid4(), uuid.uuid4(), uuid.uuid4())  # noqa: E731
    assert refusals(unsaved) == {"run_id": ["does not exist"], "job_id": ["does not exist"]}


def test_18_26_a_job_added_after_the_snapshot_is_refused(flow: MadeWorkflow) -> None:
    created = started(flow)
    late = Job(workflow_id=flow.id, name="Late", body="fn()", adaptor="@openfn/language-common@1.0.0")
    db.session().add(late)
    db.session().commit()
    flow.jobs["Late"] = late
    assert refusals(lambda: step_of(flow, created, "Late")) == {"job_id": ["does not exist"]}


def test_18_26_a_job_removed_since_the_snapshot_is_accepted(flow: MadeWorkflow) -> None:
    created, job_id = started(flow), flow.jobs["Second"].id
    db.session().execute(sa.delete(Job).where(Job.id == job_id))
    assert row(Step, step_of(flow, created, "Second")).job_id == job_id


def test_18_27_a_valid_start_is_linked_and_told_to_the_run_alone(flow: MadeWorkflow, news: News) -> None:
    created = started(flow)
    news.heard()
    with clock.frozen_at(NOON):
        step_id = step_of(flow, created, "First")
    step = row(Step, step_id)
    assert (step.started_at, step.snapshot_id) == (NOON, flow.snapshot.id)
    assert (step.input_dataclip_id, step.exit_reason) == (created.dataclip_id, None)
    assert created.run_id is not None
    assert row(RunStep, (created.run_id, step_id)).inserted_at == NOON
    assert news.heard() == [(f"run:{created.run_id}", "step-started", str(step_id))]


def test_8_3_the_input_must_be_a_dataclip_of_the_project(flow: MadeWorkflow) -> None:
    created = started(flow)
    foreign = dataclips.create(make_project().id, "saved_input", {})
    db.session().commit()
    for clip in (uuid.uuid4(), foreign):
        refusal = refusals(lambda clip=clip: step_of(flow, created, "First", input_dataclip_id=clip))  # type: ignore[misc]
        assert refusal == {"input_dataclip_id": ["does not exist"]}
    assert row(Step, step_of(flow, created, "First", input_dataclip_id=None)).input_dataclip_id is None


def test_a_repeated_start_changes_nothing_and_anothers_step_is_refused(flow: MadeWorkflow) -> None:
    first, second = started(flow), started(flow)
    step_id = step_of(flow, first, "First")
    again = workorders.start_step(run_of(first).id, step_id, flow.jobs["Second"].id)
    assert (again, row(Step, step_id).job_id) == (step_id, flow.jobs["First"].id)
    stolen = lambda: workorders.start_step(run_of(second).id, step_id, flow.jobs["First"].id)  # noqa: E731
    assert set(refusals(stolen)) == {"step_id"}


def test_the_jobs_credential_is_kept_with_the_step(cast: Cast, flow: MadeWorkflow) -> None:
    credential = Credential(name="registry", schema="raw", user_id=cast.owner.id)
    db.session().add(credential)
    db.session().flush()
    shared = ProjectCredential(project_id=cast.project.id, credential_id=credential.id)
    db.session().add(shared)
    db.session().flush()
    first = flow.jobs["First"]
    jobs = [dict(job) for job in flow.snapshot.jobs]
    jobs[0]["project_credential_id"] = str(shared.id)
    flow.snapshot.jobs = jobs
    db.session().commit()
    created = started(flow)
    assert jobs[0]["id"] == str(first.id)
    assert row(Step, step_of(flow, created, "First")).credential_id == credential.id
    assert row(Step, step_of(flow, created, "Second")).credential_id is None


def test_18_28_an_output_is_saved_and_linked(cast: Cast, flow: MadeWorkflow, news: News) -> None:
    created = started(flow)
    step_id, output_id = step_of(flow, created, "First"), uuid.uuid4()
    news.heard()
    with clock.frozen_at(NOON):
        workorders.complete_step(
            run_of(created).id, step_id, "success", output_dataclip=OUTPUT, output_dataclip_id=output_id
        )
    step, clip = row(Step, step_id), row(Dataclip, output_id)
    assert (step.exit_reason, step.output_dataclip_id, step.finished_at) == ("success", output_id, NOON)
    assert (clip.type, clip.wiped_at) == (DataclipType.STEP_RESULT, None)
    text = dataclips.body_text(cast.project.id, output_id)
    assert text == '{"data": {"big": 12345678901234567890.10}}'
    assert news.heard() == [(f"run:{created.run_id}", "step-completed", str(step_id))]


def test_the_workers_word_and_error_type_are_stored_as_they_are(flow: MadeWorkflow) -> None:
    created = started(flow)
    step_id = step_of(flow, created, "First")
    workorders.complete_step(run_of(created).id, step_id, "fail", error_type="JobError")
    step = row(Step, step_id)
    assert (step.exit_reason, step.error_type, step.output_dataclip_id) == ("fail", "JobError", None)


def test_18_29_where_nothing_is_kept_the_output_is_a_wiped_row(cast: Cast, flow: MadeWorkflow) -> None:
    cast.project.retention_policy = RetentionPolicy.ERASE_ALL
    db.session().commit()
    created = started(flow)
    with_id, output_id = step_of(flow, created, "First"), uuid.uuid4()
    without = step_of(flow, created, "Second")
    with clock.frozen_at(NOON):
        workorders.complete_step(
            run_of(created).id, with_id, "success", output_dataclip=OUTPUT, output_dataclip_id=output_id
        )
        workorders.complete_step(run_of(created).id, without, "success")
    assert row(Dataclip, output_id).wiped_at == NOON.replace(microsecond=0)
    assert dataclips.body_text(cast.project.id, output_id) == "null"
    assert row(Step, with_id).output_dataclip_id == output_id
    assert row(Step, without).output_dataclip_id is None


def test_18_30_a_step_id_alone_completes_nothing(flow: MadeWorkflow) -> None:
    created = started(flow)
    step_id = step_of(flow, created, "First")
    assert refusals(lambda: workorders.complete_step(run_of(created).id, step_id, None)) == {
        "reason": ["can't be blank"]
    }


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"output_dataclip": "{}"}, "output_dataclip_id"),
        ({"output_dataclip_id": uuid.UUID(int=5)}, "output_dataclip"),
        ({"output_dataclip": "[1]", "output_dataclip_id": uuid.UUID(int=5)}, "output_dataclip"),
        ({"output_dataclip": "{", "output_dataclip_id": uuid.UUID(int=5)}, "output_dataclip"),
    ],
)
def test_8_4_a_broken_output_is_refused_and_the_step_goes_on(
    flow: MadeWorkflow, given: dict[str, object], field: str
) -> None:
    created = started(flow)
    step_id = step_of(flow, created, "First")
    deed = lambda: workorders.complete_step(run_of(created).id, step_id, "success", **given)  # type: ignore[arg-type]  # noqa: E731
    assert set(refusals(deed)) == {field}
    assert row(Step, step_id).exit_reason is None


def test_an_output_id_that_is_taken_is_refused(flow: MadeWorkflow) -> None:
    created = started(flow)
    step_id = step_of(flow, created, "First")
    deed = lambda: workorders.complete_step(  # noqa: E731
        run_of(created).id,
        step_id,
        "success",
        output_dataclip="{}",
        output_dataclip_id=created.dataclip_id,
    )
    assert refusals(deed) == {"output_dataclip_id": ["has already been taken"]}


def test_18_31_an_unknown_step_is_not_found(flow: MadeWorkflow) -> None:
    first, second = started(flow), started(flow)
    step_id = step_of(flow, first, "First")
    unknown = lambda: workorders.complete_step(run_of(first).id, uuid.uuid4(), "success")  # noqa: E731
    foreign = lambda: workorders.complete_step(run_of(second).id, step_id, "success")  # noqa: E731
    assert refusals(unknown) == refusals(foreign) == {"step_id": ["not found"]}


def test_a_repeated_completion_changes_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    created = started(flow)
    step_id, output_id = done_step(flow, created, "First")
    workorders.complete_step(
        run_of(created).id, step_id, "fail", output_dataclip="{}", output_dataclip_id=output_id
    )
    assert row(Step, step_id).exit_reason == "success"
    assert json.loads(dataclips.body_text(cast.project.id, output_id)) == {"from": "First"}


def test_the_words_of_a_working_run_are_due_for_search_soon(flow: MadeWorkflow) -> None:
    created = started(flow)
    run = run_of(created)
    run.search_due_at = None
    db.session().commit()
    with clock.frozen_at(NOON):
        step_of(flow, created, "First")
    due = run_of(created).search_due_at
    assert due is not None
    assert 0 < (due - NOON).total_seconds() <= 10
