"""One set of private servers per data folder, whoever starts it first.

`state/servers.lock` is held by the process that started them, as long as they
run: whoever gets it may clear up what an earlier start left. `state/users.lock`
is shared by commands that merely use the servers; a command that started them
takes it alone before it stops them, so it never pulls them from under another.
`state/servers.json` tells where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from config.services import places, processes, valkey
from config.services.addresses import Found
from config.services.errors import ServiceError, plain_errors
from config.services.external import check_database, check_redis
from config.services.folder import ensure_data_dir, read_json, write_json
from config.services.locks import FileLock
from config.services.postgres import Postgres, Say
from config.services.valkey import Valkey


class Server(Protocol):
    """What PostgreSQL and Valkey have in common."""

    name: str

    def alive(self) -> bool:
        """Whether it runs."""

    def start(self) -> None:
        """Start it and wait until it answers."""

    def stop(self) -> None:
        """Stop it."""


def servers_lock(data_dir: Path) -> FileLock:
    """Held by whoever runs the private servers of this data folder."""
    return FileLock(data_dir / "state" / "servers.lock")


def users_lock(data_dir: Path) -> FileLock:
    """Shared by the commands that use them."""
    return FileLock(data_dir / "state" / "users.lock")


class PrivateServers:
    """The servers that this process runs: those that `given` lacks.

    The caller holds `servers_lock`, here `lock`; `stop` gives it back.
    """

    def __init__(self, data_dir: Path, given: Found, lock: FileLock, *, durable: bool, say: Say) -> None:
        self._state = ensure_data_dir(data_dir) / "state" / "servers.json"
        self._lock, self._say = lock, say
        _clear_up(self._state)
        self._places = places.find(data_dir, durable=durable)
        self._servers: list[Server] = []
        try:
            self._postgres = None if given.database_url else Postgres(self._places, durable=durable, say=say)
            self._valkey = None if given.redis_url else Valkey(self._places)
            self._servers = [server for server in (self._postgres, self._valkey) if server]
            self._note()  # before anything runs, so that the next start knows the runtime folder
            self._start(self._servers)
        except BaseException:
            self.stop()
            raise

    def found(self) -> Found:
        """Where they answer; None for what is not run here."""
        return Found(
            self._postgres.url if self._postgres else None, self._valkey.url if self._valkey else None
        )

    def revive(self) -> list[str]:
        """Start those again that have died, at the same address; returns their names.

        Raises: ServiceError when one does not start again.
        """
        dead = [server for server in self._servers if not server.alive()]
        for server in dead:
            self._say(f"{server.name} has ended unexpectedly; starting it again.")
        self._start(dead)
        return [server.name for server in dead]

    def stop(self) -> None:
        """Stop them, remove their sockets, let go of the lock. Harmless when repeated."""
        for server in reversed(self._servers):
            server.stop()
        places.forget(self._places)
        self._state.unlink(missing_ok=True)
        self._lock.release()

    def _start(self, servers: list[Server]) -> None:
        for server in servers:
            server.start()
            self._note()

    def _note(self) -> None:
        found = self.found()
        values = {
            "runtime": str(self._places.runtime),
            "database_url": found.database_url,
            "redis_url": found.redis_url,
            "valkey": self._valkey.identity if self._valkey else None,
        }
        with plain_errors(self._places.data_dir):
            write_json(self._state, values)


def noted(data_dir: Path) -> Found | None:
    """What the servers of this data folder are to answer at; None when nobody runs any."""
    state = read_json(data_dir / "state" / "servers.json")
    return Found(state.get("database_url"), state.get("redis_url")) if state else None


def answering(found: Found) -> Found:
    """Those of `found` that answer right now."""
    return Found(_tried(check_database, found.database_url), _tried(check_redis, found.redis_url))


def _tried(check: Callable[[str], None], url: str | None) -> str | None:
    try:
        if url:
            check(url)
    except ServiceError:
        return None
    return url


def _clear_up(state: Path) -> None:
    """End the Valkey and remove the sockets of a start that was killed (postgres.py sees to its own)."""
    left = read_json(state)
    pid, started = left.get("valkey") or (None, None)
    processes.end_strangers(processes.find(pid, started), valkey.STOP)
    if runtime := left.get("runtime"):
        places.forget_runtime(Path(runtime))
    state.unlink(missing_ok=True)
