"""The one error of this package."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ServiceError(Exception):
    """A server cannot be had; `str(error)` is one line for people that says what to do."""


@contextmanager
def plain_errors(folder: Path) -> Iterator[None]:
    """Turn operating system errors about `folder` into one clear line.

    Raises: ServiceError for a full disk, missing rights and any other OSError.
    """
    try:
        yield
    except OSError as error:
        raise ServiceError(_line(error, folder)) from error


def _line(error: OSError, folder: Path) -> str:
    place = error.filename or folder
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"No space left on the disk of {folder}: free some, or set PORTAL_DATA_DIR to another disk."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{place} cannot be used by this user ({error.strerror}): "
            "start as the user that owns it, or set PORTAL_DATA_DIR to another folder."
        )
    return f"{place}: {error.strerror or error}"
