"""Indexes on the large tables for lists of runs, stops, groups of errors and the dashboard.

Each is built beside the running portal; one that an interrupted attempt left unfinished is
dropped first, so the migration can be tried again.
"""

from __future__ import annotations

from alembic import op

revision = "0009_living_history_indexes"
down_revision = "0008_living_history"
branch_labels = None
depends_on = None

NEW = {
    "ix_runs_list": "runs (project_id, inserted_at DESC, id DESC) INCLUDE (state, workflow_id)",
    "ix_runs_stopping": (
        "runs (stop_asked_at) WHERE stop_asked_at IS NOT NULL AND state IN ('claimed', 'started')"
    ),
    "ix_runs_error_group": "runs (error_group_id, finished_at DESC) WHERE error_group_id IS NOT NULL",
}
RECEIVED = "work_orders (project_id, inserted_at DESC, id DESC)"


def upgrade() -> None:
    """Build the indexes, and look at what the new foreign keys hold."""
    with op.get_context().autocommit_block():
        for name, what in NEW.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
        _replace_received(f"{RECEIVED} INCLUDE (state, workflow_id)")
        for column in ("stop_asked_by_id", "error_group_id"):
            op.execute(f"ALTER TABLE runs VALIDATE CONSTRAINT fk_runs_{column}")


def downgrade() -> None:
    """Drop them, and give the list of received work orders its narrow index again."""
    with op.get_context().autocommit_block():
        _replace_received(RECEIVED)
        for name in NEW:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def _replace_received(what: str) -> None:
    op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_work_orders_received_new")
    op.execute(f"CREATE INDEX CONCURRENTLY ix_work_orders_received_new ON {what}")
    op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_work_orders_received")
    op.execute("ALTER INDEX ix_work_orders_received_new RENAME TO ix_work_orders_received")
