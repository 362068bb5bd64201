"""The append-only record of who changed what (dataclips-and-accounts §3.1)."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.db import Base, Json, UuidKey


class AuditEvent(Base):
    """One change. Ids have no foreign keys: the entry outlives the thing and the actor."""

    __tablename__ = "audit_events"

    id: Mapped[UuidKey]
    event: Mapped[str]
    item_type: Mapped[str]
    item_id: Mapped[uuid.UUID]
    project_id: Mapped[uuid.UUID | None]
    changes: Mapped[Json | None]
    # `metadata` is taken by SQLAlchemy's declarative base; the column keeps the word.
    details: Mapped[Json] = mapped_column("metadata", default=dict, server_default=sa.text("'{}'"))
    actor_id: Mapped[uuid.UUID]
    actor_type: Mapped[str]
    inserted_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        sa.Index(None, "item_type", "item_id"),
        sa.Index(None, "actor_id"),
        sa.Index(None, "inserted_at"),
        sa.Index(None, "project_id", "inserted_at"),
        sa.CheckConstraint(
            "actor_type IN ('user', 'trigger', 'project_repo_connection', 'service_account')",
            name="actor_type",
        ),
    )
