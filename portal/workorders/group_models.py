"""Groups of failed runs that failed alike, and how often each day."""

from __future__ import annotations

import enum
import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Timestamps, UuidKey, one_of


class GroupState(enum.StrEnum):
    """What people said of a group of failures. A resolved one opens again by itself when it comes back."""

    OPEN = "open"
    RESOLVED = "resolved"
    IGNORED = "ignored"


class ErrorGroup(Timestamps, Base):
    """Failed runs of one workflow with the same normalised error.

    `fingerprint` is the SHA-256, in hexadecimal, of what makes failures alike; `message` the
    normalised message that people see, without numbers, ids and quoted values.
    """

    __tablename__ = "error_groups"

    id: Mapped[UuidKey]
    project_id: Mapped[uuid.UUID]
    workflow_id: Mapped[uuid.UUID]
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    error_type: Mapped[str | None]
    message: Mapped[str]
    state: Mapped[GroupState] = mapped_column(one_of(GroupState), default=GroupState.OPEN)
    state_changed_at: Mapped[datetime | None]
    state_changed_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    last_run_id: Mapped[uuid.UUID | None]
    occurrences: Mapped[int] = mapped_column(sa.BigInteger, default=0)

    __table_args__ = (
        sa.ForeignKeyConstraint(["workflow_id", "project_id"], ["workflows.id", "workflows.project_id"]),
        sa.UniqueConstraint("workflow_id", "fingerprint"),
        sa.Index(
            "ix_error_groups_list",
            "project_id",
            "state",
            sa.text("last_seen_at DESC"),
            sa.text("id DESC"),
        ),
        sa.Index(
            "ix_error_groups_count",
            "project_id",
            "state",
            sa.text("occurrences DESC"),
            sa.text("id DESC"),
        ),
        sa.Index(
            "ix_error_groups_workflow",
            "workflow_id",
            "state",
            sa.text("last_seen_at DESC"),
            sa.text("id DESC"),
        ),
        sa.Index(
            "ix_error_groups_workflow_count",
            "workflow_id",
            "state",
            sa.text("occurrences DESC"),
            sa.text("id DESC"),
        ),
    )


class ErrorGroupDay(Base):
    """How many runs of a group failed on one day (UTC)."""

    __tablename__ = "error_group_days"

    error_group_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("error_groups.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    occurrences: Mapped[int] = mapped_column(default=0)
