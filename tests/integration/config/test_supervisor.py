"""`portal up` with stand-in programs and real servers."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

Wait = Callable[..., bool]
Living = Callable[[Path], list[int]]


def test_it_opens_refuses_a_second_start_and_stops_in_order(stand_in, living: Living) -> None:
    portal = stand_in.ready()
    second = stand_in.begin("up")
    told, _ = second.communicate(timeout=20)
    assert second.returncode == 1
    assert told.count("\n") == 1
    assert f"pid {portal.pid}" in told
    assert f"http://127.0.0.1:{stand_in.port}" in told
    assert urlopen(f"http://127.0.0.1:{stand_in.port}/health/live").status == 200

    portal.send_signal(signal.SIGTERM)
    portal.communicate(timeout=20)
    assert portal.returncode == 0
    diary = stand_in.diary()
    assert diary[0] == "prepare"
    assert diary[-3:] == ["stop web", "stop ticker", "stop worker 1"]
    assert living(stand_in.data_dir) == []


def test_ctrl_c_stops_it_with_exit_code_0(stand_in, living: Living) -> None:
    portal = stand_in.ready()
    os.killpg(portal.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
    portal.communicate(timeout=20)
    assert portal.returncode == 0
    assert stand_in.diary()[-1] == "stop worker 1"
    assert living(stand_in.data_dir) == []


def test_a_killed_supervisor_takes_all_along_and_blocks_nothing(
    stand_in, wait_for: Wait, living: Living
) -> None:
    portal = stand_in.ready()
    portal.kill()
    if sys.platform.startswith("linux"):
        assert wait_for(lambda: living(stand_in.data_dir) == [])
    again = stand_in.ready()
    assert again.poll() is None


def test_a_program_that_outlives_a_killed_supervisor_is_ended_by_the_next_start(
    stand_in, wait_for: Wait
) -> None:
    portal = stand_in.ready()
    stubborn = stand_in.pid("ticker")
    os.kill(stubborn, signal.SIGSTOP)  # a stopped process does not act on the signal of its parent's death
    portal.kill()
    portal.wait()
    assert psutil.pid_exists(stubborn)
    stand_in.ready()
    assert wait_for(lambda: not psutil.pid_exists(stubborn))


def test_a_program_that_dies_is_started_again(stand_in, wait_for: Wait) -> None:
    stand_in.ready()
    first = stand_in.pid("web")
    os.kill(first, signal.SIGKILL)
    assert wait_for(lambda: stand_in.pid("web") != first)


def test_a_database_that_dies_is_started_again(stand_in, wait_for: Wait) -> None:
    stand_in.ready()
    pid_file = stand_in.data_dir / "postgres/data/postmaster.pid"
    first = pid_file.read_text().split()[0]
    os.kill(int(first), signal.SIGKILL)
    assert wait_for(lambda: pid_file.exists() and pid_file.read_text().split()[0] != first)


def test_it_gives_up_on_a_program_that_dies_at_once_every_time(stand_in, living: Living) -> None:
    portal = stand_in.begin("up", STAND_IN_WEB="fails", STAND_IN_DEATHS="2")
    told, _ = portal.communicate(timeout=20)
    assert portal.returncode == 1
    assert "web ended 2 times right after its start (exit code 3)" in told
    assert living(stand_in.data_dir) == []


def test_a_failed_preparation_ends_the_start(stand_in, living: Living) -> None:
    portal = stand_in.begin("up", STAND_IN_PREPARE="fails")
    told, _ = portal.communicate(timeout=20)
    assert (portal.returncode, told) == (1, "portal: the migration failed\n")
    assert living(stand_in.data_dir) == []


def test_a_port_in_use_is_told_in_one_line(stand_in) -> None:
    with socket.create_server(("127.0.0.1", stand_in.port)):
        portal = stand_in.begin("up")
        told, _ = portal.communicate(timeout=20)
    assert portal.returncode == 1
    assert told.count("\n") == 1
    assert f"Port {stand_in.port} on 127.0.0.1 cannot be used (Address already in use)" in told


def test_a_broken_data_folder_is_told_in_one_line(stand_in, folder: Path) -> None:
    stand_in.data_dir = folder / "data dir"
    (stand_in.data_dir / "postgres" / "data").mkdir(parents=True)
    portal = stand_in.begin("up")
    told, _ = portal.communicate(timeout=20)
    assert portal.returncode == 1
    assert told.count("\n") == 1
    assert "PG_VERSION is missing" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests ran as an ordinary user already")
def test_an_ordinary_user_can_do_all_that(stand_in, folder: Path, living: Living) -> None:
    folder.chmod(0o777)
    stand_in.data_dir, stand_in.diary_file = folder / "data dir", folder / "diary"
    # The Python of these tests may lie below root's closed home: the right to read it is lent.
    lent = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    lent += ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    portal = stand_in.ready(before=lent)
    pid_file = stand_in.data_dir / "postgres/data/postmaster.pid"
    server = psutil.Process(int(pid_file.read_text().split()[0]))
    assert (psutil.Process(portal.pid).uids().real, server.uids().real) == (65534, 65534)
    assert stand_in.data_dir.stat().st_mode & 0o777 == 0o700
    portal.send_signal(signal.SIGTERM)
    portal.communicate(timeout=20)
    assert portal.returncode == 0
    assert living(stand_in.data_dir) == []
