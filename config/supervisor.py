"""`portal up`: servers, migrations, web server, worker and ticker under one roof.

Everything it starts ends with it: on Ctrl-C or SIGTERM in order (web, ticker,
workers, then the servers), and by the kernel's hand when it is killed. What
survives even that is ended by the next start, which knows it by a token that
every child carries in its environment.
"""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

from config import keys, services
from config.children import ROOT, Child, Program, programs
from config.services import processes
from config.services.errors import ServiceError, plain_errors
from config.services.folder import ensure_data_dir
from config.services.locks import FileLock
from config.settings import Settings

MARK = "PORTAL_SUPERVISOR"  # the variable that holds the token
READY_PATIENCE = 120.0  # seconds until the web server must have answered
OTHERS_PATIENCE = 600.0  # seconds to wait for a command that runs the servers
LEFTOVERS_STOP = ((signal.SIGTERM, 5.0),)

Environment = Mapping[str, str]
Prepare = Callable[[Environment], None]
Choose = Callable[[Settings], list[Program]]


class Stop(BaseException):
    """Someone asked for the end, at whatever point of the start or the run."""


def say(line: str) -> None:
    """One line for the person at the terminal; when that is gone, nothing may fail for it."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def up(
    settings: Settings,
    *,
    prepare: Prepare | None = None,
    choose: Choose = programs,
) -> int:
    """Run the portal until it is stopped; returns the exit code for the process.

    prepare: brings the database up to date and fills it on the first start,
        given the children's environment; `migrate_and_fill` unless told otherwise.
    choose: the programs to run, in the order in which to stop them.

    0 after a stop that was asked for; 1 after one line that says what is wrong.
    """
    os.umask(0o077)  # whatever the portal writes is for its own user
    with Signals() as signals:
        try:
            with _only_one(settings) as lock:
                _run(settings, lock, prepare or migrate_and_fill, choose, signals)
        except Stop:
            return 0
        except ServiceError as error:
            say(f"portal: {error}")
        return 1


def migrate_and_fill(environment: Environment) -> None:
    """`portal db upgrade`, then `portal first-start`, whose one-time password goes to the terminal alone.

    Raises: ServiceError when one of them fails; what it said stands above.
    """
    for command in (["db", "upgrade"], ["first-start"]):
        code = subprocess.call([sys.executable, "-m", "app", *command], cwd=ROOT, env=dict(environment))
        if code != 0:
            raise ServiceError(
                f"`portal {' '.join(command)}` failed (exit code {code}); its reason stands above."
            )


def _run(
    settings: Settings,
    lock: FileLock,
    prepare: Prepare,
    choose: Choose,
    signals: Signals,
) -> None:
    settings = keys.ensure_keys(settings)
    token = _end_leftovers(lock)
    lock.note(pid=os.getpid(), url=settings.address, token=token)
    _need_port(settings)
    running = services.start(settings, patience=OTHERS_PATIENCE, say=say)
    children: list[Child] = []
    try:
        environment = _environment(settings, running.addresses, token)
        with plain_errors(settings.portal_data_dir):
            prepare(environment)
        children = [Child(program, environment, say) for program in choose(settings)]
        _start(settings, children)
        _watch(children, running)
    finally:
        signals.stopping()
        _stop(children, token, signals)
        running.stop()


def _environment(settings: Settings, addresses: services.Addresses, token: str) -> Environment:
    """What the children need to find the same servers, keys and folder as we did."""
    secret, encryption = settings.secret_key, settings.primary_encryption_key
    if secret is None or encryption is None:
        raise RuntimeError("ensure_keys() comes first")
    return {
        **os.environ,
        "PORTAL_DATA_DIR": str(settings.portal_data_dir),
        "DATABASE_URL": addresses.database_url,
        "REDIS_URL": addresses.redis_url,
        "SECRET_KEY": secret.get_secret_value(),
        "PRIMARY_ENCRYPTION_KEY": encryption.get_secret_value(),
        "PYTHONUNBUFFERED": "1",
        MARK: token,
    }


def _start(settings: Settings, children: list[Child]) -> None:
    for child in children:
        child.start()
    deadline = time.monotonic() + READY_PATIENCE
    while not _answers(settings):
        if time.monotonic() > deadline:
            raise ServiceError(
                f"The web server did not answer within {READY_PATIENCE:.0f} s; its reason stands above."
            )
        for child in children:
            child.look_after()
        time.sleep(0.1)
    say(f"\nLightning Portal is ready: {settings.address}   (Ctrl-C stops it)\n")


def _watch(children: list[Child], running: services.Services) -> None:
    """Until a signal arrives, or something cannot be kept running."""
    while True:
        running.revive()
        for child in children:
            child.look_after()
        time.sleep(0.5)


def _stop(children: list[Child], token: str, signals: Signals) -> None:
    if children:
        say("Stopping …")
    for child in children:
        child.stop(at_once=signals.hurry)
    # What a killed child had started lives on in process groups of its own.
    processes.end_strangers(processes.carrying(MARK, token), LEFTOVERS_STOP)


def _answers(settings: Settings) -> bool:
    every = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - named here to be replaced
    host = every.get(settings.portal_host, settings.portal_host)
    connection = http.client.HTTPConnection(host, settings.portal_port, timeout=5)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _need_port(settings: Settings) -> None:
    try:
        where = settings.portal_host, settings.portal_port
        family, kind, _, _, address = socket.getaddrinfo(*where, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ServiceError(
            f"Port {settings.portal_port} on {settings.portal_host} cannot be used ({error.strerror}): "
            "stop what uses it, or set PORTAL_PORT (or PORTAL_HOST) to another."
        ) from error


@contextmanager
def _only_one(settings: Settings) -> Iterator[FileLock]:
    lock = FileLock(ensure_data_dir(settings.portal_data_dir) / "state" / "up.lock")
    if not lock.acquire():
        first = lock.holder()
        raise ServiceError(
            f"Lightning Portal already runs on this data folder (pid {first.get('pid', '?')}) "
            f"at {first.get('url', settings.address)}: use that one, or stop it first."
        )
    try:
        yield lock
    finally:
        lock.release()


def _end_leftovers(lock: FileLock) -> str:
    """End what a killed supervisor left running, and return a token for our own children."""
    if earlier := lock.holder().get("token"):
        processes.end_strangers(processes.carrying(MARK, earlier), LEFTOVERS_STOP)
    return secrets.token_hex(8)


class Signals:
    """What the operating system asks for: the first signal raises Stop, unless we are stopping already."""

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._received = 0
        self._stopping = False

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._receive) for number in self.NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stopping(self) -> None:
        """From now on signals only hurry."""
        self._stopping = True

    def hurry(self) -> bool:
        """Whether someone asked twice."""
        return self._received > 1

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self._received += 1
        if not self._stopping:
            self._stopping = True
            raise Stop
