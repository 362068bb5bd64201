"""What every test may use: real servers for the whole run, a database for each xdist worker.

`db_session` runs a test inside one transaction that is rolled back; `committed` lets it
commit, and empties the tables afterwards. Nothing inside the house is mocked.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as examples
from redis import Redis

from config import logging, services
from config.settings import Settings
from portal.core import broker
from portal.core.db import Base, db
from portal.factory import create_app, database_uri
from tests.support import databases
from tests.support.cast import Cast, LoggedIn
from tests.support.clients import OwnContextClient

DATABASE, QUEUE = "PORTAL_TEST_DATABASE", "PORTAL_TEST_QUEUE"
_running: list[object] = []
# How long an example takes says how busy the machine is, no more.
examples.register_profile("house", deadline=None, print_blob=True)
examples.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once, in the process that all xdist workers come from."""
    if hasattr(config, "workerinput") or os.environ.get(DATABASE):
        return
    folder = Path(tempfile.mkdtemp(prefix="portal-test-"))
    given = {"database_url": os.environ.get("DATABASE_URL"), "redis_url": os.environ.get("REDIS_URL")}
    found = services.start(Settings(portal_data_dir=folder, **given), durable=False)
    os.environ[DATABASE], os.environ[QUEUE] = found.addresses.database_url, found.addresses.redis_url
    os.environ["PORTAL_TEST_TEMPLATE"] = databases.make_template(found.addresses.database_url)
    _running.extend([found, folder])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what `pytest_configure` started."""
    if not _running:
        return
    found, folder = _running
    databases.drop_all(os.environ[DATABASE], os.environ["PORTAL_TEST_TEMPLATE"])
    found.stop()  # type: ignore[attr-defined]
    shutil.rmtree(folder, ignore_errors=True)
    _running.clear()
    for name in (DATABASE, QUEUE, "PORTAL_TEST_TEMPLATE"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Settings:
    """Settings of this worker: its own database, its own numbered queue database, its own folder."""
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id != "master" else 0
    return Settings(
        portal_data_dir=tmp_path_factory.mktemp("data"),
        database_url=databases.copy_template(
            os.environ[DATABASE], os.environ["PORTAL_TEST_TEMPLATE"], worker_id
        ),
        redis_url=databases.numbered(os.environ[QUEUE], number),
        secret_key="a secret of the tests alone",
        primary_encryption_key="MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        login_attempts_per_minute=1000,
        log_level="error",
    )


@pytest.fixture(scope="session")
def app(settings: Settings) -> Iterator[Flask]:
    """The application, as the factory makes it."""
    logging.configure(settings)
    made = create_app(settings)
    made.testing = True
    made.test_client_class = OwnContextClient
    yield made
    with made.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def queue(app: Flask) -> Iterator[Redis]:
    """This worker's own queue database, empty."""
    broker.client().flushdb()
    yield broker.client()
    broker.client().flushdb()


@pytest.fixture
def db_session(app: Flask) -> Iterator[sa.orm.Session]:
    """A session whose commits are savepoints of one transaction that is rolled back at the end."""
    with app.app_context():
        engines = db._app_engines[app]
        engine = engines[None]
        connection = engine.connect()
        outer = connection.begin()
        engines[None] = connection  # type: ignore[assignment]
        db.session.remove()
        db.session.configure(join_transaction_mode="create_savepoint")
        try:
            yield db.session()
        finally:
            db.session.remove()
            db.session.configure(join_transaction_mode="conditional_savepoint")
            engines[None] = engine
            outer.rollback()
            connection.close()


@pytest.fixture
def committed(app: Flask, queue: Redis) -> Iterator[sa.orm.Session]:
    """A session that really commits: for tests about commits, locks and other processes."""
    with app.app_context():
        yield db.session()
        db.session.remove()
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        with db.engine.begin() as connection:
            connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))


@pytest.fixture
def cast(db_session: sa.orm.Session) -> Cast:
    """A project with an owner, admin, editor and viewer; a stranger; a superuser."""
    return Cast.make()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without script, nobody logged in."""
    return app.test_client()


@pytest.fixture
def log_in(app: Flask) -> LoggedIn:
    """`log_in(user)` answers a client with that user's session."""
    return LoggedIn(app)


@pytest.fixture(scope="session")
def database_url(settings: Settings) -> sa.URL:
    """The address of this worker's database, for second connections."""
    return database_uri(settings.database_url or "")
