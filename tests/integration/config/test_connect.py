"""Commands that share private servers with one another and with the portal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def test_a_command_uses_the_servers_of_another_which_waits_for_it(
    stand_in, wait_for: Callable[..., bool], living: Callable[[Path], list[int]]
) -> None:
    first = stand_in.begin("connect")
    url = first.stdout.readline()
    second = stand_in.begin("connect")
    assert second.stdout.readline() == url
    first.stdin.close()
    assert "Waiting for other commands" in first.stdout.readline()
    assert first.poll() is None
    second.communicate(timeout=20)
    assert wait_for(lambda: first.poll() == 0)
    assert living(stand_in.data_dir) == []


def test_the_portal_waits_for_a_command_and_then_runs_its_own_servers(stand_in) -> None:
    command = stand_in.begin("connect")
    command.stdout.readline()
    portal = stand_in.begin("up")
    assert f"Waiting for another command of this portal (pid {command.pid})" in portal.stdout.readline()
    command.communicate(timeout=20)
    assert any("is ready" in line for line in portal.stdout)


def test_a_command_uses_the_servers_of_the_running_portal(stand_in) -> None:
    portal = stand_in.ready()
    command = stand_in.begin("connect")
    assert command.stdout.readline().startswith("postgresql://portal@/portal?host=")
    told, _ = command.communicate(timeout=20)
    assert told == ""
    assert portal.poll() is None
