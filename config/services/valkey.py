"""A private Valkey 9: the queue's messenger, rate limits, events between processes.

It keeps nothing on disk on purpose: what must not be lost stands in PostgreSQL.
It never evicts (a queue that loses entries silently is worse than an error).
"""

from __future__ import annotations

import signal
import subprocess
import time
from urllib.parse import quote

import redis

from config.services import processes
from config.services.binaries import valkey_program
from config.services.errors import ServiceError, plain_errors
from config.services.places import Places

START_PATIENCE = 30.0  # seconds
STOP = ((signal.SIGTERM, 5.0),)
OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",
    "loglevel": "warning",
    "enable-debug-command": "no",
    "enable-module-command": "no",
}


class Valkey:
    """One private server; `start` may be called again after it has died, at the same address."""

    name = "Valkey"

    def __init__(self, places: Places) -> None:
        self.places = places
        self.program = valkey_program(places.account)
        self.socket = places.runtime / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`unix://…`: database 0, over the socket."""
        return f"unix://{quote(str(self.socket), safe='/')}?db=0"

    @property
    def identity(self) -> tuple[int, float | None] | None:
        """Number and start time of the process, by which a later start finds one left behind."""
        return (self._process.pid, processes.identity(self._process.pid)) if self._process else None

    def alive(self) -> bool:
        """Whether the server we started has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers. Raises: ServiceError with the server's own reason."""
        options = {**OPTIONS, "unixsocket": str(self.socket), "dir": str(self.places.runtime)}
        command = [
            str(self.program),
            *(word for name, value in options.items() for word in (f"--{name}", value)),
        ]
        with plain_errors(self.places.data_dir):
            self.socket.unlink(missing_ok=True)
            with self.places.start_log("valkey").open("wb") as log:
                self._process = processes.spawn(
                    command, self.places.account, log=log, death_signal=signal.SIGTERM
                )
        self._wait()

    def stop(self) -> None:
        """Stop the server; what it held is gone."""
        if self._process is not None:
            processes.end(self._process, STOP)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_PATIENCE
        with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    if not self.alive() or time.monotonic() > deadline:
                        break
                    time.sleep(0.02)
        self.stop()
        lines = self.places.start_log("valkey").read_text(errors="replace").strip().splitlines()
        raise ServiceError(f"Valkey did not start: {lines[-1] if lines else 'no reason given'}")
