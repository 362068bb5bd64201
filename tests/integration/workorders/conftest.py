"""A workflow that runs, and an ear for what is told of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from redis import Redis

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
