"""Log-in sessions: rows that can be listed and revoked (dataclips-and-accounts §5.2).

Only the SHA-256 of a token is stored; who reads the table cannot log in with it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

import sqlalchemy as sa

from portal.accounts.models import User, UserToken
from portal.core import clock, db

SESSION = "session"
LIFETIME = timedelta(days=60)
# `last_used_at` is news for people, not a log: once a minute is enough.
TOUCH_EVERY = timedelta(minutes=1)


def start_session(user: User) -> str:
    """Store a new session of `user` and answer its token, which exists nowhere else."""
    token = secrets.token_urlsafe(32)
    with db.unit_of_work():
        db.session().add(UserToken(user_id=user.id, token=_digest(token), context=SESSION))
    return token


def user_of_session(token: str) -> User | None:
    """The account whose session this is; None when it ended, is too old, or the account is blocked."""
    found = (
        db.session()
        .execute(
            sa.select(User, UserToken)
            .join(UserToken, UserToken.user_id == User.id)
            .where(
                UserToken.context == SESSION,
                UserToken.token == _digest(token),
                UserToken.inserted_at > clock.now() - LIFETIME,
            )
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


def end_session(token: str) -> None:
    """Forget the session; an unknown one is no error."""
    with db.unit_of_work():
        db.session().execute(
            sa.delete(UserToken).where(UserToken.context == SESSION, UserToken.token == _digest(token))
        )


def delete_expired_tokens() -> int:
    """Forget sessions past their lifetime; answers how many."""
    with db.unit_of_work():
        result = db.session().execute(
            sa.delete(UserToken).where(
                UserToken.context == SESSION, UserToken.inserted_at <= clock.now() - LIFETIME
            )
        )
    # Only the results of changes have a row count; the types do not tell them apart.
    return int(result.rowcount)  # type: ignore[attr-defined]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
