"""What tests of the API share: programs with tokens."""

from __future__ import annotations

import pytest

from portal import accounts
from tests.support.clients import OwnContextClient
from tests.support.factories import make_workflow


class Program(OwnContextClient):
    """A client that sends a bearer token and no cookie."""

    token: str | None = None

    def open(self, *args, **kwargs):
        headers = dict(kwargs.pop("headers", None) or {})
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.token}"
        return super().open(*args, headers=headers, **kwargs)


@pytest.fixture
def program(app):
    """`program(user)` answers a client with a token of that user; without one, nobody's."""

    def make(user=None):
        client = Program(app, app.response_class, use_cookies=True)
        client.token = accounts.create_token(user)[1] if user else None
        return client

    return make


@pytest.fixture
def flow(cast):
    return make_workflow(cast.project, "Register a visit")


@pytest.fixture
def viewer(cast, program):
    return program(cast.viewer)


@pytest.fixture
def editor(cast, program):
    return program(cast.editor)
