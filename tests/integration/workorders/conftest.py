"""A workflow that runs, and an ear for what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask import Flask
from redis import Redis

from portal.core.db import db
from portal.core.events import channel
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_workflow
from tests.support.history import News


@pytest.fixture
def flow(cast: Cast, db_session: sa.orm.Session) -> MadeWorkflow:
    """A webhook that leads through three jobs, in the cast's project; refusals leave it standing."""
    made = make_workflow(cast.project)
    db_session.commit()
    return made


@pytest.fixture
def news(queue: Redis) -> Iterator[News]:
    """What is told while the test runs."""
    with queue.pubsub() as subscription:
        subscription.subscribe(channel())
        subscription.get_message(timeout=1)
        yield News(subscription)


WORKERS = 4


@pytest.fixture
def at_once(app: Flask) -> Callable[..., list[object]]:
    """Call `deed(number)` in several threads, each with a connection of its own."""

    def run(deed: Callable[[int], object], times: int = WORKERS) -> list[object]:
        def one(number: int) -> object:
            with app.app_context():
                return deed(number)

        # What is asked is who wins, not how fast: on a busy machine a commit may take longer than pages wait.
        sa.event.listen(db.engine, "begin", _wait_for_locks)
        try:
            with ThreadPoolExecutor(times) as pool:
                return list(pool.map(one, range(times)))
        finally:
            sa.event.remove(db.engine, "begin", _wait_for_locks)

    return run


def _wait_for_locks(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
