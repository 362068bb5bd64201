"""`portal demo load`, as operators call it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import accounts, projects
from portal.cli import group


@pytest.fixture
def superuser(committed: sa.orm.Session) -> accounts.User:
    new = accounts.NewUser(
        email="first@example.org", first_name="Test", last_name="First", password="a long pass phrase"
    )
    return accounts.create_user(new, role=accounts.AccountRole.SUPERUSER)


def test_the_first_superuser_owns_the_demo_and_a_second_load_is_refused_in_words(
    app: Flask, superuser: accounts.User
) -> None:
    runner = app.test_cli_runner()
    first = runner.invoke(group, ["demo", "load", "--work-orders", "30"])
    assert first.exit_code == 0, first.output
    assert "30 work orders" in first.output
    mine = projects.list_for(accounts.actor_of(superuser))
    assert [project.role for project in mine] == ["owner"] * 3

    second = runner.invoke(group, ["demo", "load", "--work-orders", "30"])
    assert second.exit_code == 1
    assert "here already" in second.output


def test_without_any_superuser_the_owner_must_be_named(app: Flask, committed: sa.orm.Session) -> None:
    refused = app.test_cli_runner().invoke(group, ["demo", "load", "--work-orders", "30"])
    assert refused.exit_code == 1
    assert "--owner" in refused.output


def test_an_owner_who_does_not_exist_is_named_in_the_refusal(app: Flask, superuser: accounts.User) -> None:
    refused = app.test_cli_runner().invoke(group, ["demo", "load", "--owner", "nobody@example.org"])
    assert refused.exit_code == 1
    assert "nobody@example.org" in refused.output
