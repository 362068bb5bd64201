"""Reads of credentials; values never leave this context."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from portal.accounts import User
from portal.core import db
from portal.credentials.models import Credential


def find_own(owner: User, names: Collection[str]) -> dict[str, Credential]:
    """The owner's credentials with these names, by name; those on their way out are not found."""
    rows = db.session().scalars(
        sa.select(Credential).where(
            Credential.user_id == owner.id,
            Credential.name.in_(names),
            Credential.scheduled_deletion.is_(None),
        )
    )
    return {row.name: row for row in rows}
