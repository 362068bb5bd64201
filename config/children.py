"""The processes that the supervisor starts, and how each is stopped and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.services import processes
from config.services.errors import ServiceError
from config.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
WEB_GRACE = 20  # seconds that a request may still take after a stop was asked for
SHORT_LIFE = 10.0  # seconds; a child that ends sooner has "died at once"
DEATHS_ALLOWED = 5  # at once, one after the other
LONGEST_PAUSE = 30.0  # seconds between two starts


@dataclass(frozen=True)
class Program:
    """What to run and how to stop it.

    stop: signals, each with the seconds to wait after it; SIGKILL follows by itself.
    """

    name: str
    command: Sequence[str]
    stop: tuple[tuple[signal.Signals, float], ...]


def programs(settings: Settings) -> list[Program]:
    """The portal's processes, in the order in which they are stopped."""
    portal = [sys.executable, "-m", "app"]
    # RQ's worker ends after its job at the first signal, and with its job at the second.
    patient = ((signal.SIGTERM, 15.0), (signal.SIGTERM, 5.0))
    workers = [
        Program(f"worker {n}", [*portal, "worker"], patient) for n in range(1, settings.worker_processes + 1)
    ]
    return [
        Program("web", web_command(settings), ((signal.SIGTERM, WEB_GRACE + 5.0),)),
        Program("ticker", [*portal, "ticker"], ((signal.SIGTERM, 5.0),)),
        *workers,
    ]


def web_command(settings: Settings) -> list[str]:
    """Gunicorn with threads: pages, event streams and sockets in one model.

    The time-out only ends a process that has stopped beating; a thread may take
    longer. Processes are renewed after many requests, not all at once.
    """
    options = {
        "bind": bind_address(settings),
        "workers": settings.web_processes,
        "threads": settings.web_threads,
        "timeout": 120,
        "graceful-timeout": WEB_GRACE,
        "keep-alive": 15,
        "max-requests": 20_000,
        "max-requests-jitter": 4_000,
        "log-level": "warning",
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [
        sys.executable,
        "-m",
        "gunicorn",
        "--worker-class",
        "gthread",
        "--no-control-socket",
        *flags,
        "app:create()",
    ]


def bind_address(settings: Settings) -> str:
    """Host and port as gunicorn wants them; IPv6 hosts in brackets."""
    host = f"[{settings.portal_host}]" if ":" in settings.portal_host else settings.portal_host
    return f"{host}:{settings.portal_port}"


class Child:
    """One running program; started again with growing pauses when it ends by itself."""

    def __init__(self, program: Program, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.program, self._environment, self._say = program, environment, say
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._due: float | None = None
        self._deaths = 0

    def start(self) -> None:
        """Start the program in a process group of its own: Ctrl-C must reach the supervisor alone."""
        self._due = None
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            list(self.program.command),
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env=dict(self._environment),
            process_group=0,
            # Unsafe beside threads if it took a lock: it takes none, and the supervisor has one thread.
            preexec_fn=processes.last_words(signal.SIGTERM),  # noqa: PLW1509
        )

    def alive(self) -> bool:
        """Whether it runs right now."""
        return self._process is not None and self._process.poll() is None

    def look_after(self) -> None:
        """Start it again when it has ended, after a pause of 1, 2, 4 … 30 s.

        Raises: ServiceError when it has died at once too often in a row.
        """
        if self.alive() or self._process is None:
            return
        if self._due is None:
            self._count_death(self._process.returncode)
        elif time.monotonic() >= self._due:
            self.start()

    def stop(self, *, at_once: Callable[[], bool] = lambda: False) -> None:
        """Ask it to stop, insist, at last end it with all that it started. `at_once` skips waiting."""
        if self._process is None:
            return
        for number, seconds in self.program.stop:
            if not self.alive() or at_once():
                break
            self._process.send_signal(number)
            self._wait(seconds, at_once)
        self._kill_group(self._process.pid)
        self._process.wait()
        self._process = None

    def _wait(self, seconds: float, at_once: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline and not at_once():
            time.sleep(0.05)

    def _kill_group(self, group: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)

    def _count_death(self, code: int) -> None:
        lived = time.monotonic() - self._started
        self._deaths = self._deaths + 1 if lived < SHORT_LIFE else 1
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        if self._deaths >= DEATHS_ALLOWED:
            raise ServiceError(
                f"{self.program.name} ended {self._deaths} times right after its start ({how}); see above."
            )
        pause = min(2.0 ** (self._deaths - 1), LONGEST_PAUSE)
        self._due = time.monotonic() + pause
        self._say(f"{self.program.name} has ended unexpectedly ({how}); starting it again in {pause:.0f} s.")
