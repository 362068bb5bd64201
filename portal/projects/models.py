"""Projects, members, stored files (projects-and-workflows §1, workorders §2.6)."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.accounts.models import User
from portal.core.db import Base, Timestamps, UuidKey, one_of

PERIODS = "IN (7, 14, 30, 90, 180, 365)"


class RetentionPolicy(enum.StrEnum):
    """What is kept of the data that runs read and write."""

    RETAIN_ALL = "retain_all"
    RETAIN_WITH_ERRORS = "retain_with_errors"
    ERASE_ALL = "erase_all"


class Role(enum.StrEnum):
    """A member's role in a project."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    OWNER = "owner"


class Digest(enum.StrEnum):
    """How often a member gets the digest mail."""

    NEVER = "never"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Project(Timestamps, Base):
    """A project; one with a parent is a sandbox. `number` is its short name inside search vectors."""

    __tablename__ = "projects"

    id: Mapped[UuidKey]
    number: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), unique=True)
    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(sa.String(240))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("projects.id"), index=True)
    color: Mapped[str | None]
    env: Mapped[str | None]
    concurrency: Mapped[int | None]
    allow_support_access: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    requires_mfa: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    retention_policy: Mapped[RetentionPolicy] = mapped_column(
        one_of(RetentionPolicy), default=RetentionPolicy.RETAIN_ALL
    )
    history_retention_period: Mapped[int | None]
    dataclip_retention_period: Mapped[int | None]
    scheduled_deletion: Mapped[datetime | None]
    version_history: Mapped[list[str]] = mapped_column(
        ARRAY(sa.Text), default=list, server_default=sa.text("'{}'")
    )

    __table_args__ = (
        sa.Index(
            "uq_projects_parent_id_name",
            "parent_id",
            "name",
            unique=True,
            postgresql_where=sa.text("parent_id IS NOT NULL"),
        ),
        sa.Index(None, "scheduled_deletion", postgresql_where=sa.text("scheduled_deletion IS NOT NULL")),
        sa.CheckConstraint("parent_id <> id", name="not_its_own_parent"),
        sa.CheckConstraint(r"name ~ '^[a-z0-9\-]+$'", name="name"),
        sa.CheckConstraint("concurrency >= 1", name="concurrency"),
        sa.CheckConstraint(f"history_retention_period {PERIODS}", name="history_retention_period"),
        sa.CheckConstraint(f"dataclip_retention_period {PERIODS}", name="dataclip_retention_period"),
        sa.CheckConstraint(
            "dataclip_retention_period <= history_retention_period", name="dataclips_not_kept_longer"
        ),
    )


class ProjectUser(Timestamps, Base):
    """A membership. At most one owner per project."""

    __tablename__ = "project_users"

    id: Mapped[UuidKey]
    project_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id"), index=True)
    role: Mapped[Role] = mapped_column(one_of(Role))
    failure_alert: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
    digest: Mapped[Digest] = mapped_column(one_of(Digest), default=Digest.NEVER)

    project: Mapped[Project] = relationship(lazy="raise")
    user: Mapped[User] = relationship(lazy="raise")

    __table_args__ = (
        sa.UniqueConstraint("project_id", "user_id"),
        sa.Index(
            "uq_project_users_one_owner",
            "project_id",
            unique=True,
            postgresql_where=sa.text("role = 'owner'"),
        ),
    )


class FileStatus(enum.StrEnum):
    """How far a stored file is."""

    ENQUEUED = "enqueued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class ProjectFile(Timestamps, Base):
    """A stored file of a project, such as an export. `path` is a key of `core.storage`."""

    __tablename__ = "project_files"

    id: Mapped[UuidKey]
    project_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("projects.id"))
    created_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"), index=True)
    operation_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    type: Mapped[str] = mapped_column(default="export")
    format: Mapped[str] = mapped_column(default="csv", server_default="csv")
    name: Mapped[str]
    status: Mapped[FileStatus] = mapped_column(one_of(FileStatus), default=FileStatus.ENQUEUED)
    path: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(sa.BigInteger)
    rows: Mapped[int | None] = mapped_column(sa.BigInteger)
    sha256: Mapped[str | None]
    error: Mapped[str | None]
    expires_at: Mapped[datetime | None]

    created_by: Mapped[User | None] = relationship(lazy="raise")

    __table_args__ = (
        sa.Index(None, "project_id", "inserted_at"),
        sa.Index(
            "ix_project_files_expires_at", "expires_at", postgresql_where=sa.text("expires_at IS NOT NULL")
        ),
    )
