"""Answers kept for a while in the broker: figures that many look at, and that may be a minute old.

Never the only place of anything. A broker that is away costs the work again, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from redis.exceptions import RedisError

from portal.core import broker

log = structlog.get_logger(__name__)

PREFIX = "portal:cache:"


def kept(name: str, seconds: float, make: Callable[[], Any]) -> Any:
    """What `make` answered under `name` within the last `seconds`, else its answer now (JSON values)."""
    found = recall([name])[0]
    if found is None:
        found = make()
        keep(name, found, seconds)
    return found


def recall(names: Sequence[str]) -> list[Any]:
    """What is kept under each of `names`, in one round trip; None where there is nothing."""
    if not names:
        return []
    try:
        found = broker.client().mget([PREFIX + name for name in names])
    except RedisError as error:
        log.warning("cache_not_read", reason=type(error).__name__)
        return [None] * len(names)
    return [None if text is None else json.loads(text) for text in found]


def keep(name: str, value: Any, seconds: float) -> None:
    """Keep a JSON value under `name` for `seconds`."""
    try:
        broker.client().set(PREFIX + name, json.dumps(value), px=max(1, round(seconds * 1000)))
    except RedisError as error:
        log.warning("cache_not_written", reason=type(error).__name__)
