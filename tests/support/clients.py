"""Clients whose requests share nothing with the test or with one another but the database."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from portal import accounts
from portal.accounts.models import User


class OwnContextClient(FlaskClient):
    """Each request gets an application context, and so a `g`, of its own.

    Under `db_session` a context is open all the time; requests would otherwise share its
    `g`, and the second client of a test would act as the person of the first.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **kwargs)


def logged_in(app: Flask, user: User) -> OwnContextClient:
    """A client in which `user` is logged in."""
    client = OwnContextClient(app, app.response_class, use_cookies=True)
    token = accounts.start_session(user)
    with client.session_transaction() as session:
        session["_user_id"] = token
        session["_fresh"] = True
    return client
