"""A private PostgreSQL 18: made once, started, recovered, stopped.

    postgres/
      postgresql.conf   ours, written anew at each start
      local.conf        yours, read last, if you make one
      data/             the cluster
      log/              the server's log, one file per weekday

The portal's role `portal` owns the database `portal` and may make further
databases (tests do); it is no superuser, so an SQL injection cannot reach
files or programs. There is no TCP port: the socket stands in a folder that
other users cannot enter (places.py).
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from config.services import processes
from config.services.binaries import POSTGRES_MAJOR, postgres_programs
from config.services.errors import ServiceError, plain_errors
from config.services.folder import need_space
from config.services.places import Places

START_PATIENCE = 1800.0  # seconds; crash recovery after a bulk load takes minutes
FAST_STOP = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))
INSTANT_STOP = ((signal.SIGQUIT, 10.0),)

Say = Callable[[str], None]

CONFIGURATION = """\
# Written by Lightning Portal at each start. Put settings of your own into local.conf beside this file.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
random_page_cost = 1.1
max_wal_size = 2GB
wal_compression = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_line_prefix = '%m [%p] %a '
log_min_duration_statement = 2s
"""
# For tests: what a crash of the machine would cost is of no interest there.
THROWAWAY = """\
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
"""


class Postgres:
    """One private server; `start` may be called again after it has died, at the same address."""

    name = "PostgreSQL"

    def __init__(self, places: Places, *, durable: bool, say: Say) -> None:
        self.places, self.durable, self.say = places, durable, say
        self.programs = postgres_programs(places.account)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`postgresql://…`: the role and database of the portal, over the socket."""
        return f"postgresql://portal@/portal?host={quote(str(self.places.runtime), safe='/')}"

    def alive(self) -> bool:
        """Whether the server we started has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Make the cluster if there is none, start the server, and wait until it answers.

        Raises: ServiceError with the server's own reason when it does not start.
        """
        with plain_errors(self.places.data_dir):
            self._make_cluster()
            self._check_cluster()
            self.end_leftovers()
            self._configure()
            self._launch()
            self._wait()
        self._make_database()

    def stop(self) -> None:
        """Stop the server: open transactions are rolled back, the disk is left tidy (when durable)."""
        if self._process is not None:
            processes.end(self._process, FAST_STOP if self.durable else INSTANT_STOP)

    def end_leftovers(self) -> None:
        """Stop servers on this cluster that an earlier start left, and forget their pid file.

        PostgreSQL itself would refuse to start when the number in a stale pid
        file belongs to any other process of its user, as after a reboot.
        Only the holder of the start lock may call this.
        """
        data = self.places.data.resolve()
        if found := processes.working_in(data):
            self.say("Stopping a PostgreSQL that an earlier start left running …")
            processes.end_strangers(found, FAST_STOP)
        (data / "postmaster.pid").unlink(missing_ok=True)

    def _make_cluster(self) -> None:
        """Run initdb beside the final name, then rename: a start cut short leaves no half cluster."""
        if self.places.data.exists():
            return
        need_space(self.places.home, 200)
        fresh = self.places.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        for folder in (fresh, self.places.server_log):
            folder.mkdir(mode=0o700, exist_ok=True)
            self.places.account.own(folder)
        command = [
            str(self.programs.initdb),
            "-D",
            str(fresh),
            *INITDB_OPTIONS,
            *([] if self.durable else ["--no-sync"]),
        ]
        with self.places.start_log("postgres").open("wb") as log:
            code = processes.spawn(command, self.places.account, log=log, death_signal=signal.SIGKILL).wait()
        if code != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise self._failure("PostgreSQL could not make its data folder")
        fresh.rename(self.places.data)

    def _check_cluster(self) -> None:
        data, mark = self.places.data, self.places.data / "PG_VERSION"
        need_space(self.places.home, 50)
        if not mark.is_file() or not (data / "global" / "pg_control").is_file():
            lost = "global/pg_control" if mark.is_file() else "PG_VERSION"
            raise ServiceError(
                f"The data folder is broken: {data / lost} is missing. "
                f"Restore a back-up, or move {self.places.data_dir} away to start empty."
            )
        if (major := mark.read_text().strip()) != POSTGRES_MAJOR:
            raise ServiceError(
                f"The data folder {data} belongs to PostgreSQL {major}, this portal brings {POSTGRES_MAJOR}: "
                "upgrade it with pg_upgrade, or set DATABASE_URL to a server of your own."
            )

    def _configure(self) -> None:
        """The settings lie outside the cluster, in a folder that only we write: see places.py."""
        local = self.places.home / "local.conf"
        lines = CONFIGURATION + f"log_directory = {_quoted(self.places.server_log)}\n"
        if not _room_for_shared_memory():
            lines += "dynamic_shared_memory_type = mmap\n"
        if not self.durable:
            lines += THROWAWAY
        path = self.places.home / "postgresql.conf"
        path.write_text(f"{lines}include_if_exists = {_quoted(local)}\n")
        path.chmod(0o644)

    def _launch(self) -> None:
        self._logged = {path: path.stat().st_size for path in self.places.server_log.glob("*.log")}
        command = [
            str(self.programs.postgres),
            *("-D", str(self.places.data.resolve())),
            *("-c", f"config_file={self.places.home / 'postgresql.conf'}"),
            *("-k", str(self.places.runtime)),
        ]
        with self.places.start_log("postgres").open("wb") as log:
            self._process = processes.spawn(command, self.places.account, log=log, death_signal=signal.SIGINT)

    def _wait(self) -> None:
        began = time.monotonic()
        tell_at = 5.0
        while not self._answers():
            waited = time.monotonic() - began
            if not self.alive():
                raise self._failure("PostgreSQL did not start")
            if waited > START_PATIENCE:
                self.stop()
                raise self._failure(f"PostgreSQL did not start within {START_PATIENCE:.0f} s")
            if waited > tell_at:
                self.say(
                    f"PostgreSQL is still starting (it may be recovering from a hard stop): {waited:.0f} s …"
                )
                tell_at += 10
            time.sleep(0.02 if waited < 1 else 0.2)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.places.runtime),
            user="postgres",
            dbname="postgres",
            autocommit=True,
            connect_timeout=10,
        )

    def _make_database(self) -> None:
        with self._connect() as connection:
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = 'portal'").rowcount:
                connection.execute("CREATE ROLE portal LOGIN CREATEDB")
            if not connection.execute("SELECT FROM pg_database WHERE datname = 'portal'").rowcount:
                connection.execute(sql.SQL("CREATE DATABASE portal OWNER portal"))

    def _failure(self, what: str) -> ServiceError:
        """`what`, followed by the last reason that the server gave in this start."""
        text = self.places.start_log("postgres").read_text(errors="replace") + self._new_log()
        if "No space left on device" in text:
            return ServiceError(
                f"{what}: no space left on the disk of {self.places.home}. Free some and start again."
            )
        # Mistakes in a configuration file are told as LOG, and only their number as FATAL.
        reasons = re.findall(r"(?:LOG: +(?=.* in file )|(?:FATAL|PANIC|error): +)(.+)", text)
        told = [reason for reason in reasons if not re.search("database system is|contains errors", reason)]
        logs = f"{self.places.data_dir / 'log'} and {self.places.server_log}"
        return ServiceError(f"{what}: {told[-1] if told else 'no reason given'} (logs: {logs})")

    def _new_log(self) -> str:
        parts = []
        for path in sorted(self.places.server_log.glob("*.log"), key=lambda found: found.stat().st_mtime):
            before = getattr(self, "_logged", {}).get(path, 0)
            with path.open("rb") as file:
                file.seek(before if before <= path.stat().st_size else 0)
                parts.append(file.read().decode(errors="replace"))
        return "".join(parts)


INITDB_OPTIONS = (
    *("--username", "postgres", "--auth-local", "trust", "--auth-host", "reject"),
    *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
    *("--data-checksums", "--no-instructions"),
)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("\\", "\\\\").replace("'", "''") + "'"


def _room_for_shared_memory() -> bool:
    """Containers often have a /dev/shm of 64 MB, too small for a parallel hash join."""
    shared = Path("/dev/shm")  # noqa: S108 - only asked for its size
    return not shared.is_dir() or shutil.disk_usage(shared).free > 256_000_000
