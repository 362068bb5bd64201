"""Tokens of the API: made once, listed, revoked, dying with their account (dataclips-and-accounts §5.4)."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import accounts
from portal.accounts.models import UserToken
from portal.audit import AuditEvent
from portal.cli import group
from portal.core import clock
from portal.core.access import SYSTEM
from portal.core.errors import Invalid, NotFound
from tests.support.factories import make_user


def test_a_token_leads_to_its_account_and_only_its_hash_is_stored(db_session):
    user = make_user()
    shown, token = accounts.create_token(user, name="nightly report")
    assert accounts.user_of_token(token) is user
    row = db_session.get_one(UserToken, shown.id)
    assert row.token == hashlib.sha256(token.encode()).digest()
    assert token.encode() not in row.token


def test_a_session_is_no_api_token_and_the_other_way_round(db_session):
    user = make_user()
    assert accounts.user_of_token(accounts.start_session(user)) is None
    assert accounts.user_of_session(accounts.create_token(user)[1]) is None


def test_a_revoked_token_leads_nowhere_and_cannot_be_revoked_again(db_session):
    shown, token = accounts.create_token(make_user())
    accounts.revoke_token(shown.id)
    assert accounts.user_of_token(token) is None
    with pytest.raises(NotFound):
        accounts.revoke_token(shown.id)


def test_a_session_cannot_be_revoked_as_a_token(db_session):
    session = accounts.start_session(make_user())
    row = db_session.scalars(sa.select(UserToken)).one()
    with pytest.raises(NotFound):
        accounts.revoke_token(row.id)
    assert accounts.user_of_session(session) is not None


def test_a_blocked_account_has_no_token_that_works(db_session):
    user = make_user()
    token = accounts.create_token(user)[1]
    user.disabled = True
    db_session.flush()
    assert accounts.user_of_token(token) is None
    with pytest.raises(Invalid):
        accounts.create_token(user)


def test_the_last_use_is_noted_at_most_once_a_minute(db_session):
    user = make_user()
    token = accounts.create_token(user)[1]
    start = clock.now()
    for seconds, noted in ((0, 0), (59, 0), (61, 61)):
        with clock.frozen_at(start + timedelta(seconds=seconds)):
            accounts.user_of_token(token)
        assert accounts.list_tokens(user)[0].last_used_at == start + timedelta(seconds=noted)


def test_making_and_revoking_are_audited_without_the_token(db_session):
    shown, token = accounts.create_token(make_user(), name="report")
    accounts.revoke_token(shown.id)
    entries = db_session.scalars(
        sa.select(AuditEvent).where(AuditEvent.item_id == shown.id).order_by(AuditEvent.id)
    ).all()
    assert [(entry.event, entry.actor_id) for entry in entries] == [
        ("created", SYSTEM.id),
        ("revoked", SYSTEM.id),
    ]
    assert token not in repr([entry.changes for entry in entries])


def test_the_newest_token_is_listed_first(db_session):
    user, other = make_user(), make_user()
    accounts.create_token(other, name="theirs")
    for name in ("first", "second"):
        accounts.create_token(user, name=name)
    assert [token.name for token in accounts.list_tokens(user)] == ["second", "first"]


def test_an_operator_makes_lists_and_revokes_tokens(app, committed):
    """The token is printed once; lists never show it."""
    make_user("ann@example.org")
    committed.commit()
    runner = app.test_cli_runner()
    made = runner.invoke(group, ["tokens", "create", "ann@example.org", "--name", "report"])
    assert made.exit_code == 0, made.output
    found = re.match(r"(\S+)  (lp_\S+)   \(shown only now\)", made.output)
    assert found
    listed = runner.invoke(group, ["tokens", "list", "ann@example.org"]).output
    assert found[1] in listed
    assert "report" in listed
    assert found[2] not in listed
    assert "revoked" in runner.invoke(group, ["tokens", "revoke", found[1]]).output
    assert runner.invoke(group, ["tokens", "list", "ann@example.org"]).output == ""
    again = runner.invoke(group, ["tokens", "revoke", found[1]])
    assert again.exit_code == 1
    assert "There is no such token." in again.output


def test_a_token_of_nobody_is_refused_in_words(app, committed):
    refused = app.test_cli_runner().invoke(group, ["tokens", "create", "nobody@example.org"])
    assert refused.exit_code == 1
    assert "there is no account" in refused.output
