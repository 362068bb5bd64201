"""The cast of the tests: who is in the project, who is not, and how they log in."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient

from portal import accounts
from portal.accounts.models import User
from portal.core.access import Actor
from portal.projects.models import Project, Role
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_user


@dataclass(frozen=True)
class Cast:
    """One project and everybody who may knock at its door."""

    project: Project
    owner: User
    admin: User
    editor: User
    viewer: User
    stranger: User
    superuser: User

    @classmethod
    def make(cls) -> Cast:
        """Put all of them into the database."""
        people = {name: make_user(f"{name}@example.org") for name in ("owner", "admin", "editor", "viewer")}
        project = make_project("clinic", members={people[str(role)]: role for role in Role})
        return cls(
            project,
            **people,
            stranger=make_user("stranger@example.org"),
            superuser=make_user("superuser@example.org", superuser=True),
        )

    @staticmethod
    def actor(user: User) -> Actor:
        """The user as contexts see them."""
        return accounts.actor_of(user)


class LoggedIn:
    """Makes clients that carry a person's session."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __call__(self, user: User) -> FlaskClient:
        """A client in which `user` is logged in."""
        return logged_in(self._app, user)
