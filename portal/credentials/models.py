"""Credentials, their encrypted bodies per environment, and the projects that may use them (§4.1)."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Timestamps, UuidKey, one_of


class TransferStatus(enum.StrEnum):
    """How far a transfer to another owner is."""

    PENDING = "pending"
    COMPLETED = "completed"


class Credential(Timestamps, Base):
    """A named secret of one owner. `schema` is `raw`, `oauth` or an adaptor's type."""

    __tablename__ = "credentials"

    id: Mapped[UuidKey]
    name: Mapped[str] = mapped_column(sa.String(255))
    external_id: Mapped[str | None] = mapped_column(sa.String(255))
    schema: Mapped[str] = mapped_column(sa.String(100))
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id"))
    oauth_client_id: Mapped[uuid.UUID | None]
    scheduled_deletion: Mapped[datetime | None]
    transfer_status: Mapped[TransferStatus | None] = mapped_column(one_of(TransferStatus))

    __table_args__ = (
        sa.UniqueConstraint("user_id", "name"),
        sa.UniqueConstraint("user_id", "external_id"),
    )


class CredentialBody(Timestamps, Base):
    """The values for one environment, encrypted; `body` carries the id of its key in front."""

    __tablename__ = "credential_bodies"

    id: Mapped[UuidKey]
    credential_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("credentials.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(32))
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)

    __table_args__ = (
        sa.UniqueConstraint("credential_id", "name"),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,31}$'", name="name"),
    )


class ProjectCredential(Timestamps, Base):
    """A credential that a project may use. Jobs point to this row, never to the credential."""

    __tablename__ = "project_credentials"

    id: Mapped[UuidKey]
    project_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"))
    credential_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("credentials.id", ondelete="CASCADE"), index=True
    )

    __table_args__ = (sa.UniqueConstraint("project_id", "credential_id"),)
