"""Making work orders (workorders §5, §18.1-6)."""

from __future__ import annotations

import json
import uuid

import pytest
import sqlalchemy as sa

from portal import dataclips, workorders
from portal.core import clock, db
from portal.core.errors import NotFound
from portal.dataclips import Dataclip, DataclipType
from portal.projects import ProjectFile
from portal.projects.models import RetentionPolicy
from portal.workflows import TriggerType
from portal.workorders import Priority, RunState, WorkorderState
from portal.workorders.models import Run, Workorder
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_workflow
from tests.support.history import News, order_of, received, refusals, row, run_of


def count(model: type[db.Base]) -> int:
    return db.session().scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_18_1_a_webhook_makes_a_work_order_and_a_run(cast: Cast, flow: MadeWorkflow, news: News) -> None:
    cast.project.retention_policy = RetentionPolicy.ERASE_ALL
    db.session().commit()
    request = {"method": "POST", "headers": {"x": "y"}}
    created = received(flow, '{"patient": "P-7"}', request=request)
    order, run = order_of(created), run_of(created)
    assert (order.state, order.snapshot_id, order.workflow_id) == ("pending", flow.snapshot.id, flow.id)
    assert (order.trigger_id, order.dataclip_id) == (flow.trigger.id, created.dataclip_id)
    assert (run.state, run.starting_trigger_id, run.starting_job_id) == ("available", flow.trigger.id, None)
    assert (run.snapshot_id, run.dataclip_id) == (flow.snapshot.id, created.dataclip_id)
    assert (run.priority, run.created_by_id, run.project_id) == (Priority.NORMAL, None, cast.project.id)
    assert run.options == {
        "run_timeout_ms": 300_000,
        "save_dataclips": False,
        "run_memory_limit_mb": None,
        "enable_job_logs": True,
    }
    assert row(Dataclip, created.dataclip_id).type is DataclipType.HTTP_REQUEST
    topic = f"project:{cast.project.id}"
    assert news.heard() == [
        (topic, "run-created", str(run.id)),
        (topic, "workorder-created", str(order.id)),
    ]


def test_18_2_a_webhook_over_the_limit_leaves_a_rejected_work_order_with_its_input(
    flow: MadeWorkflow, news: News
) -> None:
    created = received(flow, runs_allowed=False)
    order = order_of(created)
    assert (order.state, created.state, created.run_id) == ("rejected", WorkorderState.REJECTED, None)
    assert order.dataclip_id == created.dataclip_id
    assert count(Run) == 0
    assert news.events() == ["workorder-created"]


def test_18_3_a_cron_trigger_runs_the_current_snapshot_on_an_empty_object(
    cast: Cast, flow: MadeWorkflow
) -> None:
    nightly = make_workflow(cast.project, trigger=TriggerType.CRON, enable_job_logs=False)
    created = received(nightly, "{}")
    run = run_of(created)
    assert run.snapshot_id == nightly.snapshot.id
    assert run.options is not None
    assert (run.options["save_dataclips"], run.options["enable_job_logs"]) == (True, False)
    assert row(Dataclip, created.dataclip_id).type is DataclipType.GLOBAL


def test_a_trigger_can_hand_on_a_stored_input(cast: Cast, flow: MadeWorkflow) -> None:
    stored = dataclips.create(cast.project.id, "step_result", {"last": 1})
    created = workorders.create_for_trigger(flow.trigger.id, dataclip_id=stored)
    assert created.dataclip_id == stored
    assert count(Dataclip) == 1


def test_18_4_writes_of_the_caller_are_saved_with_the_work_order(cast: Cast, flow: MadeWorkflow) -> None:
    with db.unit_of_work():
        received(flow)
        db.session().add(ProjectFile(project_id=cast.project.id, name="seen before"))
    assert (count(ProjectFile), count(Workorder)) == (1, 1)


def test_18_4_a_refused_creation_takes_the_callers_writes_with_it(cast: Cast, flow: MadeWorkflow) -> None:
    def deed() -> None:
        with db.unit_of_work():
            db.session().add(ProjectFile(project_id=cast.project.id, name="seen before"))
            db.session().flush()
            received(flow, "[1]")

    assert set(refusals(deed)) == {"body"}
    assert (count(ProjectFile), count(Workorder), count(Dataclip)) == (0, 0, 0)


