"""Accounts and memberships, for operators."""

from __future__ import annotations

import uuid

import click
from flask.cli import with_appcontext
from pydantic import ValidationError

from portal import accounts, projects
from portal.core.access import SYSTEM


@click.group()
def users() -> None:
    """Accounts."""


@users.command("create")
@click.argument("email")
@click.option("--first-name", required=True)
@click.option("--last-name", required=True)
@click.option("--superuser", is_flag=True, help="Give the account the admin area.")
@with_appcontext
def create(email: str, first_name: str, last_name: str, superuser: bool) -> None:
    """Create an account with a one-time password, which is printed once."""
    password = accounts.make_password()
    role = accounts.AccountRole.SUPERUSER if superuser else accounts.AccountRole.USER
    try:
        new = accounts.NewUser(email=email, first_name=first_name, last_name=last_name, password=password)
    except ValidationError as error:
        lines = (f"{detail['loc'][0]}: {detail['msg']}" for detail in error.errors(include_input=False))
        raise click.ClickException("; ".join(lines)) from None
    user = accounts.create_user(new, role=role, one_time_password=True)
    click.echo(f"{user.email}  one-time password: {password}")


def find_user(email: str) -> accounts.User:
    """The account of an address. Raises ClickException when there is none."""
    user = accounts.find_by_email(email)
    if user is None:
        raise click.ClickException(f"there is no account {email}")
    return user


@click.group()
def members() -> None:
    """Members of projects."""


@members.command("add")
@click.argument("project_id", type=click.UUID)
@click.argument("email")
@click.argument("role", type=click.Choice([role.value for role in projects.Role]))
@with_appcontext
def add(project_id: uuid.UUID, email: str, role: str) -> None:
    """Give a person a role in a project."""
    project = projects.get(project_id)
    projects.add_member(project, find_user(email), projects.Role(role), actor=SYSTEM)
    click.echo(f"{email} is now {role} of {project.name}")


@members.command("list")
@click.argument("project_id", type=click.UUID)
@with_appcontext
def list_members(project_id: uuid.UUID) -> None:
    """Show who is a member of a project."""
    for member, user in projects.members_of(projects.get(project_id).id):
        click.echo(f"{member.role:8} {user.email}")
