"""What the supervisor starts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from config.children import bind_address, programs, web_command
from config.services.external import plain_database_url
from config.settings import Settings


def test_programs_stand_in_the_order_in_which_they_are_stopped() -> None:
    names = [program.name for program in programs(Settings(worker_processes=2))]
    assert names == ["web", "ticker", "worker 1", "worker 2"]


def test_the_web_server_gets_its_size_from_the_settings_and_opens_no_control_socket() -> None:
    command = web_command(Settings(web_processes=3, web_threads=7, portal_port=8123))
    pairs = dict(pairwise(command))
    assert (pairs["--workers"], pairs["--threads"], pairs["--bind"]) == ("3", "7", "127.0.0.1:8123")
    assert "--no-control-socket" in command
    assert int(pairs["--max-requests-jitter"]) > 0


def test_an_ipv6_host_stands_in_brackets() -> None:
    assert bind_address(Settings(portal_host="::1", portal_port=80)) == "[::1]:80"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_database_addresses_lose_their_driver(scheme: str) -> None:
    assert plain_database_url(f"{scheme}://ann:b@host:1/x?a=b") == "postgresql://ann:b@host:1/x?a=b"
