"""Sessions can be listed and revoked, and die with their account."""

from __future__ import annotations

from datetime import timedelta

from portal import accounts
from portal.core import clock
from tests.support.factories import make_user


def test_a_session_leads_to_its_account(db_session):
    user = make_user()
    assert accounts.user_of_session(accounts.start_session(user)) is user


def test_an_ended_session_leads_nowhere(db_session):
    token = accounts.start_session(make_user())
    accounts.end_session(token)
    assert accounts.user_of_session(token) is None


def test_a_session_ends_after_sixty_days(db_session):
    token = accounts.start_session(make_user())
    with clock.frozen_at(clock.now() + timedelta(days=60, seconds=1)):
        assert accounts.user_of_session(token) is None
        assert accounts.delete_expired_tokens() == 1


def test_a_blocked_account_loses_its_sessions_at_once(db_session):
    user = make_user()
    token = accounts.start_session(user)
    user.disabled = True
    db_session.flush()
    assert accounts.user_of_session(token) is None
