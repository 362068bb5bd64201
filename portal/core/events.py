"""News between processes: «something changed», never what.

A topic and an event name travel through Valkey after the commit. Whoever shows the
thing fetches its fragment by the ordinary guarded route. A lost event costs only
freshness, for every live region also polls slowly.
"""

from __future__ import annotations

import json
import uuid

import structlog
from redis.exceptions import RedisError

from portal.core import broker

log = structlog.get_logger(__name__)


def channel() -> str:
    """Where this portal's news travels.

    Channels ignore the number of a database, so the name carries it: portals that share a
    broker do not hear each other.
    """
    return f"portal:events:{broker.database_number()}"


def project_topic(project_id: uuid.UUID) -> str:
    """The topic of all that happens in a project."""
    return f"project:{project_id}"


def run_topic(run_id: uuid.UUID) -> str:
    """The topic of one run: its state, steps and log lines."""
    return f"run:{run_id}"


def publish(topic: str, event: str, item_id: uuid.UUID | None = None) -> None:
    """Tell every process that `event` happened under `topic`. A broker that is away is logged, not raised."""
    message = {"topic": topic, "event": event, "id": str(item_id) if item_id else None}
    try:
        broker.client().publish(channel(), json.dumps(message))
    except RedisError as error:
        log.warning("event_not_sent", event_name=event, topic=topic, reason=type(error).__name__)
