"""Where the two servers answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Addresses:
    """Addresses for the rest of the portal.

    database_url: `postgresql://…`, for psycopg as it stands.
    redis_url: `redis://…`, `rediss://…` or `unix://…`, for `redis.Redis.from_url`.
    """

    database_url: str
    redis_url: str


@dataclass(frozen=True)
class Found:
    """The same while either may be missing."""

    database_url: str | None = None
    redis_url: str | None = None

    def filled_by(self, other: Found) -> Found:
        """This one, with what it lacks taken from `other`."""
        return Found(self.database_url or other.database_url, self.redis_url or other.redis_url)

    def complete(self) -> Addresses | None:
        """Both addresses, or None while one is missing."""
        if self.database_url is None or self.redis_url is None:
            return None
        return Addresses(self.database_url, self.redis_url)
