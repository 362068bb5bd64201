"""Servers given by address: whether they are there, and whether they will do."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg
import redis

from config.services.errors import ServiceError

OLDEST_POSTGRES = 15
PATIENCE = 5  # seconds


def plain_database_url(url: str) -> str:
    """`url` as libpq and SQLAlchemy both read it: `postgresql://…`, without a driver."""
    return "postgresql://" + url.split("://", 1)[1]


def check_database(url: str) -> None:
    """Log in once. Raises: ServiceError when nothing answers, it refuses us, or it is older than 15."""
    try:
        with psycopg.connect(plain_database_url(url), connect_timeout=PATIENCE) as connection:
            version = connection.info.server_version // 10000
    except psycopg.Error as error:
        raise ServiceError(
            f"DATABASE_URL: no connection to PostgreSQL at {_place(url)}: {_reason(error)}"
        ) from error
    if version < OLDEST_POSTGRES:
        raise ServiceError(
            f"DATABASE_URL: {_place(url)} is PostgreSQL {version}; {OLDEST_POSTGRES} or newer is needed."
        )


def check_redis(url: str) -> None:
    """Ask once. Raises: ServiceError when nothing answers or it refuses us."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise ServiceError(
            f"REDIS_URL: no connection to Valkey or Redis at {_place(url)}: {_reason(error)}"
        ) from error


def _place(url: str) -> str:
    """Host and port, or the socket: never the password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path


def _reason(error: Exception) -> str:
    """The last line that is no hint."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [
        line
        for line in lines
        if line and not line.startswith(("Is the server running", "Multiple connection"))
    ]
    return told[-1] if told else type(error).__name__
