"""Reading accounts."""

from __future__ import annotations

import sqlalchemy as sa

from portal.accounts.models import AccountRole, User
from portal.core import db
from portal.core.access import Actor


def find_by_email(email: str) -> User | None:
    """The account with this address, whatever its case; None when there is none."""
    if "\0" in email or any("\ud800" <= character <= "\udfff" for character in email):
        return None
    return db.session().scalar(sa.select(User).where(sa.func.lower(User.email) == email.strip().lower()))


def superuser_exists() -> bool:
    """Whether the portal has been set up with a first superuser."""
    query = sa.select(sa.exists().where(User.role == AccountRole.SUPERUSER))
    return bool(db.session().scalar(query))


def first_superuser() -> User | None:
    """The superuser that has been here longest; None on a portal that is not set up."""
    oldest = sa.select(User).where(User.role == AccountRole.SUPERUSER).order_by(User.inserted_at, User.id)
    return db.session().scalar(oldest.limit(1))


def actor_of(user: User) -> Actor:
    """The person as policies and audit entries see them."""
    return Actor(id=user.id, is_superuser=user.role == AccountRole.SUPERUSER, is_support=user.support_user)
