"""The rules that bin/check_house.py decides: the project keeps them, and the check would notice otherwise."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

PLANTED = {
    "time": ("portal/workorders/a.py", "moment = datetime.now(UTC)"),
    "ids": ("portal/workorders/a.py", "key = uuid.uuid4()"),
    "environment": ("portal/web/a.py", 'os.environ["HOME"]'),
    "inline handler": ("portal/templates/a.html", '<p hx-on:click="x()">'),
    "script value": ("portal/templates/a.html", "<p hx-vals='js:{a: 1}'>"),
    "inline style": ("portal/templates/a.html", '<p style="width: 3%">'),
    "inline script": ("portal/templates/a.html", "<script>alert(1)</script>"),
    "trigger filter": ("portal/templates/a.html", '<p hx-trigger="keyup[key==1]">'),
    "safe": ("portal/templates/workorders/a.html", "{{ text | safe }}"),
    "machine path": ("docs/a.md", "see /home/" + "anna/notes"),
}


def test_the_project_keeps_its_house_rules(house: ModuleType, root: Path) -> None:
    found = []
    for name in house.files():
        if not name.startswith(house.NOT_OURS):
            text = (root / name).read_bytes().decode("utf-8", "ignore")
            found += house.problems(name, text)
    assert found == []


@pytest.mark.parametrize("rule", PLANTED)
def test_a_broken_rule_is_noticed(house: ModuleType, rule: str) -> None:
    name, line = PLANTED[rule]
    assert [problem.split(": ")[1] for problem in house.problems(name, line)] == [rule]


def test_every_rule_has_a_planted_breach(house: ModuleType) -> None:
    assert {rule.name for rule in house.RULES} == set(PLANTED)


def test_a_rule_does_not_hold_in_its_own_home(house: ModuleType) -> None:
    assert list(house.problems("portal/core/clock.py", "datetime.now(UTC)")) == []
    assert list(house.problems("portal/templates/shared/charts.html", "{{ drawing | safe }}")) == []


def test_a_script_with_an_address_and_an_ordinary_handler_name_pass(house: ModuleType) -> None:
    assert list(house.problems("portal/templates/a.html", '<script src="{{ asset(name) }}" defer>')) == []
    assert list(house.problems("portal/templates/a.html", '<p data-once="x" hx-post="{{ url }}">')) == []


def test_a_long_file_and_a_registry_are_noticed(house: ModuleType) -> None:
    assert len(list(house.problems("portal/a.py", "x = 1\n" * 401))) == 1
    assert list(house.problems("portal/a.py", "x = 1\n" * 400)) == []
    assert len(list(house.problems("docs/a.md", f"https://{house.REGISTRIES[0]}/simple"))) == 1


def test_no_file_names_the_package_hosts_of_this_machine(house: ModuleType, root: Path) -> None:
    """The well-known ones are a house rule; this asks the tools which others are in use here."""
    hosts = {host for host in _configured_hosts(root) if "." in host and not _is_plain(host)}
    named = [
        (name, host)
        for name in house.files()
        for host in hosts
        if host in (root / name).read_bytes().decode("utf-8", "ignore")
    ]
    assert named == []


def _configured_hosts(root: Path) -> set[str]:
    commands = (
        ["npm", "config", "get", "registry"],
        [str(root / ".venv/bin/python"), "-m", "pip", "config", "list"],
    )
    said = []
    for command in commands:
        try:
            said += subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        except OSError:
            continue
    return {
        urlsplit(word.strip("'\"").partition("='")[2] or word).hostname or ""
        for word in said
        if "://" in word
    }


def _is_plain(host: str) -> bool:
    return host in ("127.0.0.1", "localhost")
