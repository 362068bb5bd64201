"""Work orders, runs, steps, log lines by month, search rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006_history"
down_revision = "0005_workflows"
branch_labels = None
depends_on = None

# A run's id holds the moment it was made, so months of ids are months of log lines. The
# portal prepares later months by itself; ids made elsewhere go to the default partition.
FIRST_MONTHS = """
DO $$
DECLARE
    month timestamptz := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    following timestamptz;
BEGIN
    FOR step IN 0..3 LOOP
        following := ((month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF log_lines FOR VALUES FROM (%L) TO (%L)',
            'log_lines_y' || to_char(month AT TIME ZONE 'UTC', 'YYYY"m"MM'),
            substr(lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0'), 1, 8) || '-' ||
            substr(lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0'), 9, 4) ||
            '-7000-8000-000000000000',
            substr(lpad(to_hex((extract(epoch FROM following) * 1000)::bigint), 12, '0'), 1, 8) || '-' ||
            substr(lpad(to_hex((extract(epoch FROM following) * 1000)::bigint), 12, '0'), 9, 4) ||
            '-7000-8000-000000000000'
        );
        month := following;
    END LOOP;
END $$
"""


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "work_orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("snapshot_id", sa.Uuid(), nullable=True),
        sa.Column("trigger_id", sa.Uuid(), nullable=True),
        sa.Column("dataclip_id", sa.Uuid(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "rejected",
                "pending",
                "running",
                "success",
                "failed",
                "crashed",
                "cancelled",
                "killed",
                "exception",
                "lost",
                name="workorder_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("last_activity", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataclip_id"], ["dataclips.id"], name=op.f("fk_work_orders_dataclip_id")),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name=op.f("fk_work_orders_snapshot_id")),
        sa.ForeignKeyConstraint(
            ["workflow_id", "project_id"],
            ["workflows.id", "workflows.project_id"],
            name=op.f("fk_work_orders_workflow_id_project_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_orders")),
        sa.UniqueConstraint(
            "id", "project_id", "workflow_id", name=op.f("uq_work_orders_id_project_id_workflow_id")
        ),
        postgresql_with={"fillfactor": "85", "autovacuum_vacuum_scale_factor": "0.02"},
    )
    op.create_index(op.f("ix_work_orders_dataclip_id"), "work_orders", ["dataclip_id"], unique=False)
    op.create_index(
        "ix_work_orders_list",
        "work_orders",
        ["project_id", sa.literal_column("last_activity DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_include=["state", "workflow_id"],
    )
    op.create_index(
        "ix_work_orders_received",
        "work_orders",
        ["project_id", sa.literal_column("inserted_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_work_orders_short_id", "work_orders", [sa.literal_column("right(id::text, 8)")], unique=False
    )
    op.create_index(op.f("ix_work_orders_snapshot_id"), "work_orders", ["snapshot_id"], unique=False)
    op.create_index(
        "ix_work_orders_state",
        "work_orders",
        ["project_id", "state", sa.literal_column("last_activity DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(op.f("ix_work_orders_trigger_id"), "work_orders", ["trigger_id"], unique=False)
    op.create_index(
        "ix_work_orders_workflow",
        "work_orders",
        ["workflow_id", sa.literal_column("last_activity DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_include=["state"],
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("work_order_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("snapshot_id", sa.Uuid(), nullable=True),
        sa.Column("dataclip_id", sa.Uuid(), nullable=True),
        sa.Column("final_dataclip_id", sa.Uuid(), nullable=True),
        sa.Column("starting_trigger_id", sa.Uuid(), nullable=True),
        sa.Column("starting_job_id", sa.Uuid(), nullable=True),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "available",
                "claimed",
                "started",
                "success",
                "failed",
                "crashed",
                "cancelled",
                "killed",
                "exception",
                "lost",
                name="run_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("queue", sa.Text(), server_default="default", nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("worker_name", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("log_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("search_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(starting_trigger_id, starting_job_id) = 1",
            name=op.f("ck_runs_validate_job_or_trigger"),
        ),
        sa.CheckConstraint("priority IN (0, 1)", name=op.f("ck_runs_priority")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_runs_created_by_id")),
        sa.ForeignKeyConstraint(["dataclip_id"], ["dataclips.id"], name=op.f("fk_runs_dataclip_id")),
        sa.ForeignKeyConstraint(
            ["final_dataclip_id"], ["dataclips.id"], name=op.f("fk_runs_final_dataclip_id")
        ),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name=op.f("fk_runs_snapshot_id")),
        sa.ForeignKeyConstraint(
            ["work_order_id", "project_id", "workflow_id"],
            ["work_orders.id", "work_orders.project_id", "work_orders.workflow_id"],
            name=op.f("fk_runs_work_order_id_project_id_workflow_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        postgresql_with={"fillfactor": "85", "autovacuum_vacuum_scale_factor": "0.02"},
    )
    op.create_index(
        "ix_runs_available",
        "runs",
        ["workflow_id", "priority", "inserted_at"],
        unique=False,
        postgresql_where=sa.text("state = 'available'"),
    )
    op.create_index(
        "ix_runs_busy",
        "runs",
        ["workflow_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('claimed', 'started')"),
    )
    op.create_index(op.f("ix_runs_created_by_id"), "runs", ["created_by_id"], unique=False)
    op.create_index(op.f("ix_runs_dataclip_id"), "runs", ["dataclip_id"], unique=False)
    op.create_index(op.f("ix_runs_final_dataclip_id"), "runs", ["final_dataclip_id"], unique=False)
    op.create_index(op.f("ix_runs_finished_at"), "runs", ["finished_at"], unique=False)
    op.create_index(
        "ix_runs_lost",
        "runs",
        ["claimed_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('claimed', 'started')"),
    )
    op.create_index(
        "ix_runs_search_due",
        "runs",
        ["search_due_at"],
        unique=False,
        postgresql_where=sa.text("search_due_at IS NOT NULL"),
    )
    op.create_index("ix_runs_short_id", "runs", [sa.literal_column("right(id::text, 8)")], unique=False)
    op.create_index(op.f("ix_runs_snapshot_id"), "runs", ["snapshot_id"], unique=False)
    op.create_index(
        op.f("ix_runs_work_order_id_inserted_at"), "runs", ["work_order_id", "inserted_at"], unique=False
    )
    op.create_table(
        "steps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("snapshot_id", sa.Uuid(), nullable=True),
        sa.Column("credential_id", sa.Uuid(), nullable=True),
        sa.Column("input_dataclip_id", sa.Uuid(), nullable=True),
        sa.Column("output_dataclip_id", sa.Uuid(), nullable=True),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credentials.id"], name=op.f("fk_steps_credential_id")),
        sa.ForeignKeyConstraint(
            ["input_dataclip_id"], ["dataclips.id"], name=op.f("fk_steps_input_dataclip_id")
        ),
        sa.ForeignKeyConstraint(
            ["output_dataclip_id"], ["dataclips.id"], name=op.f("fk_steps_output_dataclip_id")
        ),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name=op.f("fk_steps_snapshot_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
    )
    op.create_index(op.f("ix_steps_credential_id"), "steps", ["credential_id"], unique=False)
    op.create_index(op.f("ix_steps_input_dataclip_id"), "steps", ["input_dataclip_id"], unique=False)
    op.create_index(op.f("ix_steps_job_id"), "steps", ["job_id"], unique=False)
    op.create_index(op.f("ix_steps_output_dataclip_id"), "steps", ["output_dataclip_id"], unique=False)
    op.create_index(op.f("ix_steps_snapshot_id"), "steps", ["snapshot_id"], unique=False)
    op.create_index("ix_steps_short_id", "steps", [sa.literal_column("right(id::text, 8)")], unique=False)
    op.create_index(
        "ix_steps_open",
        "steps",
        ["id"],
        unique=False,
        postgresql_where=sa.text("exit_reason IS NULL AND finished_at IS NULL"),
    )
    op.create_table(
        "run_steps",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inserted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_steps_run_id")),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name=op.f("fk_run_steps_step_id")),
        sa.PrimaryKeyConstraint("run_id", "step_id", name=op.f("pk_run_steps")),
    )
    op.create_index(op.f("ix_run_steps_step_id"), "run_steps", ["step_id"], unique=False)
    op.create_table(
        "log_lines",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step_id", sa.Uuid(), nullable=True),
        sa.Column(
            "level",
            sa.Enum(
                "success",
                "always",
                "info",
                "warn",
                "error",
                "debug",
                name="log_level",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("source", sa.String(length=8), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_log_lines_run_id")),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("pk_log_lines")),
        postgresql_partition_by="RANGE (run_id)",
    )
    op.create_index(
        "uq_log_lines_run_id_line_id",
        "log_lines",
        ["run_id", "line_id"],
        unique=True,
        postgresql_where=sa.text("line_id IS NOT NULL"),
    )
    op.create_table(
        "run_search",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("work_order_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("logs", postgresql.TSVECTOR(), nullable=False),
        sa.Column("bodies", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_search_run_id")),
        sa.PrimaryKeyConstraint("run_id", "part", name=op.f("pk_run_search")),
    )
    op.create_index("ix_run_search_bodies", "run_search", ["bodies"], unique=False, postgresql_using="gin")
    op.create_index("ix_run_search_logs", "run_search", ["logs"], unique=False, postgresql_using="gin")
    op.create_index(op.f("ix_run_search_work_order_id"), "run_search", ["work_order_id"], unique=False)

    op.execute("CREATE TABLE log_lines_default PARTITION OF log_lines DEFAULT")
    op.execute(FIRST_MONTHS)


def downgrade() -> None:
    """Drop the tables with all they hold."""
    op.drop_table("run_search")
    op.drop_table("log_lines")
    op.drop_table("run_steps")
    op.drop_table("steps")
    op.drop_table("runs")
    op.drop_table("work_orders")
