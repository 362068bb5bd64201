"""Workflows and their parts, snapshots, version rows (projects-and-workflows §3)."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.db import Base, Json, Timestamps, UuidKey, one_of


class WorkflowState(enum.StrEnum):
    """Whether a workflow is being worked on or at work."""

    DRAFT = "draft"
    LIVE = "live"


class TriggerType(enum.StrEnum):
    """What starts a workflow."""

    WEBHOOK = "webhook"
    CRON = "cron"


class WebhookReply(enum.StrEnum):
    """When a webhook's caller is answered."""

    BEFORE_START = "before_start"
    AFTER_COMPLETION = "after_completion"
    CUSTOM = "custom"


class ConditionType(enum.StrEnum):
    """When an edge is followed."""

    ALWAYS = "always"
    ON_JOB_SUCCESS = "on_job_success"
    ON_JOB_FAILURE = "on_job_failure"
    JS_EXPRESSION = "js_expression"


class VersionSource(enum.StrEnum):
    """Who saved a version."""

    APP = "app"
    CLI = "cli"


class Workflow(Timestamps, Base):
    """A graph of triggers and jobs. `lock_version` rises with each save that changed something."""

    __tablename__ = "workflows"

    id: Mapped[UuidKey]
    project_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("projects.id"))
    name: Mapped[str]
    state: Mapped[WorkflowState] = mapped_column(one_of(WorkflowState), default=WorkflowState.DRAFT)
    concurrency: Mapped[int | None]
    enable_job_logs: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
    positions: Mapped[Json | None]
    lock_version: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        sa.UniqueConstraint("project_id", "name"),
        # Lets work orders prove that their project is their workflow's.
        sa.UniqueConstraint("id", "project_id"),
        sa.CheckConstraint("concurrency >= 1", name="concurrency"),
    )


class Job(Timestamps, Base):
    """One step of a workflow: code that an adaptor runs."""

    __tablename__ = "jobs"

    id: Mapped[UuidKey]
    workflow_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("workflows.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(100))
    body: Mapped[str]
    adaptor: Mapped[str]
    project_credential_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("project_credentials.id", ondelete="SET NULL"), index=True
    )

    __table_args__ = (sa.UniqueConstraint("workflow_id", "name"), sa.UniqueConstraint("id", "workflow_id"))


class Trigger(Timestamps, Base):
    """What starts a workflow: a call to its address, or the clock."""

    __tablename__ = "triggers"

    id: Mapped[UuidKey]
    workflow_id: Mapped[uuid.UUID]
    project_id: Mapped[uuid.UUID]
    type: Mapped[TriggerType] = mapped_column(one_of(TriggerType), default=TriggerType.WEBHOOK)
    enabled: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    comment: Mapped[str | None]
    custom_path: Mapped[str | None] = mapped_column(sa.String(255))
    # A path from before paths belonged to projects; it also answers without the project's id.
    bare_path: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    cron_expression: Mapped[str | None]
    cron_cursor_job_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    webhook_reply: Mapped[WebhookReply | None] = mapped_column(one_of(WebhookReply))
    webhook_response_config: Mapped[Json | None]

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["workflow_id", "project_id"], ["workflows.id", "workflows.project_id"], ondelete="CASCADE"
        ),
        sa.Index(None, "workflow_id"),
        sa.UniqueConstraint("id", "workflow_id"),
        sa.UniqueConstraint("project_id", "custom_path"),
        sa.Index("uq_triggers_bare_path", "custom_path", unique=True, postgresql_where=sa.text("bare_path")),
        sa.Index("ix_triggers_cron", "id", postgresql_where=sa.text("type = 'cron' AND enabled")),
    )


class Edge(Timestamps, Base):
    """A connection from a trigger or job to a job, both of the same workflow."""

    __tablename__ = "edges"

    id: Mapped[UuidKey]
    workflow_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE"), index=True
    )
    source_job_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    source_trigger_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    target_job_id: Mapped[uuid.UUID] = mapped_column(index=True)
    condition_type: Mapped[ConditionType] = mapped_column(one_of(ConditionType))
    condition_expression: Mapped[str | None] = mapped_column(sa.String(255))
    condition_label: Mapped[str | None] = mapped_column(sa.String(255))
    enabled: Mapped[bool] = mapped_column(default=True, server_default=sa.true())

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["source_job_id", "workflow_id"], ["jobs.id", "jobs.workflow_id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_trigger_id", "workflow_id"], ["triggers.id", "triggers.workflow_id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["target_job_id", "workflow_id"], ["jobs.id", "jobs.workflow_id"], ondelete="CASCADE"
        ),
        sa.CheckConstraint("num_nonnulls(source_job_id, source_trigger_id) = 1", name="one_source"),
        sa.CheckConstraint("source_job_id <> target_job_id", name="not_to_itself"),
    )


class Snapshot(Base):
    """A frozen copy of a workflow as a run executes it; one for each lock_version."""

    __tablename__ = "snapshots"

    id: Mapped[UuidKey]
    workflow_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("workflows.id"))
    lock_version: Mapped[int]
    name: Mapped[str]
    jobs: Mapped[list[Any]]
    triggers: Mapped[list[Any]]
    edges: Mapped[list[Any]]
    positions: Mapped[Json | None]
    inserted_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (sa.UniqueConstraint("workflow_id", "lock_version"),)


class WorkflowVersion(Base):
    """A hash of a workflow's content as it was saved (projects-and-workflows §3.7)."""

    __tablename__ = "workflow_versions"

    id: Mapped[UuidKey]
    workflow_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("workflows.id", ondelete="CASCADE"))
    hash: Mapped[str] = mapped_column(sa.String(12))
    source: Mapped[VersionSource] = mapped_column(one_of(VersionSource))
    inserted_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        sa.Index(
            "ix_workflow_versions_newest", "workflow_id", sa.text("inserted_at DESC"), sa.text("id DESC")
        ),
        sa.CheckConstraint("hash ~ '^[0-9a-f]{12}$'", name="hash"),
    )
