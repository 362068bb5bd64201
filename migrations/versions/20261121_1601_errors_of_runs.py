"""An index on the types of error that runs ended with: few of many runs have one.

It is built beside the running portal; one that an interrupted attempt left unfinished is
dropped first, so the migration can be tried again.
"""

from __future__ import annotations

from alembic import op

revision = "0010_errors_of_runs"
down_revision = "0009_living_history_indexes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_runs_error")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_runs_error ON runs (project_id, error_type, inserted_at DESC)"
            " WHERE error_type IS NOT NULL"
        )


def downgrade() -> None:
    """Drop it."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_runs_error")
