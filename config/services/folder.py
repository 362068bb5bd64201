"""The data folder: made private, explained to whoever opens it, checked for room.

<PORTAL_DATA_DIR>/
  README                    marks the folder as ours
  secret_key, primary_encryption_key
  postgres/                 see postgres.py (as root it may be a link, see places.py)
  log/                      what the servers say while they start
  state/                    locks, and where running servers are
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from config.services.errors import ServiceError, plain_errors

README = """\
This folder holds the whole state of one Lightning Portal: its database, its
keys and its files. Keep its parts together, and back it up while the portal is
stopped. Without the two key files the secrets in the database cannot be read.
"""


def ensure_data_dir(path: Path) -> Path:
    """Make the data folder (mode 0700) and its parts; returns `path`.

    A folder that exists keeps its mode. One that is empty becomes ours, which
    the README marks: only a folder with that mark is ever regrouped for the
    PostgreSQL account (places.py).

    Raises: ServiceError when it cannot be made or written.
    """
    with plain_errors(path):
        if not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
        readme = path / "README"
        if not readme.exists() and not any(path.iterdir()):
            readme.write_text(README)
        for part in ("state", "log"):
            (path / part).mkdir(mode=0o700, exist_ok=True)
        _try_to_write(path)
    return path


def is_ours(path: Path) -> bool:
    """Whether `ensure_data_dir` made this folder, or found it empty."""
    readme = path / "README"
    return readme.is_file() and readme.read_text(errors="replace") == README


def need_space(path: Path, megabytes: int) -> None:
    """Raise ServiceError when the disk of `path` has less than `megabytes` (1,000,000 bytes) free."""
    with plain_errors(path):
        free = shutil.disk_usage(path).free // 1_000_000
    if free < megabytes:
        raise ServiceError(
            f"No space left on the disk of {path}: {free} MB free, {megabytes} MB needed. "
            "Free some, or set PORTAL_DATA_DIR to another disk."
        )


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace `path` (mode 0600) by `value` in one step, so that a reader never sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        json.dump(value, file)
    Path(name).replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`; empty when the file is missing or damaged."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _try_to_write(path: Path) -> None:
    """Root may be refused too (read-only disk, full disk), so modes are not enough: write."""
    with tempfile.NamedTemporaryFile(dir=path / "state") as file:
        file.write(b"\0" * 4096)
        file.flush()
