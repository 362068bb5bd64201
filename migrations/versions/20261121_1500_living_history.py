"""What operators do with history: views, groups of errors, stops, items of bulk work, idempotency keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_living_history"
down_revision = "0007_search_functions"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create tables and columns. Columns come empty or with a constant, so no table is rewritten."""
    _error_groups()
    _saved_views()
    _operations()
    for column in (
        sa.Column("format", sa.Text(), server_default="csv", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
    ):
        op.add_column("project_files", column)
    op.create_index(
        "ix_project_files_expires_at",
        "project_files",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.add_column("runs", sa.Column("stop_asked_at", MOMENT, nullable=True))
    op.add_column("runs", sa.Column("stop_asked_by_id", sa.Uuid(), nullable=True))
    op.add_column("runs", sa.Column("error_group_id", sa.Uuid(), nullable=True))
    # The next migration validates them: that reads the table, but lets others write.
    for column, table in (("stop_asked_by_id", "users"), ("error_group_id", "error_groups")):
        op.create_foreign_key(
            op.f(f"fk_runs_{column}"), "runs", table, [column], ["id"], postgresql_not_valid=True
        )


def _error_groups() -> None:
    op.create_table(
        "error_groups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("state_changed_at", MOMENT, nullable=True),
        sa.Column("state_changed_by_id", sa.Uuid(), nullable=True),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("last_run_id", sa.Uuid(), nullable=True),
        sa.Column("occurrences", sa.BigInteger(), nullable=False),
        sa.Column("inserted_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'resolved', 'ignored')", name=op.f("ck_error_groups_group_state")
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id", "project_id"],
            ["workflows.id", "workflows.project_id"],
            name=op.f("fk_error_groups_workflow_id_project_id"),
        ),
        sa.ForeignKeyConstraint(
            ["state_changed_by_id"], ["users.id"], name=op.f("fk_error_groups_state_changed_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_groups")),
        sa.UniqueConstraint(
            "workflow_id", "fingerprint", name=op.f("uq_error_groups_workflow_id_fingerprint")
        ),
    )
    op.create_index(
        "ix_error_groups_list",
        "error_groups",
        ["project_id", "state", sa.literal_column("last_seen_at DESC"), sa.literal_column("id DESC")],
    )
    op.create_table(
        "error_group_days",
        sa.Column("error_group_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["error_group_id"],
            ["error_groups.id"],
            name=op.f("fk_error_group_days_error_group_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("error_group_id", "day", name=op.f("pk_error_group_days")),
    )


def _saved_views() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("shared", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("inserted_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_saved_views_project_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_saved_views_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    op.create_index(op.f("ix_saved_views_created_by_id"), "saved_views", ["created_by_id"])
    name = sa.literal_column("lower(name)")
    op.create_index(
        "uq_saved_views_shared",
        "saved_views",
        ["project_id", name],
        unique=True,
        postgresql_where=sa.text("shared"),
    )
    op.create_index(
        "uq_saved_views_own",
        "saved_views",
        ["project_id", "created_by_id", name],
        unique=True,
        postgresql_where=sa.text("NOT shared"),
    )


def _operations() -> None:
    op.add_column("operations", sa.Column("paused_at", MOMENT, nullable=True))
    op.create_table(
        "operation_items",
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("result", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("made_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "result IN ('done', 'skipped', 'failed')", name=op.f("ck_operation_items_item_result")
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"],
            ["operations.id"],
            name=op.f("fk_operation_items_operation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("operation_id", "item_id", name=op.f("pk_operation_items")),
    )
    op.create_index(
        "ix_operation_items_not_done",
        "operation_items",
        ["operation_id", "item_id"],
        postgresql_where=sa.text("result <> 'done'"),
    )
    op.create_table(
        "once_keys",
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("inserted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("actor_id", "key", name=op.f("pk_once_keys")),
    )
    op.create_index(op.f("ix_once_keys_inserted_at"), "once_keys", ["inserted_at"])


def downgrade() -> None:
    """Remove them again."""
    for column in ("stop_asked_by_id", "error_group_id"):
        op.drop_constraint(op.f(f"fk_runs_{column}"), "runs", type_="foreignkey")
    for column in ("stop_asked_at", "stop_asked_by_id", "error_group_id"):
        op.drop_column("runs", column)
    op.drop_index("ix_project_files_expires_at", table_name="project_files")
    for column in ("format", "error", "expires_at"):
        op.drop_column("project_files", column)
    op.drop_column("operations", "paused_at")
    for table in ("once_keys", "operation_items", "saved_views", "error_group_days", "error_groups"):
        op.drop_table(table)
