"""Changes of workflows."""

from __future__ import annotations

import uuid
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from portal import audit
from portal.core import db, events
from portal.core.access import Actor
from portal.core.db import Json
from portal.core.errors import Invalid
from portal.core.ids import new_id
from portal.core.text import N_
from portal.credentials.models import ProjectCredential
from portal.workflows import snapshots
from portal.workflows.graph import Graph
from portal.workflows.inputs import NewEdge, NewJob, NewTrigger, NewWorkflow, Position
from portal.workflows.models import Edge, Job, Trigger, VersionSource, Workflow, WorkflowState
from portal.workflows.versions import record_version

Ids = dict[str, uuid.UUID]

NAME_TAKEN = N_("a workflow with this name already exists in this project.")
PATH_TAKEN = N_("is already used by another workflow in this project")
REFUSED_BY = {
    "uq_workflows_project_id_name": ("name", NAME_TAKEN),
    "uq_triggers_project_id_custom_path": ("custom_path", PATH_TAKEN),
}


def create(
    project_id: uuid.UUID, new: NewWorkflow, *, actor: Actor, source: VersionSource = VersionSource.APP
) -> Graph:
    """Store a new workflow: version 1, its first snapshot, its first version row (§3.5).

    It is live when one of its triggers is on, else a draft. Raises Invalid on `name` or
    `custom_path` when taken in the project, on `project_credential_id` for a credential
    that the project does not have.
    """
    with db.unit_of_work() as unit:
        _refuse_foreign_credentials(project_id, new.jobs)
        graph = _stored(project_id, new)
        snapshot = snapshots.take(graph)
        record_version(graph.workflow.id, graph.hash(), source)
        _audit(graph, snapshot.id, actor)
        topic = events.project_topic(project_id)
        unit.after_commit(events.publish, topic, "workflow-saved", graph.workflow.id)
    return graph


def _stored(project_id: uuid.UUID, new: NewWorkflow) -> Graph:
    triggers = [trigger.settled() for trigger in new.triggers]
    job_ids = {job.key: new_id() for job in new.jobs}
    trigger_ids = {trigger.key: new_id() for trigger in triggers}
    workflow = _workflow(project_id, new, job_ids, trigger_ids)
    graph = Graph(
        workflow,
        tuple(_job(job, workflow, job_ids) for job in new.jobs),
        tuple(_trigger(trigger, workflow, job_ids, trigger_ids) for trigger in triggers),
        tuple(_edge(edge, workflow, job_ids, trigger_ids) for edge in new.edges),
    )
    # One flush for each kind: the models name no relationships from which an order could be read.
    for rows in ([workflow], graph.jobs, graph.triggers, graph.edges):
        _flushed(rows)
    return graph


def _flushed(rows: Collection[db.Base]) -> None:
    db.session().add_all(rows)
    try:
        db.session().flush()
    except IntegrityError as refusal:
        constraint = getattr(getattr(refusal.orig, "diag", None), "constraint_name", None)
        field, message = REFUSED_BY.get(constraint or "", ("base", N_("was refused by the database")))
        raise Invalid({field: [message]}) from refusal


def _workflow(project_id: uuid.UUID, new: NewWorkflow, job_ids: Ids, trigger_ids: Ids) -> Workflow:
    on = any(trigger.enabled for trigger in new.triggers)
    return Workflow(
        id=new_id(),
        project_id=project_id,
        name=new.name,
        state=WorkflowState.LIVE if on else WorkflowState.DRAFT,
        concurrency=new.concurrency,
        enable_job_logs=new.enable_job_logs,
        positions=_positions(new, job_ids, trigger_ids),
        lock_version=1,
    )


def _positions(new: NewWorkflow, job_ids: Ids, trigger_ids: Ids) -> Json | None:
    """Positions by node id; None when no node has one."""
    placed: list[tuple[uuid.UUID, Position | None]] = [(job_ids[job.key], job.position) for job in new.jobs]
    placed += [(trigger_ids[trigger.key], trigger.position) for trigger in new.triggers]
    return {str(node): position.model_dump() for node, position in placed if position} or None


def _job(new: NewJob, workflow: Workflow, job_ids: Ids) -> Job:
    return Job(
        id=job_ids[new.key],
        workflow_id=workflow.id,
        name=new.name,
        body=new.body,
        adaptor=new.adaptor,
        project_credential_id=new.project_credential_id,
    )


def _trigger(new: NewTrigger, workflow: Workflow, job_ids: Ids, trigger_ids: Ids) -> Trigger:
    config = new.webhook_response_config
    return Trigger(
        id=trigger_ids[new.key],
        workflow_id=workflow.id,
        project_id=workflow.project_id,
        type=new.type,
        enabled=new.enabled,
        custom_path=new.custom_path,
        cron_expression=new.cron_expression,
        cron_cursor_job_id=job_ids[new.cron_cursor_job] if new.cron_cursor_job is not None else None,
        webhook_reply=new.webhook_reply,
        webhook_response_config=config.model_dump(exclude_none=True) if config else None,
    )


def _edge(new: NewEdge, workflow: Workflow, job_ids: Ids, trigger_ids: Ids) -> Edge:
    from_trigger = new.source_trigger is not None
    return Edge(
        id=new_id(),
        workflow_id=workflow.id,
        source_job_id=job_ids[new.source_job] if new.source_job is not None else None,
        source_trigger_id=trigger_ids[new.source_trigger] if new.source_trigger is not None else None,
        target_job_id=job_ids[new.target_job],
        condition_type=new.condition_type,
        condition_expression=new.condition_expression,
        condition_label=new.condition_label or None,
        # §3.4: a valid edge from a trigger is always saved enabled.
        enabled=new.enabled or from_trigger,
    )


def _refuse_foreign_credentials(project_id: uuid.UUID, jobs: tuple[NewJob, ...]) -> None:
    wanted = {job.project_credential_id for job in jobs} - {None}
    if not wanted:
        return
    own = db.session().scalars(
        sa.select(ProjectCredential.id).where(
            ProjectCredential.project_id == project_id, ProjectCredential.id.in_(wanted)
        )
    )
    if wanted - set(own):
        raise Invalid(
            {"project_credential_id": [N_("credential must belong to the same project as the job")]}
        )


def _audit(graph: Graph, snapshot_id: uuid.UUID, actor: Actor) -> None:
    workflow = graph.workflow

    def note(event: str, after: Json, before: Json | None = None) -> None:
        audit.record(
            event,
            "workflow",
            workflow.id,
            actor=actor,
            project_id=workflow.project_id,
            before=before,
            after=after,
        )

    note("created", {"name": workflow.name, "lock_version": workflow.lock_version})
    note("snapshot_created", {"snapshot_id": str(snapshot_id)})
    if any(trigger.enabled for trigger in graph.triggers):
        note("enabled", {"enabled": True}, before={"enabled": False})
