"""Locks on files: the kernel lets go of them when a process ends, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class FileLock:
    """A lock on `path`, exclusive or shared, with a note of its holder for people.

    It is held until `release()` or the end of the process; children that are
    started with another program do not inherit it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(
        self, *, shared: bool = False, patience: float = 0, waiting: Callable[[], None] | None = None
    ) -> bool:
        """Take the lock, trying for `patience` seconds; False when someone else keeps it.

        `waiting` is called once, when the first try fails and there is patience left.
        A lock that is held already is converted (shared to exclusive and back).
        """
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        deadline = time.monotonic() + patience
        told = False
        while True:
            try:
                fcntl.flock(self._file, mode)
                return True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
            if waiting and not told:
                waiting()
                told = True
            time.sleep(0.1)

    def note(self, **values: Any) -> None:
        """Write who holds the lock; only its holder calls this."""
        if self._file is None:
            raise RuntimeError("note() needs the lock")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(values).encode(), 0)

    def holder(self) -> dict[str, Any]:
        """What the holder noted; empty when it has not (yet)."""
        try:
            value = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def release(self) -> None:
        """Let go; harmless when the lock is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
