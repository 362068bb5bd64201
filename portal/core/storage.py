"""Where files are kept: a folder now, another store later behind the same five deeds.

Keys are relative paths that the portal itself makes from ids; a key that leaves the
folder is refused.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import BinaryIO

from portal.core.errors import Unavailable
from portal.core.text import N_

BUSY = N_("Another worker still writes this file.")

_root: Path | None = None


def configure(root: Path) -> None:
    """Give the folder of all stored files. The factory calls this once."""
    global _root
    _root = root


def _locate(key: str) -> Path:
    if _root is None:
        raise RuntimeError("storage is not configured")
    path = (_root / key).resolve()
    if not path.is_relative_to(_root.resolve()):
        raise ValueError("a storage key may not leave the storage folder")
    return path


def open_for_append(key: str, *, keep: int) -> BinaryIO:
    """Open `key` for writing after its first `keep` bytes; what stood behind them is cut off.

    This is how a resumed job drops the half batch of its killed predecessor. The file is
    locked until it is closed: a predecessor that was only paused must not write into it.
    Raises OSError (no space, no permission), Unavailable while somebody else writes it.
    """
    path = _locate(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("r+b" if path.exists() else "w+b")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as busy:
        stream.close()
        raise Unavailable(BUSY) from busy
    stream.truncate(keep)
    stream.seek(keep)
    return stream


def open_for_read(key: str) -> BinaryIO:
    """Open `key` for reading. Raises FileNotFoundError."""
    return _locate(key).open("rb")


def size(key: str) -> int:
    """Bytes of `key`. Raises FileNotFoundError."""
    return _locate(key).stat().st_size


def exists(key: str) -> bool:
    """Whether something is stored under `key`."""
    return _locate(key).is_file()


def delete(key: str) -> None:
    """Remove `key`; a missing one is no error."""
    _locate(key).unlink(missing_ok=True)
