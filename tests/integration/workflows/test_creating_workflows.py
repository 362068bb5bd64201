"""Storing new workflows: parts, first snapshot, first version row, and what the database refuses."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from portal import workflows
from portal.audit import AuditEvent
from portal.core import clock
from portal.core.access import SYSTEM
from portal.core.errors import Invalid
from portal.credentials import Credential, add_to_project
from portal.workflows import (
    ConditionType,
    Graph,
    NewEdge,
    NewJob,
    NewTrigger,
    NewWorkflow,
    Position,
    ReplyConfig,
    Snapshot,
    TriggerType,
    VersionSource,
    WebhookReply,
    WorkflowState,
)
from tests.support.cast import Cast

MOMENT = datetime(2026, 11, 1, 8, tzinfo=UTC)


def intake(**changes: Any) -> NewWorkflow:
    """A webhook, two jobs, two edges."""
    values: dict[str, Any] = {
        "name": "Patient intake",
        "jobs": (
            NewJob(key="check", name="Check", body="fn(s => s)", position=Position(x=1, y=2.5)),
            NewJob(key="send", name="Send", body="post('/x')"),
        ),
        "triggers": (NewTrigger(key="hook", enabled=True, custom_path="intake"),),
        "edges": (
            NewEdge(
                source_trigger="hook", target_job="check", condition_type=ConditionType.ALWAYS, enabled=False
            ),
            NewEdge(source_job="check", target_job="send", condition_type=ConditionType.ON_JOB_SUCCESS),
        ),
    }
    return NewWorkflow(**(values | changes))


def made(cast: Cast, new: NewWorkflow) -> Graph:
    return workflows.create(cast.project.id, new, actor=cast.actor(cast.owner))


def test_the_parts_are_stored_and_refer_to_each_other(cast: Cast) -> None:
    graph = workflows.graph_of(made(cast, intake()).workflow)
    jobs = {job.name: job.id for job in graph.jobs}
    assert (graph.workflow.lock_version, graph.workflow.state) == (1, WorkflowState.LIVE)
    assert graph.workflow.positions == {str(jobs["Check"]): {"x": 1.0, "y": 2.5}}
    assert (graph.triggers[0].custom_path, graph.triggers[0].webhook_reply) == (
        "intake",
        WebhookReply.BEFORE_START,
    )
    ends = {
        (edge.source_trigger_id, edge.source_job_id, edge.target_job_id, edge.enabled) for edge in graph.edges
    }
    assert ends == {
        (graph.triggers[0].id, None, jobs["Check"], True),
        (None, jobs["Check"], jobs["Send"], True),
    }


def test_the_first_snapshot_is_a_full_copy(cast: Cast, db_session: sa.orm.Session) -> None:
    graph = made(cast, intake())
    snapshot = db_session.scalars(sa.select(Snapshot).where(Snapshot.workflow_id == graph.workflow.id)).one()
    db_session.refresh(snapshot)
    assert (snapshot.name, snapshot.lock_version) == ("Patient intake", 1)
    assert snapshot.positions == graph.workflow.positions
    assert [(job["id"], job["body"]) for job in snapshot.jobs] == [(str(j.id), j.body) for j in graph.jobs]
    assert snapshot.triggers[0]["type"] == "webhook"
    assert snapshot.triggers[0]["enabled"] is True
    assert [edge["target_job_id"] for edge in snapshot.edges] == [str(e.target_job_id) for e in graph.edges]
    assert snapshot.edges[1]["condition_type"] == "on_job_success"


def test_one_version_row_holds_the_hash_of_what_was_stored(cast: Cast, db_session: sa.orm.Session) -> None:
    graph = made(cast, intake())
    db_session.expire_all()
    assert workflows.history(graph.workflow.id) == [f"app:{workflows.graph_of(graph.workflow).hash()}"]


def test_creating_is_audited(cast: Cast, db_session: sa.orm.Session) -> None:
    graph = made(cast, intake())
    entries = db_session.scalars(sa.select(AuditEvent).where(AuditEvent.item_id == graph.workflow.id)).all()
    assert {entry.event for entry in entries} == {"created", "snapshot_created", "enabled"}
    assert {(entry.actor_id, entry.project_id) for entry in entries} == {(cast.owner.id, cast.project.id)}


def test_a_workflow_with_no_trigger_on_is_a_draft(cast: Cast) -> None:
    assert made(cast, intake(triggers=(NewTrigger(key="hook"),))).workflow.state is WorkflowState.DRAFT


def test_fields_of_another_trigger_type_are_cleared_and_defaults_filled_in(cast: Cast) -> None:
    cron = NewTrigger(
        key="hook",
        type=TriggerType.CRON,
        cron_cursor_job="send",
        custom_path="p",
        webhook_reply=WebhookReply.CUSTOM,
    )
    late = NewTrigger(
        key="late",
        cron_expression="0 1 * * *",
        webhook_reply=WebhookReply.AFTER_COMPLETION,
        webhook_response_config=ReplyConfig(success_code=202),
    )
    graph = made(cast, intake(triggers=(cron, late)))
    stored, webhook = graph.triggers
    assert (stored.cron_expression, stored.custom_path, stored.webhook_reply) == ("0 0 * * *", None, None)
    assert stored.cron_cursor_job_id == graph.jobs[1].id
    assert (webhook.cron_expression, webhook.webhook_response_config) == (None, {"success_code": 202})


def test_a_name_is_unique_in_its_project(cast: Cast) -> None:
    made(cast, intake())
    with pytest.raises(Invalid) as refusal:
        made(cast, NewWorkflow(name=" Patient intake "))
    assert refusal.value.fields == {"name": ["a workflow with this name already exists in this project."]}


def test_a_custom_path_is_unique_in_its_project(cast: Cast) -> None:
    made(cast, intake())
    with pytest.raises(Invalid) as refusal:
        made(cast, intake(name="Another"))
    assert refusal.value.fields == {"custom_path": ["is already used by another workflow in this project"]}


def test_a_job_may_use_only_a_credential_of_its_project(cast: Cast, db_session: sa.orm.Session) -> None:
    credential = Credential(name="Register", schema="raw", user_id=cast.owner.id)
    db_session.add(credential)
    db_session.flush()
    own = add_to_project(credential, cast.project.id, actor=SYSTEM)
    job = NewJob(key="a", name="a", body="x", project_credential_id=own.id)
    assert made(cast, NewWorkflow(name="own", jobs=(job,))).jobs[0].project_credential_id == own.id
    foreign = job.model_copy(update={"project_credential_id": uuid.uuid4()})
    with pytest.raises(Invalid) as refusal:
        made(cast, NewWorkflow(name="foreign", jobs=(foreign,)))
    assert list(refusal.value.fields) == ["project_credential_id"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x_del2"},
        {"name": " "},
        {"concurrency": 0},
        {"jobs": (NewJob(key="a", name="n", body="x"), NewJob(key="b", name="n ", body="x"))},
        {"jobs": ()},
        {"triggers": ()},
        {"triggers": (NewTrigger(key="hook", cron_cursor_job="nobody"),)},
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        intake(**changes)


@pytest.mark.parametrize(
    "values",
    [
        {"condition_type": "always"},
        {"condition_type": "always", "source_job": "a", "source_trigger": "t"},
        {"condition_type": "always", "source_job": "b"},
        {"condition_type": "on_job_success", "source_trigger": "t"},
        {"condition_type": "js_expression", "source_job": "a"},
        {"condition_type": "always", "source_job": "a", "condition_label": "x" * 256},
    ],
)
def test_edges_that_no_workflow_may_have_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NewEdge(target_job="b", **values)


def test_version_rows_of_one_source_are_squashed_but_the_first_stays(cast: Cast) -> None:
    workflow = made(cast, intake()).workflow
    first = workflows.history(workflow.id)[0]
    for hours, (content, source) in enumerate(
        [("b" * 12, "app"), ("c" * 12, "app"), ("d" * 12, "cli"), ("d" * 12, "cli")], start=1
    ):
        with clock.frozen_at(clock.now() + timedelta(hours=hours)):
            workflows.record_version(workflow.id, content, VersionSource(source))
    assert workflows.history(workflow.id) == [first, f"app:{'c' * 12}", f"cli:{'d' * 12}"]


def test_a_hash_that_is_none_is_refused(cast: Cast) -> None:
    workflow = made(cast, intake()).workflow
    with pytest.raises(Invalid):
        workflows.record_version(workflow.id, "DEADBEEFCAFE", VersionSource.APP)
