"""The index that finds kept inputs without walking through all that arrived."""

from __future__ import annotations

from alembic import op

revision = "0012_saved_inputs"
down_revision = "0011_lists_of_error_groups"
branch_labels = None
depends_on = None

NAME = "ix_dataclips_saved"
WHAT = (
    "dataclips (project_id, inserted_at DESC, id DESC)"
    " WHERE (name IS NOT NULL OR type = 'saved_input') AND wiped_at IS NULL"
)


def upgrade() -> None:
    """Build it."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        op.execute(f"CREATE INDEX CONCURRENTLY {NAME} ON {WHAT}")


def downgrade() -> None:
    """Drop it."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
