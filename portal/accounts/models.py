"""Users and their tokens (dataclips-and-accounts §5.1, §5.2)."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core import clock
from portal.core.db import Base, Json, Timestamps, UuidKey, one_of


class AccountRole(enum.StrEnum):
    """What an account may do beside its projects: a superuser has the admin area, and no project by that."""

    USER = "user"
    SUPERUSER = "superuser"


class ContactPreference(enum.StrEnum):
    """Which mails a person wants."""

    CRITICAL = "critical"
    ANY = "any"


class User(Timestamps, Base):
    """A person's account. E-mail is unique whatever its case."""

    __tablename__ = "users"

    id: Mapped[UuidKey]
    first_name: Mapped[str] = mapped_column(sa.String(255))
    last_name: Mapped[str] = mapped_column(sa.String(255))
    email: Mapped[str] = mapped_column(sa.String(320))
    hashed_password: Mapped[str | None]
    password_is_one_time: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    confirmed_at: Mapped[datetime | None]
    role: Mapped[AccountRole] = mapped_column(one_of(AccountRole), default=AccountRole.USER)
    support_user: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    disabled: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    mfa_enabled: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    scheduled_deletion: Mapped[datetime | None]
    contact_preference: Mapped[ContactPreference] = mapped_column(
        one_of(ContactPreference), default=ContactPreference.CRITICAL
    )
    preferences: Mapped[Json] = mapped_column(default=dict, server_default=sa.text("'{}'"))
    github_token: Mapped[bytes | None] = mapped_column(sa.LargeBinary)

    __table_args__ = (sa.Index("uq_users_email", sa.text("lower(email)"), unique=True),)

    @property
    def name(self) -> str:
        """First and last name, as shown to people."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def blocked(self) -> bool:
        """Disabled, or scheduled for deletion whatever the date (dataclips-and-accounts §5.2)."""
        return self.disabled or self.scheduled_deletion is not None


class UserToken(Base):
    """A session, an API token, a link in a mail: only the SHA-256 of the token is kept."""

    __tablename__ = "user_tokens"

    id: Mapped[UuidKey]
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token: Mapped[bytes] = mapped_column(sa.LargeBinary)
    context: Mapped[str]
    sent_to: Mapped[str | None]
    last_used_at: Mapped[datetime | None]
    inserted_at: Mapped[datetime] = mapped_column(default=clock.now)

    user: Mapped[User] = relationship(lazy="raise")

    __table_args__ = (sa.UniqueConstraint("context", "token"),)
