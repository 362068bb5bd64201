"""Projects, members, stored files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003_projects"
down_revision = "0002_audit_and_operations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.String(length=240), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("color", sa.Text(), nullable=True),
        sa.Column("env", sa.Text(), nullable=True),
        sa.Column("concurrency", sa.Integer(), nullable=True),
        sa.Column("allow_support_access", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("requires_mfa", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "retention_policy",
            sa.Enum(
                "retain_all",
                "retain_with_errors",
                "erase_all",
                name="retention_policy",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("history_retention_period", sa.Integer(), nullable=True),
        sa.Column("dataclip_retention_period", sa.Integer(), nullable=True),
        sa.Column("scheduled_deletion", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "version_history", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("name ~ '^[a-z0-9\\-]+$'", name=op.f("ck_projects_name")),
        sa.CheckConstraint("concurrency >= 1", name=op.f("ck_projects_concurrency")),
        sa.CheckConstraint(
            "dataclip_retention_period <= history_retention_period",
            name=op.f("ck_projects_dataclips_not_kept_longer"),
        ),
        sa.CheckConstraint(
            "dataclip_retention_period IN (7, 14, 30, 90, 180, 365)",
            name=op.f("ck_projects_dataclip_retention_period"),
        ),
        sa.CheckConstraint(
            "history_retention_period IN (7, 14, 30, 90, 180, 365)",
            name=op.f("ck_projects_history_retention_period"),
        ),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_projects_not_its_own_parent")),
        sa.ForeignKeyConstraint(["parent_id"], ["projects.id"], name=op.f("fk_projects_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("number", name=op.f("uq_projects_number")),
    )
    op.create_index(op.f("ix_projects_parent_id"), "projects", ["parent_id"], unique=False)
    op.create_index(
        op.f("ix_projects_scheduled_deletion"),
        "projects",
        ["scheduled_deletion"],
        unique=False,
        postgresql_where=sa.text("scheduled_deletion IS NOT NULL"),
    )
    op.create_index(
        "uq_projects_parent_id_name",
        "projects",
        ["parent_id", "name"],
        unique=True,
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_table(
        "project_users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "viewer",
                "editor",
                "admin",
                "owner",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("failure_alert", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "digest",
            sa.Enum(
                "never",
                "daily",
                "weekly",
                "monthly",
                name="digest",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_project_users_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_project_users_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_users")),
        sa.UniqueConstraint("project_id", "user_id", name=op.f("uq_project_users_project_id_user_id")),
    )
    op.create_index(op.f("ix_project_users_user_id"), "project_users", ["user_id"], unique=False)
    op.create_index(
        "uq_project_users_one_owner",
        "project_users",
        ["project_id"],
        unique=True,
        postgresql_where=sa.text("role = 'owner'"),
    )
    op.create_table(
        "project_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "enqueued",
                "in_progress",
                "completed",
                "failed",
                name="file_status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_project_files_created_by_id")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_project_files_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_files")),
    )
    op.create_index(op.f("ix_project_files_created_by_id"), "project_files", ["created_by_id"], unique=False)
    op.create_index(op.f("ix_project_files_operation_id"), "project_files", ["operation_id"], unique=False)
    op.create_index(
        op.f("ix_project_files_project_id_inserted_at"),
        "project_files",
        ["project_id", "inserted_at"],
        unique=False,
    )


def downgrade() -> None:
    """Drop the tables with all they hold."""
    op.drop_table("project_files")
    op.drop_table("project_users")
    op.drop_table("projects")
