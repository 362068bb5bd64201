"""Tokens of the API: made once, shown once, revoked by their id (dataclips-and-accounts §5.4).

Only the SHA-256 of a token is stored; who reads the table cannot use it. A token is its
account's: it may what the account may, and dies with it.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal import audit
from portal.accounts.models import User, UserToken
from portal.accounts.sessions import TOUCH_EVERY
from portal.core import clock, db
from portal.core.access import SYSTEM, Actor
from portal.core.errors import Invalid, NotFound
from portal.core.text import N_

API = "api"
# Tells people and scanners of leaked secrets what it is.
PREFIX = "lp_"
LONGEST_NAME = 100
MOST_TOKENS = 100


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as lists show it: never the token itself."""

    id: uuid.UUID
    name: str | None
    inserted_at: datetime
    last_used_at: datetime | None


def create_token(user: User, *, name: str | None = None, actor: Actor = SYSTEM) -> tuple[ApiToken, str]:
    """Store a new API token of `user`; answers it and the token, which exists nowhere else.

    Raises Invalid on `name` (over 100 characters) and when the account is blocked or has 100 tokens.
    """
    if name is not None and len(name) > LONGEST_NAME:
        raise Invalid({"name": [N_("must have at most 100 characters")]})
    token = PREFIX + secrets.token_urlsafe(32)
    with db.unit_of_work():
        db.lock(user)
        if user.blocked:
            raise Invalid(N_("This account is blocked: it can have no token."))
        if len(list_tokens(user)) >= MOST_TOKENS:
            raise Invalid(N_("This account has 100 tokens. Revoke one first."))
        row = UserToken(user_id=user.id, token=_digest(token), context=API, sent_to=name or None)
        db.session().add(row)
        db.session().flush()
        audit.record("created", "api_token", row.id, actor=actor, after=_audited(row))
    return _shown(row), token


def user_of_token(token: str) -> User | None:
    """The account whose API token this is; None for an unknown one and for a blocked account."""
    found = (
        db.session()
        .execute(
            sa.select(User, UserToken)
            .join(UserToken, UserToken.user_id == User.id)
            .where(UserToken.context == API, UserToken.token == _digest(token))
        )
        .one_or_none()
    )
    if found is None or found[0].blocked:
        return None
    user, row = found
    if row.last_used_at is None or clock.now() - row.last_used_at > TOUCH_EVERY:
        with db.unit_of_work():
            row.last_used_at = clock.now()
    return user


def list_tokens(user: User) -> Sequence[ApiToken]:
    """The API tokens of an account, newest first; at most 100 exist."""
    rows = db.session().scalars(
        sa.select(UserToken)
        .where(UserToken.user_id == user.id, UserToken.context == API)
        .order_by(UserToken.inserted_at.desc(), UserToken.id.desc())
        .limit(MOST_TOKENS)
    )
    return [_shown(row) for row in rows]


def revoke_token(token_id: uuid.UUID, *, actor: Actor = SYSTEM) -> None:
    """Forget a token; it is refused from the next request on. Raises NotFound."""
    with db.unit_of_work():
        row = db.session().scalar(
            sa.delete(UserToken)
            .where(UserToken.id == token_id, UserToken.context == API)
            .returning(UserToken)
        )
        if row is None:
            raise NotFound(N_("There is no such token."))
        audit.record("revoked", "api_token", token_id, actor=actor, before=_audited(row))


def _shown(row: UserToken) -> ApiToken:
    # The column that names a mail's recipient names an API token.
    return ApiToken(row.id, row.sent_to, row.inserted_at, row.last_used_at)


def _audited(row: UserToken) -> dict[str, object]:
    return {"user_id": str(row.user_id), "name": row.sent_to}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
