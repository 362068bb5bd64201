"""Dataclips: one stored JSON document each (dataclips-and-accounts §1).

Bodies live in a table of their own: lists never read them, and wiping one is a
deletion that leaves the row with its name and type.
"""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Timestamps, UuidKey, one_of


class DataclipType(enum.StrEnum):
    """Where a dataclip came from (dataclips-and-accounts §1.2)."""

    HTTP_REQUEST = "http_request"
    GLOBAL = "global"
    STEP_RESULT = "step_result"
    SAVED_INPUT = "saved_input"
    KAFKA = "kafka"


class Dataclip(Timestamps, Base):
    """A document that arrived, was typed, or was left by a step."""

    __tablename__ = "dataclips"

    id: Mapped[UuidKey]
    project_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("projects.id"))
    type: Mapped[DataclipType] = mapped_column(one_of(DataclipType))
    name: Mapped[str | None] = mapped_column(sa.String(255))
    wiped_at: Mapped[datetime | None]

    __table_args__ = (
        sa.UniqueConstraint("project_id", "name"),
        sa.Index(
            "ix_dataclips_project_id_inserted_at",
            "project_id",
            sa.text("inserted_at DESC"),
            sa.text("id DESC"),
        ),
        sa.Index(
            "ix_dataclips_saved",
            "project_id",
            sa.text("inserted_at DESC"),
            sa.text("id DESC"),
            postgresql_where=sa.text("(name IS NOT NULL OR type = 'saved_input') AND wiped_at IS NULL"),
        ),
    )


class DataclipBody(Base):
    """The content of a dataclip; no row once it has been wiped. `request` only for what arrived."""

    __tablename__ = "dataclip_bodies"

    dataclip_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("dataclips.id", ondelete="CASCADE"), primary_key=True
    )
    body: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    request: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
