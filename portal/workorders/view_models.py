"""Filters of the history that somebody gave a name."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Timestamps, UuidKey

LONGEST_NAME = 80


class SavedView(Timestamps, Base):
    """A named filter of one project's history: its maker's own, or `shared` with the whole project.

    `query` is the filters as the text behind the question mark of an address.
    """

    __tablename__ = "saved_views"

    id: Mapped[UuidKey]
    project_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("projects.id"))
    created_by_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(LONGEST_NAME))
    shared: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    query: Mapped[str]

    __table_args__ = (
        sa.Index(
            "uq_saved_views_shared",
            "project_id",
            sa.text("lower(name)"),
            unique=True,
            postgresql_where=sa.text("shared"),
        ),
        sa.Index(
            "uq_saved_views_own",
            "project_id",
            "created_by_id",
            sa.text("lower(name)"),
            unique=True,
            postgresql_where=sa.text("NOT shared"),
        ),
    )
