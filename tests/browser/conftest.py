"""A portal with data, a worker beside it, and visitors with a real browser."""

from __future__ import annotations

import threading

import psutil
import pytest
from playwright.sync_api import sync_playwright

from portal.accounts.passwords import hash_password
from portal.projects.models import Role
from tests.support.browsing import find_chromium, launch, served, visitor
from tests.support.factories import make_project, make_user
from tests.support.processes import worker

PASSWORD = "correct horse battery"


def pytest_collection_modifyitems(items):
    """All tests of this folder need a browser; without one they are left out, and say how to get it."""
    reason = "no chromium here: apt-get install chromium, or set PORTAL_CHROMIUM"
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            if find_chromium() is None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def person(committed):
    """Somebody who may log in with PASSWORD."""
    made = make_user("operator@clinic.example", hashed_password=hash_password(PASSWORD))
    committed.commit()
    return made


@pytest.fixture
def project(committed, person):
    """Their project."""
    made = make_project("riverside-clinic", members={person: Role.EDITOR}, color="#1d7a5f", env="production")
    committed.commit()
    return made


@pytest.fixture
def busy(app, committed):
    """A real worker. Forked before the server's threads begin."""
    started = worker(app)
    yield started
    if psutil.pid_exists(started.pid):
        started.kill()


@pytest.fixture
def address(app, busy):
    """The portal's address. Pages left behind hold their seats for some seconds, so there are many seats."""
    app.extensions["live_streams"] = threading.BoundedSemaphore(100)
    with served(app) as found:
        yield found


@pytest.fixture(scope="session")
def chromium():
    """The browser, once for all tests."""
    with sync_playwright() as play:
        browser = launch(play)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address):
    """`visit(**options)` is a new visitor; none may leave anything to complain about."""
    visitors = []

    def make(**options):
        visitors.append(visitor(chromium, address, **options))
        return visitors[-1]

    yield make
    for each in visitors:
        refused = each.refused() if each.page.url.startswith("http") and not each.scriptless else []
        each.page.context.close()
        assert each.complaints + refused == []
