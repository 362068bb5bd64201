"""Starting and ending processes so that none is left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil  # type: ignore[import-untyped]

from config.services.account import Account

PR_SET_PDEATHSIG = 1


def last_words(death_signal: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn`: the kernel sends `death_signal` to the child when the thread that starts it ends.

    So a supervisor that is killed takes its children along. Call from the main
    thread, or the children end with the thread. None where the kernel cannot
    do it (not Linux); there the next start clears up.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)  # loaded before the fork: after it only simple calls are safe
    parent = os.getpid()

    def arm() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # the parent died before the call above
            os._exit(1)

    return arm


def spawn(
    command: Sequence[str], account: Account, *, log: IO[bytes], death_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a server as `account` in a session of its own (Ctrl-C must not reach it), output to `log`.

    The server sees none of our environment, which may hold secrets.
    """
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=SERVER_ENVIRONMENT,
        start_new_session=True,
        # Unsafe beside threads if it took a lock: it takes none, it is system calls alone (see `last_words`).
        preexec_fn=last_words(death_signal),  # noqa: PLW1509
        **account.popen_options(),
    )


SERVER_ENVIRONMENT: Mapping[str, str] = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/"}


def end(process: subprocess.Popen[bytes], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn, waiting its seconds, until the process has ended; at last SIGKILL."""
    for number, seconds in (*steps, (signal.SIGKILL, 10.0)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def end_strangers(found: Sequence[Any], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """The same for processes that are not our children: `psutil.Process` objects."""
    left = list(found)
    for number, seconds in (*steps, (signal.SIGKILL, 10.0)):
        for process in left:
            try:
                process.send_signal(number)  # psutil refuses when the number belongs to a newer process
            except psutil.NoSuchProcess:
                continue
        left = psutil.wait_procs(left, timeout=seconds)[1]
        if not left:
            return


def working_in(folder: Path) -> list[Any]:
    """Processes (`psutil.Process`) whose working directory is `folder`: all those of one cluster."""
    return [p for p in psutil.process_iter() if _ask(p.cwd) == str(folder)]


def carrying(name: str, value: str) -> list[Any]:
    """Processes (`psutil.Process`) other than this one whose environment has `name` set to `value`."""
    return [
        p
        for p in psutil.process_iter()
        if p.pid != os.getpid() and (_ask(p.environ) or {}).get(name) == value
    ]


def identity(pid: int) -> float | None:
    """When process `pid` started (seconds since 1970), which tells it from a later one of the same number."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def find(pid: object, started: object) -> list[Any]:
    """The process `pid` if it is still the one that started then (see `identity`): none or one."""
    if not isinstance(pid, int) or started is None or identity(pid) != started:
        return []
    return [psutil.Process(pid)]


def _ask(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except (psutil.Error, OSError):
        return None
