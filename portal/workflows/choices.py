"""What lists and forms show of a project's workflows: names to choose from, addresses to post to."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from portal.core import db
from portal.workflows.models import Job, Trigger, TriggerType, Workflow

MOST_JOBS = 1_000


@dataclass(frozen=True, slots=True)
class WorkflowName:
    """A workflow as a filter offers it; a deleted one still has its history (workorders §9.2)."""

    id: uuid.UUID
    name: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class JobName:
    """A job as a form offers it, with the workflow it belongs to."""

    id: uuid.UUID
    name: str
    workflow_id: uuid.UUID
    workflow_name: str


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    """Where to post for a workflow. `path` begins at the portal's root."""

    trigger_id: uuid.UUID
    workflow_name: str
    path: str


@dataclass(frozen=True, slots=True)
class TriggerLine:
    """What starts a workflow: a webhook with the `path` to post to, or a schedule with its expression."""

    id: uuid.UUID
    type: TriggerType
    enabled: bool
    cron_expression: str | None

    @property
    def path(self) -> str | None:
        """Where to post, from the portal's root; None for a schedule."""
        return f"/i/{self.id}" if self.type is TriggerType.WEBHOOK else None


def list_triggers(project_id: uuid.UUID, workflow_id: uuid.UUID) -> list[TriggerLine]:
    """What starts a workflow of the project."""
    rows = db.session().execute(
        sa.select(Trigger.id, Trigger.type, Trigger.enabled, Trigger.cron_expression)
        .where(Trigger.project_id == project_id, Trigger.workflow_id == workflow_id)
        .order_by(Trigger.inserted_at, Trigger.id)
    )
    return [TriggerLine(*row) for row in rows]


def list_names(project_id: uuid.UUID) -> list[WorkflowName]:
    """The project's workflows by name, those that were deleted last."""
    deleted = Workflow.deleted_at.is_not(None)
    rows = db.session().execute(
        sa.select(Workflow.id, Workflow.name, deleted)
        .where(Workflow.project_id == project_id)
        .order_by(deleted, sa.func.lower(Workflow.name), Workflow.id)
    )
    return [WorkflowName(*row) for row in rows]


def list_jobs(project_id: uuid.UUID, workflow_id: uuid.UUID | None = None) -> list[JobName]:
    """The jobs of the project's workflows, or of one of them, by workflow and age; at most 1,000.

    Deleted workflows offer none.
    """
    query = (
        sa.select(Job.id, Job.name, Workflow.id, Workflow.name)
        .join(Workflow, Workflow.id == Job.workflow_id)
        .where(Workflow.project_id == project_id, Workflow.deleted_at.is_(None))
        .order_by(sa.func.lower(Workflow.name), Workflow.id, Job.inserted_at, Job.id)
        .limit(MOST_JOBS)
    )
    if workflow_id is not None:
        query = query.where(Workflow.id == workflow_id)
    return [JobName(*row) for row in db.session().execute(query)]


def list_webhooks(project_id: uuid.UUID, limit: int = 5) -> list[WebhookAddress]:
    """The addresses of the project's enabled webhooks, by the name of their workflow."""
    rows = db.session().execute(
        sa.select(Trigger.id, Workflow.name)
        .join(Workflow, Workflow.id == Trigger.workflow_id)
        .where(
            Trigger.project_id == project_id,
            Trigger.type == TriggerType.WEBHOOK,
            Trigger.enabled,
            Workflow.deleted_at.is_(None),
        )
        .order_by(sa.func.lower(Workflow.name), Trigger.id)
        .limit(limit)
    )
    return [WebhookAddress(id_, name, f"/i/{id_}") for id_, name in rows]
