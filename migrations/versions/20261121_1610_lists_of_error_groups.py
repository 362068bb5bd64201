"""Indexes for sorting failed runs into groups, and for lists of groups by count and by workflow.

The one on the large table is built beside the running portal; one that an interrupted
attempt left unfinished is dropped first, so the migration can be tried again.
"""

from __future__ import annotations

from alembic import op

revision = "0011_lists_of_error_groups"
down_revision = "0010_errors_of_runs"
branch_labels = None
depends_on = None

NEW = {
    "ix_runs_ungrouped": (
        "runs (updated_at) WHERE error_group_id IS NULL"
        " AND state IN ('failed', 'crashed', 'killed', 'exception', 'lost')"
    ),
    "ix_error_groups_count": "error_groups (project_id, state, occurrences DESC, id DESC)",
    "ix_error_groups_workflow": "error_groups (workflow_id, state, last_seen_at DESC, id DESC)",
    "ix_error_groups_workflow_count": "error_groups (workflow_id, state, occurrences DESC, id DESC)",
}


def upgrade() -> None:
    """Build them."""
    with op.get_context().autocommit_block():
        for name, what in NEW.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")


def downgrade() -> None:
    """Drop them."""
    with op.get_context().autocommit_block():
        for name in NEW:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
