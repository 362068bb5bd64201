"""Workflows and their parts, snapshots, version rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005_workflows"
down_revision = "0004_dataclips_and_credentials"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "workflows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft", "live", name="workflow_state", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("concurrency", sa.Integer(), nullable=True),
        sa.Column("enable_job_logs", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("positions", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("lock_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("concurrency >= 1", name=op.f("ck_workflows_concurrency")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_workflows_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflows")),
        sa.UniqueConstraint("id", "project_id", name=op.f("uq_workflows_id_project_id")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_workflows_project_id_name")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("adaptor", sa.Text(), nullable=False),
        sa.Column("project_credential_id", sa.Uuid(), nullable=True),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_credential_id"],
            ["project_credentials.id"],
            name=op.f("fk_jobs_project_credential_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflows.id"], name=op.f("fk_jobs_workflow_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("id", "workflow_id", name=op.f("uq_jobs_id_workflow_id")),
        sa.UniqueConstraint("workflow_id", "name", name=op.f("uq_jobs_workflow_id_name")),
    )
    op.create_index(op.f("ix_jobs_project_credential_id"), "jobs", ["project_credential_id"], unique=False)
    op.create_table(
        "triggers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "webhook", "cron", name="trigger_type", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("custom_path", sa.String(length=255), nullable=True),
        sa.Column("bare_path", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cron_expression", sa.Text(), nullable=True),
        sa.Column("cron_cursor_job_id", sa.Uuid(), nullable=True),
        sa.Column(
            "webhook_reply",
            sa.Enum(
                "before_start",
                "after_completion",
                "custom",
                name="webhook_reply",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("webhook_response_config", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["cron_cursor_job_id"],
            ["jobs.id"],
            name=op.f("fk_triggers_cron_cursor_job_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id", "project_id"],
            ["workflows.id", "workflows.project_id"],
            name=op.f("fk_triggers_workflow_id_project_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_triggers")),
        sa.UniqueConstraint("id", "workflow_id", name=op.f("uq_triggers_id_workflow_id")),
        sa.UniqueConstraint("project_id", "custom_path", name=op.f("uq_triggers_project_id_custom_path")),
    )
    op.create_index(
        "ix_triggers_cron",
        "triggers",
        ["id"],
        unique=False,
        postgresql_where=sa.text("type = 'cron' AND enabled"),
    )
    op.create_index(op.f("ix_triggers_cron_cursor_job_id"), "triggers", ["cron_cursor_job_id"], unique=False)
    op.create_index(op.f("ix_triggers_workflow_id"), "triggers", ["workflow_id"], unique=False)
    op.create_index(
        "uq_triggers_bare_path",
        "triggers",
        ["custom_path"],
        unique=True,
        postgresql_where=sa.text("bare_path"),
    )
    op.create_table(
        "edges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("source_job_id", sa.Uuid(), nullable=True),
        sa.Column("source_trigger_id", sa.Uuid(), nullable=True),
        sa.Column("target_job_id", sa.Uuid(), nullable=False),
        sa.Column(
            "condition_type",
            sa.Enum(
                "always",
                "on_job_success",
                "on_job_failure",
                "js_expression",
                name="condition_type",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("condition_expression", sa.String(length=255), nullable=True),
        sa.Column("condition_label", sa.String(length=255), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(source_job_id, source_trigger_id) = 1", name=op.f("ck_edges_one_source")
        ),
        sa.CheckConstraint("source_job_id <> target_job_id", name=op.f("ck_edges_not_to_itself")),
        sa.ForeignKeyConstraint(
            ["source_job_id", "workflow_id"],
            ["jobs.id", "jobs.workflow_id"],
            name=op.f("fk_edges_source_job_id_workflow_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["source_trigger_id", "workflow_id"],
            ["triggers.id", "triggers.workflow_id"],
            name=op.f("fk_edges_source_trigger_id_workflow_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["target_job_id", "workflow_id"],
            ["jobs.id", "jobs.workflow_id"],
            name=op.f("fk_edges_target_job_id_workflow_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflows.id"], name=op.f("fk_edges_workflow_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edges")),
    )
    op.create_index(op.f("ix_edges_source_job_id"), "edges", ["source_job_id"], unique=False)
    op.create_index(op.f("ix_edges_source_trigger_id"), "edges", ["source_trigger_id"], unique=False)
    op.create_index(op.f("ix_edges_target_job_id"), "edges", ["target_job_id"], unique=False)
    op.create_index(op.f("ix_edges_workflow_id"), "edges", ["workflow_id"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("lock_version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("jobs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("triggers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("edges", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("positions", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflows.id"], name=op.f("fk_snapshots_workflow_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
        sa.UniqueConstraint(
            "workflow_id", "lock_version", name=op.f("uq_snapshots_workflow_id_lock_version")
        ),
    )
    op.create_table(
        "workflow_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.String(length=12), nullable=False),
        sa.Column(
            "source",
            sa.Enum(
                "app", "cli", name="version_source", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("hash ~ '^[0-9a-f]{12}$'", name=op.f("ck_workflow_versions_hash")),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_workflow_versions_workflow_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_versions")),
    )
    op.create_index(
        "ix_workflow_versions_newest",
        "workflow_versions",
        ["workflow_id", sa.literal_column("inserted_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )


def downgrade() -> None:
    """Drop the tables with all they hold."""
    op.drop_table("workflow_versions")
    op.drop_table("snapshots")
    op.drop_table("edges")
    op.drop_table("triggers")
    op.drop_table("jobs")
    op.drop_table("workflows")
