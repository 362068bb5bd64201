"""Dataclips with their bodies apart; credentials and the projects that may use them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004_dataclips_and_credentials"
down_revision = "0003_projects"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "dataclips",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "http_request",
                "global",
                "step_result",
                "saved_input",
                "kafka",
                name="dataclip_type",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("wiped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_dataclips_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataclips")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_dataclips_project_id_name")),
    )
    op.create_index(
        "ix_dataclips_project_id_inserted_at",
        "dataclips",
        ["project_id", sa.literal_column("inserted_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "dataclip_bodies",
        sa.Column("dataclip_id", sa.Uuid(), nullable=False),
        sa.Column("body", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("request", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["dataclip_id"], ["dataclips.id"], name=op.f("fk_dataclip_bodies_dataclip_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataclip_id", name=op.f("pk_dataclip_bodies")),
    )
    op.create_table(
        "credentials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("schema", sa.String(length=100), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("oauth_client_id", sa.Uuid(), nullable=True),
        sa.Column("scheduled_deletion", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "transfer_status",
            sa.Enum(
                "pending",
                "completed",
                name="transfer_status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_credentials_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("user_id", "external_id", name=op.f("uq_credentials_user_id_external_id")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_credentials_user_id_name")),
    )
    op.create_table(
        "credential_bodies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,31}$'", name=op.f("ck_credential_bodies_name")),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_credential_bodies_credential_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential_bodies")),
        sa.UniqueConstraint("credential_id", "name", name=op.f("uq_credential_bodies_credential_id_name")),
    )
    op.create_table(
        "project_credentials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.Uuid(), nullable=False),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_project_credentials_credential_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_project_credentials_project_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_credentials")),
        sa.UniqueConstraint(
            "project_id", "credential_id", name=op.f("uq_project_credentials_project_id_credential_id")
        ),
    )
    op.create_index(
        op.f("ix_project_credentials_credential_id"), "project_credentials", ["credential_id"], unique=False
    )


def downgrade() -> None:
    """Drop the tables with all they hold."""
    op.drop_table("project_credentials")
    op.drop_table("credential_bodies")
    op.drop_table("credentials")
    op.drop_table("dataclip_bodies")
    op.drop_table("dataclips")
