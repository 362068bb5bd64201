"""Folders with spaces, and processes that are ended whatever a test does."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from config.settings import Settings

STAND_IN = Path(__file__).with_name("stand_in.py")
GIVEN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PRIMARY_ENCRYPTION_KEY", "PORTAL_URL")


@contextmanager
def made() -> Iterator[Path]:
    """A folder whose path has a space and a quote, and whose parents everyone may pass."""
    top = Path(tempfile.mkdtemp(prefix="portal test's "))
    top.chmod(0o711)
    try:
        yield top
    finally:
        kill_all(top)
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder."""
    with made() as top:
        yield top


@pytest.fixture(scope="session")
def shared_folder() -> Iterator[Path]:
    """One folder for most tests: a database is slow to make, and no start may block the next."""
    with made() as top:
        yield top


@pytest.fixture
def settings(shared_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a portal that has only its data folder, which other tests have used."""
    for name in GIVEN:
        monkeypatch.delenv(name, raising=False)
    return Settings(portal_data_dir=shared_folder / "data dir")


@pytest.fixture
def fresh(settings: Settings, folder: Path) -> Settings:
    """The same with a data folder of its own, not made yet."""
    return settings.model_copy(update={"portal_data_dir": folder / "data dir"})


@pytest.fixture
def port() -> int:
    """A port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class StandIn:
    """Runs stand_in.py on one data folder."""

    data_dir: Path
    port: int
    diary_file: Path
    begun: list[subprocess.Popen[str]]

    def begin(self, deed: str, *, before: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
        """Start one of its deeds, `before` naming a program that starts it."""
        given = {k: v for k, v in os.environ.items() if k not in GIVEN}
        values = {"PORTAL_DATA_DIR": self.data_dir, "PORTAL_PORT": self.port}
        values["STAND_IN_DIARY"] = self.diary_file
        process = subprocess.Popen(
            [*before, sys.executable, str(STAND_IN), deed],
            env={**given, **{k: str(v) for k, v in values.items()}, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.begun.append(process)
        return process

    def ready(self, *, before: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
        """Start the supervisor and wait for its address."""
        process = self.begin("up", before=before, **environment)
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if "is ready" in line:
                assert f"http://127.0.0.1:{self.port}" in line
                return process
        raise AssertionError("".join(lines))

    def diary(self) -> list[str]:
        """What its programs wrote."""
        return self.diary_file.read_text().splitlines() if self.diary_file.exists() else []

    def pid(self, name: str) -> int:
        """The number of the last process of that name."""
        assert eventually(lambda: self._starts(name)), f"{name} never started"
        return int(self._starts(name)[-1].rsplit(" ", 1)[1])

    def _starts(self, name: str) -> list[str]:
        return [line for line in self.diary() if line.startswith(f"start {name} ")]


@pytest.fixture
def stand_in(shared_folder: Path, port: int, tmp_path: Path) -> Iterator[StandIn]:
    """See StandIn; all that it began is ended afterwards."""
    runner = StandIn(shared_folder / "data dir", port, tmp_path / "diary", [])
    yield runner
    for process in runner.begun:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            stream.close()
    kill_all(runner.data_dir)


def kill_all(data_dir: Path) -> None:
    """End every process of that data folder; those that are ending by themselves may be faster."""
    for pid in processes_of(data_dir):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def eventually(question: Callable[[], object], seconds: float = 10) -> bool:
    """Whether the answer becomes true in that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.05)
    return False


def processes_of(data_dir: Path) -> list[int]:
    """Every process that mentions the data folder in its command, environment, or works in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid():
                continue
            told = [process.cwd(), *process.cmdline(), process.environ().get("PORTAL_DATA_DIR", "")]
        except psutil.Error:
            continue
        if any(str(data_dir) in text for text in told):
            found.append(process.pid)
    return found


@pytest.fixture
def wait_for() -> Callable[..., bool]:
    """`eventually`, as a fixture."""
    return eventually


@pytest.fixture
def living() -> Callable[[Path], list[int]]:
    """`processes_of`, as a fixture."""
    return processes_of