def test_18_5_a_manual_body_becomes_a_saved_input_without_configuration(
    cast: Cast, flow: MadeWorkflow
) -> None:
    created = workorders.create_manual(
        cast.project.id,
        flow.id,
        flow.jobs["Second"].id,
        actor=cast.actor(cast.editor),
        body='{"configuration": {"password": "x"}, "data": {"configuration": 1}}',
    )
    run = run_of(created)
    assert (run.priority, run.created_by_id) == (Priority.IMMEDIATE, cast.editor.id)
    assert (run.starting_job_id, run.starting_trigger_id) == (flow.jobs["Second"].id, None)
    assert (order_of(created).trigger_id, order_of(created).state) == (None, "pending")
    assert row(Dataclip, created.dataclip_id).type is DataclipType.SAVED_INPUT
    assert created.dataclip_id is not None
    stored = json.loads(dataclips.body_text(cast.project.id, created.dataclip_id))
    assert stored == {"data": {"configuration": 1}}


def test_18_6_a_manual_run_of_a_deleted_workflow_is_refused(cast: Cast, flow: MadeWorkflow) -> None:
    flow.workflow.deleted_at = clock.now()
    db.session().commit()
    deed = lambda: manual(cast, flow, body={})  # noqa: E731
    assert refusals(deed) == {"workflow_id": ["workflow deleted"]}
    assert (count(Workorder), count(Run), count(Dataclip)) == (0, 0, 0)


def manual(cast: Cast, flow: MadeWorkflow, job: uuid.UUID | None = None, **more: object) -> object:
    actor = cast.actor(cast.editor)
    job_id = job or flow.jobs["First"].id
    return workorders.create_manual(cast.project.id, flow.id, job_id, actor=actor, **more)  # type: ignore[arg-type]


def test_a_manual_run_takes_one_usable_input(cast: Cast, flow: MadeWorkflow) -> None:
    wiped = dataclips.create_wiped(cast.project.id, "saved_input")
    stored = dataclips.create(cast.project.id, "saved_input", {"a": 1})
    db.session().commit()
    assert "dataclip_id" in refusals(lambda: manual(cast, flow))
    assert "dataclip_id" in refusals(lambda: manual(cast, flow, dataclip_id=uuid.uuid4()))
    assert "dataclip_id" in refusals(lambda: manual(cast, flow, dataclip_id=wiped))
    assert "body" in refusals(lambda: manual(cast, flow, dataclip_id=stored, body={}))
    assert "job_id" in refusals(lambda: manual(cast, flow, uuid.uuid4(), body={}))
    assert manual(cast, flow, dataclip_id=stored)


def test_5_1_a_workflow_without_a_snapshot_makes_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    flow.workflow.lock_version = 2
    db.session().commit()
    assert refusals(lambda: received(flow)) == {"snapshot_id": ["can't be blank"]}
    assert (count(Workorder), count(Dataclip)) == (0, 0)


def test_an_unknown_trigger_is_not_found(flow: MadeWorkflow) -> None:
    with pytest.raises(NotFound):
        workorders.create_for_trigger(uuid.uuid4(), body="{}")


def test_another_projects_workflow_is_not_found(cast: Cast, flow: MadeWorkflow) -> None:
    with pytest.raises(NotFound):
        workorders.create_manual(
            uuid.uuid4(), flow.id, flow.jobs["First"].id, actor=cast.actor(cast.editor), body={}
        )


def test_a_new_run_is_due_for_search_at_once(flow: MadeWorkflow) -> None:
    created = received(flow)
    due = run_of(created).search_due_at
    assert due is not None
    assert due <= clock.now()
    assert run_of(created).state is RunState.AVAILABLE


def test_a_webhook_costs_few_statements(flow: MadeWorkflow) -> None:
    seen: list[str] = []
    connection = db.session().connection()
    sa.event.listen(connection, "before_cursor_execute", lambda *args: seen.append(args[2]))
    received(flow)
    assert len([text for text in seen if "SAVEPOINT" not in text]) <= 6, seen
