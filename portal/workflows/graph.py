"""A workflow with all its parts, loaded together."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from portal.core import db
from portal.workflows.models import Edge, Job, Trigger, Workflow
from portal.workflows.version_hash import (
    HashedEdge,
    HashedJob,
    HashedTrigger,
    HashedWorkflow,
    version_hash,
)


@dataclass(frozen=True, slots=True)
class Graph:
    """A workflow's row, and the rows of its parts in the order in which they were made."""

    workflow: Workflow
    jobs: tuple[Job, ...]
    triggers: tuple[Trigger, ...]
    edges: tuple[Edge, ...]

    def hash(self) -> str:
        """The version hash of this content (§3.7), 12 hex digits."""
        jobs = {job.id: job.name for job in self.jobs}
        types = {trigger.id: str(trigger.type) for trigger in self.triggers}
        return version_hash(
            HashedWorkflow(
                name=self.workflow.name,
                positions=self.workflow.positions,
                triggers=tuple(_hashed_trigger(trigger) for trigger in self.triggers),
                jobs=tuple(_hashed_job(job) for job in self.jobs),
                edges=tuple(_hashed_edge(edge, jobs, types) for edge in self.edges),
            )
        )


def graph_of(workflow: Workflow) -> Graph:
    """Load the parts of `workflow` (three queries)."""
    session = db.session()
    jobs = session.scalars(
        sa.select(Job).where(Job.workflow_id == workflow.id).order_by(Job.inserted_at, Job.id)
    )
    triggers = session.scalars(
        sa.select(Trigger).where(Trigger.workflow_id == workflow.id).order_by(Trigger.inserted_at, Trigger.id)
    )
    edges = session.scalars(
        sa.select(Edge).where(Edge.workflow_id == workflow.id).order_by(Edge.inserted_at, Edge.id)
    )
    return Graph(workflow, tuple(jobs), tuple(triggers), tuple(edges))


def _hashed_trigger(trigger: Trigger) -> HashedTrigger:
    return HashedTrigger(
        type=trigger.type.value,
        enabled=trigger.enabled,
        cron_expression=trigger.cron_expression,
        cron_cursor_job_id=trigger.cron_cursor_job_id,
        custom_path=trigger.custom_path,
        webhook_reply=trigger.webhook_reply.value if trigger.webhook_reply else None,
        webhook_response_config=trigger.webhook_response_config,
    )


def _hashed_job(job: Job) -> HashedJob:
    return HashedJob(
        name=job.name, adaptor=job.adaptor, body=job.body, project_credential_id=job.project_credential_id
    )


def _hashed_edge(edge: Edge, jobs: dict[uuid.UUID, str], types: dict[uuid.UUID, str]) -> HashedEdge:
    from_job = jobs.get(edge.source_job_id, "") if edge.source_job_id else ""
    source = types.get(edge.source_trigger_id, "") if edge.source_trigger_id else from_job
    return HashedEdge(
        source=source,
        target=jobs.get(edge.target_job_id, ""),
        condition_type=edge.condition_type.value,
        enabled=edge.enabled,
        condition_expression=edge.condition_expression,
        condition_label=edge.condition_label,
    )
