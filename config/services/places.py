"""Where the private servers keep their things, for ordinary users and for root.

`home` is PostgreSQL's folder: our settings, its data and its logs. It is
`<data folder>/postgres`. Started by root, PostgreSQL runs as another account
(account.py), which must reach its data, and no folder above ours is ever
loosened for that:

- Its own way in: when that account reaches the data folder's parents, the data
  folder (only if it is marked as ours) gets that account's group and mode 0710:
  pass through, no listing. Everything else in it stays closed by its own mode.
- Else (a clone below /root): `home` is a new folder of its own below
  /var/lib/lightning-portal, and `<data folder>/postgres` is a link to it. The
  link is the record: it moves along with the data folder, and removing it
  forgets the database, as removing the folder would.

`runtime` holds the sockets: a new folder below /tmp (socket paths are limited
to about 100 characters) that only the servers' account and root may enter. That
is the whole access control: no port is opened and no password is needed.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from config.services import account as accounts
from config.services.account import Account
from config.services.binaries import SYSTEM_HOME
from config.services.errors import ServiceError, plain_errors
from config.services.folder import is_ours

RUNTIME_PREFIX = "lightning-portal-"


@dataclass(frozen=True)
class Places:
    """The folders of one start; `home` belongs to us, `data` and `server_log` below it to the account."""

    account: Account
    data_dir: Path
    home: Path
    runtime: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder (the cluster)."""
        return self.home / "data"

    @property
    def server_log(self) -> Path:
        """The folder of PostgreSQL's rotated log."""
        return self.home / "log"

    def start_log(self, server: str) -> Path:
        """The file with what `server` says before it has opened its own log."""
        return self.data_dir / "log" / f"{server}.log"


def find(data_dir: Path, *, durable: bool) -> Places:
    """Settle account and folders for the servers of `data_dir`, and make them.

    Not durable means for tests: where a durable home would have to lie below
    /var/lib it lies in the runtime folder, and goes with it.

    Raises: ServiceError when the cluster cannot be reached or a folder cannot be made.
    """
    link = data_dir / "postgres"
    with plain_errors(data_dir):
        account = accounts.choose(link / "data")
        runtime = _runtime(account)
        try:
            if not durable and link.is_symlink() and not link.exists():
                link.unlink()  # the throwaway home of a start that was killed
            home = _home(link, account, runtime, durable=durable)
        except BaseException:
            forget_runtime(runtime)
            raise
    return Places(account, data_dir, home, runtime)


def forget(places: Places) -> None:
    """Remove the runtime folder after a stop, and the link to a home that lay in it."""
    forget_runtime(places.runtime)
    link = places.data_dir / "postgres"
    if places.home.is_relative_to(places.runtime):
        link.unlink(missing_ok=True)


def forget_runtime(path: Path) -> None:
    """Remove a runtime folder; anything that does not look like one is left alone."""
    if path.name.startswith(RUNTIME_PREFIX) and path.parent == _short_folder():
        shutil.rmtree(path, ignore_errors=True)


def _home(link: Path, account: Account, runtime: Path, *, durable: bool) -> Path:
    if link.is_symlink() and not link.exists():
        raise ServiceError(
            f"The data folder is broken: the database that {link} points to ({link.readlink()}) is gone. "
            "Restore it, or remove the link to start empty."
        )
    if not link.exists():
        _make_home(link, account, runtime, durable=durable)
    home = link.resolve()
    _let_in(link.parent, account)
    if not account.reaches(home):
        raise ServiceError(
            f"{home} cannot be reached by the user '{account.name}' that runs PostgreSQL for root: "
            "a folder above it is closed. Move the data folder and set PORTAL_DATA_DIR, "
            "or start as an ordinary user."
        )
    return home


def _make_home(link: Path, account: Account, runtime: Path, *, durable: bool) -> None:
    _let_in(link.parent, account)
    if account.reaches(link.parent):
        link.mkdir(mode=0o700)
        _share(link, account)
        return
    if durable:
        (SYSTEM_HOME / "databases").mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", link.parent.parent.name) or "portal"
        home = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=SYSTEM_HOME / "databases"))
    else:
        home = runtime / "postgres"
        home.mkdir(mode=0o700)
    _share(home, account)
    link.symlink_to(home)


def _let_in(data_dir: Path, account: Account) -> None:
    """Let the account pass through the data folder, when nothing but the folder itself stands in its way."""
    if account.reaches(data_dir) or not account.reaches(data_dir.parent) or not is_ours(data_dir):
        return
    _share(data_dir, account)


def _share(folder: Path, account: Account) -> None:
    """Pass, but do not list or write: what root writes here the account cannot swap for something else."""
    if account.switch:
        shutil.chown(folder, group=account.gid)
        folder.chmod(0o710)


def _runtime(account: Account) -> Path:
    path = Path(tempfile.mkdtemp(prefix=RUNTIME_PREFIX, dir=_short_folder()))
    account.own(path)
    return path


def _short_folder() -> Path:
    """Mostly not $TMPDIR, which may be too long for a socket path or closed to the servers' account."""
    usual = Path("/tmp")  # noqa: S108 - only the parent of folders with random names and tight modes
    return usual if usual.is_dir() else Path(tempfile.gettempdir())
