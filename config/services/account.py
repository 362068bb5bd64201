"""The operating system account that the private servers run as.

PostgreSQL refuses to run as root, and is right. Started by an ordinary user,
the servers run as that user. Started by root they run as, first found:

1. the owner of the existing cluster, when that is not root (a portal that was
   first started by an ordinary user stays theirs),
2. `lightning-portal`, 3. `postgres`,
4. a new system account `lightning-portal`, without a log-in and a home.

`nobody` is never taken: whatever else runs as nobody could read the database.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.services.errors import ServiceError

OURS = "lightning-portal"
ACCEPTED = (OURS, "postgres")


@dataclass(frozen=True)
class Account:
    """A user and group id; `switch` says that we are another user (root) and must change to it."""

    uid: int
    gid: int
    switch: bool

    @property
    def name(self) -> str:
        """The account's name, or its number when it has none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    def popen_options(self) -> dict[str, Any]:
        """Arguments of `subprocess` that run a program as this account, with no further groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def reaches(self, path: Path) -> bool:
        """Whether this account may enter the folder, or run the file, `path`.

        Asked by trying, as that account: modes alone would miss access lists.
        """
        if not self.switch:
            return os.access(path, os.X_OK)
        return self._run(["test", "-x", str(path)]) == 0

    def own(self, path: Path) -> None:
        """Give `path` to this account (nothing to do when it is our own)."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def _run(self, command: list[str]) -> int:
        try:
            return subprocess.run(
                command, check=False, cwd="/", capture_output=True, **self.popen_options()
            ).returncode
        except OSError as error:
            raise ServiceError(
                f"Root cannot become the user {self.name} here ({error.strerror}): "
                "start as an ordinary user, or set DATABASE_URL and REDIS_URL."
            ) from error


def choose(cluster: Path | None = None) -> Account:
    """The account for the servers; `cluster` is the existing data folder of PostgreSQL, if any.

    Raises: ServiceError when root has no account to use and cannot make one.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    if cluster is not None and cluster.is_dir():
        owner = cluster.stat()
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid, switch=True)
    for name in ACCEPTED:
        if account := _named(name):
            return account
    return _create()


def _named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def _create() -> Account:
    useradd = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")
    if useradd:
        command = [
            useradd,
            "--system",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            OURS,
        ]
        subprocess.run(command, check=False, capture_output=True)
        if account := _named(OURS):
            return account
    raise ServiceError(
        f"PostgreSQL does not run as root, and no user '{OURS}' or 'postgres' could be found or made: "
        "start as an ordinary user, or set DATABASE_URL and REDIS_URL."
    )
