"""Changes of accounts, each with its audit entry in the same unit of work."""

from __future__ import annotations

import secrets
import uuid

import sqlalchemy as sa

from portal import audit
from portal.accounts.inputs import NewPassword, NewUser
from portal.accounts.models import AccountRole, User, UserToken
from portal.accounts.passwords import hash_password, needs_rehash, verify_password
from portal.accounts.queries import find_by_email
from portal.accounts.sessions import SESSION
from portal.core import clock, db
from portal.core.access import SYSTEM, Actor
from portal.core.errors import Invalid, NotAllowed
from portal.core.text import N_


def create_user(
    new: NewUser,
    *,
    role: AccountRole = AccountRole.USER,
    one_time_password: bool = False,
    actor: Actor = SYSTEM,
) -> User:
    """Create an account, confirmed, as an operator does (dataclips-and-accounts §3.3, §5.1).

    Raises Invalid on `email` when it is taken, on `password` when it breaks the rules.
    """
    hashed = hash_password(new.password)
    with db.unit_of_work():
        db.session().execute(sa.select(sa.func.pg_advisory_xact_lock(db.lock_number(new.email.lower()))))
        if find_by_email(new.email) is not None:
            raise Invalid({"email": [N_("has already been taken")]})
        user = User(
            email=new.email,
            first_name=new.first_name,
            last_name=new.last_name,
            hashed_password=hashed,
            password_is_one_time=one_time_password,
            role=role,
            confirmed_at=clock.now(),
        )
        db.session().add(user)
        db.session().flush()
        audit.record("created", "user", user.id, actor=actor, after=_audited(user))
    return user


def _audited(user: User) -> dict[str, object]:
    return {
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "role": str(user.role),
        "confirmed_at": user.confirmed_at.isoformat() if user.confirmed_at else None,
        "disabled": user.disabled,
        "support_user": user.support_user,
        "scheduled_deletion": None,
    }


def sign_in(email: str, password: str) -> User:
    """The account behind e-mail and password.

    Raises NotAllowed with one and the same message for an unknown address, a wrong password
    and a blocked account, after the same time (reliability §4, guessing).
    """
    user = find_by_email(email)
    right = verify_password(user.hashed_password if user else None, password)
    if user is None or not right or user.blocked:
        raise NotAllowed(N_("The e-mail or the password is wrong."))
    if user.hashed_password and needs_rehash(user.hashed_password):
        with db.unit_of_work():
            user.hashed_password = hash_password(password)
    return user


def change_password(user_id: uuid.UUID, form: NewPassword, *, actor: Actor) -> User:
    """Replace the password; all sessions and tokens of the account end (dataclips-and-accounts §5.2).

    Raises Invalid on `current_password`, `password` or `password_confirmation`.
    """
    with db.unit_of_work():
        user = db.lock(db.session().get_one(User, user_id))
        if not verify_password(user.hashed_password, form.current_password):
            raise Invalid({"current_password": [N_("is not the current password")]})
        if form.password != form.password_confirmation:
            raise Invalid({"password_confirmation": [N_("does not match the password")]})
        if form.password == form.current_password:
            raise Invalid({"password": [N_("must differ from the current password")]})
        user.hashed_password = hash_password(form.password)
        user.password_is_one_time = False
        db.session().execute(
            sa.delete(UserToken).where(UserToken.user_id == user.id, UserToken.context.in_([SESSION, "api"]))
        )
        audit.record("updated", "user", user.id, actor=actor, details={"password_changed": True})
    return user


def make_password() -> str:
    """A random password of 20 characters that a person can copy."""
    return secrets.token_urlsafe(15)
