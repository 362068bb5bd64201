"""PostgreSQL and Valkey: the ones given by DATABASE_URL and REDIS_URL, or private ones of our own.

- `connect(settings)` for commands: uses what is given or running, else starts
  private servers for as long as this process lives.
- `start(settings)` for the supervisor and for tests: runs them until `.stop()`.

Both raise `ServiceError`, whose text is one line for people. Call both from
the main thread: the kernel ends private servers together with the thread that
started them.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from config.services.addresses import Addresses, Found
from config.services.errors import ServiceError
from config.services.external import check_database, check_redis, plain_database_url
from config.services.folder import ensure_data_dir
from config.services.locks import FileLock
from config.services.postgres import Say
from config.services.private import PrivateServers, answering, noted, servers_lock, users_lock
from config.settings import Settings

__all__ = ["Addresses", "ServiceError", "Services", "connect", "start"]

CONNECT_PATIENCE = 1800.0  # seconds that a command waits for servers which another one is starting
_connected: dict[tuple[Path, Found], Addresses] = {}


def _tell(line: str) -> None:
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


class Services:
    """The servers of one portal, given and private; made by `start`."""

    def __init__(self, addresses: Addresses, private: PrivateServers | None) -> None:
        self.addresses = addresses
        self._private = private

    def revive(self) -> list[str]:
        """Start private servers again that have died, at the same addresses; returns their names.

        Raises: ServiceError when one does not start again.
        """
        return self._private.revive() if self._private else []

    def stop(self) -> None:
        """Stop the private servers (those given by address are not ours to stop). Harmless when repeated."""
        if self._private:
            self._private.stop()


def start(settings: Settings, *, durable: bool = True, patience: float = 0, say: Say = _tell) -> Services:
    """Start what the settings do not give, and check what they do.

    durable: False for tests; a crash of the machine may then cost the data, and
        where root cannot share the data folder with PostgreSQL's account, so does `stop`.
    patience: seconds to wait for another command that runs the servers of this data folder.
    say: told a line when something takes long or was left over.

    Raises: ServiceError.
    """
    given = _given(settings)
    if addresses := given.complete():
        return Services(addresses, None)
    data_dir = ensure_data_dir(settings.portal_data_dir)
    lock = servers_lock(data_dir)
    who = f"another command of this portal (pid {lock.holder().get('pid', '?')})"
    if not lock.acquire(patience=patience, waiting=lambda: say(f"Waiting for {who} to finish …")):
        raise ServiceError(f"The database in {data_dir} is in use by {who}: stop it first.")
    private = _run(data_dir, given, lock, durable=durable, say=say)
    return Services(_both(given.filled_by(private.found())), private)


def connect(settings: Settings, *, say: Say = _tell) -> Addresses:
    """Addresses of the servers, for a command such as `portal projects import`.

    Uses those given by the settings, else those that run for this data folder
    (`portal up` or another command started them), else starts them and stops
    them when this process ends. Repeated calls answer the same.

    Raises: ServiceError.
    """
    given = _given(settings)
    key = (settings.portal_data_dir, given)
    if key not in _connected:
        _connected[key] = given.complete() or _join(ensure_data_dir(settings.portal_data_dir), given, say)
    return _connected[key]


def _given(settings: Settings) -> Found:
    if settings.database_url:
        check_database(settings.database_url)
    if settings.redis_url:
        check_redis(settings.redis_url)
    plain = plain_database_url(settings.database_url) if settings.database_url else None
    return Found(plain, settings.redis_url)


def _join(data_dir: Path, given: Found, say: Say) -> Addresses:
    users, servers = users_lock(data_dir), servers_lock(data_dir)
    deadline = time.monotonic() + CONNECT_PATIENCE
    while users.acquire(shared=True, patience=deadline - time.monotonic()):
        if servers.acquire():
            private = _run(data_dir, given, servers, durable=True, say=say)
            atexit.register(_leave, private, users, os.getpid(), say)
            return _both(given.filled_by(private.found()))
        if addresses := _those_running(data_dir, given):
            return addresses
        users.release()  # whoever runs the servers may be waiting for us to go
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    raise ServiceError(
        f"The servers of {data_dir} run in another process (see state/servers.lock) but do not answer."
    )


def _those_running(data_dir: Path, given: Found) -> Addresses | None:
    """What another process runs, once it answers; None while it is starting or stopping.

    Raises: ServiceError when it runs fewer servers than we need.
    """
    found = noted(data_dir)
    if found is None:
        return None
    if given.filled_by(found).complete() is None:
        raise ServiceError(
            "The portal on this data folder was started with DATABASE_URL or REDIS_URL: set them here too."
        )
    return given.filled_by(answering(found)).complete()


def _run(data_dir: Path, given: Found, lock: FileLock, *, durable: bool, say: Say) -> PrivateServers:
    lock.note(pid=os.getpid())
    try:
        return PrivateServers(data_dir, given, lock, durable=durable, say=say)
    except BaseException:
        lock.release()
        raise


def _leave(private: PrivateServers, users: FileLock, owner: int, say: Say) -> None:
    """Stop the servers once no other command uses them."""
    if os.getpid() != owner:  # a forked child inherits exit handlers, not servers
        return
    try:
        users.acquire(
            patience=float("inf"), waiting=lambda: say("Waiting for other commands that use the database …")
        )
    finally:
        private.stop()


def _both(found: Found) -> Addresses:
    addresses = found.complete()
    if addresses is None:
        raise RuntimeError("a server was neither given nor started")
    return addresses
