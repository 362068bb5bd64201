"""The one connection pool to Valkey or Redis: queue, events, rate counters share it."""

from __future__ import annotations

from redis import Redis

_url: str | None = None
_client: Redis | None = None


def configure(url: str) -> None:
    """Give the address; connections are opened when first needed. The factory calls this once."""
    global _url, _client
    _url, _client = url, None


def client() -> Redis:
    """The shared client. Its time-outs are short: a page never waits long for the broker."""
    global _client
    if _client is None:
        if _url is None:
            raise RuntimeError("the broker is not configured")
        _client = Redis.from_url(
            _url, socket_connect_timeout=0.25, socket_timeout=5, health_check_interval=30
        )
    return _client


def database_number() -> int:
    """The numbered database of the broker that this portal uses."""
    return int(client().connection_pool.connection_kwargs.get("db") or 0)


def url() -> str:
    """The configured address. Raises RuntimeError before `configure`."""
    if _url is None:
        raise RuntimeError("the broker is not configured")
    return _url
