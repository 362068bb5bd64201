"""Projects, for operators: import from a spec file, list."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from portal import accounts, provisioning
from portal import projects as front
from portal.cli.users import find_user


@click.group()
def projects() -> None:
    """Projects."""


@projects.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--owner", "email", required=True, help="E-mail of the account that will own the project.")
@with_appcontext
def import_file(file: Path, email: str) -> None:
    """Make a project from an OpenFn project spec (YAML, format v1).

    Nothing is written when anything is wrong; every problem is listed with its line.
    """
    owner = find_user(email)
    reading = provisioning.read_project_spec(_content(file), base_dir=file.parent)
    try:
        result = provisioning.import_project(reading, owner=owner, actor=accounts.actor_of(owner))
    except provisioning.SpecRefused as refusal:
        _refuse(file, refusal.problems)
    _report(result)


@projects.command("list")
@with_appcontext
def list_projects() -> None:
    """Show all projects."""
    for project in front.list_all():
        click.echo(f"{project.id}  {project.name}")


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(provisioning.MAX_BYTES + 1)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None


def _refuse(file: Path, problems: tuple[provisioning.Problem, ...]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    click.echo(f"{file} was not imported: {count}, nothing was written.", err=True)
    raise click.exceptions.Exit(1)


def _report(result: provisioning.ImportResult) -> None:
    for warning in result.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"project {result.project.name}  {result.project.id}")
    address = current_app.config["SETTINGS"].address
    for workflow in result.workflows:
        click.echo(f"  workflow {workflow.name}  {workflow.id}")
        for webhook in result.webhooks:
            if webhook.workflow_id == workflow.id:
                off = "" if webhook.enabled else "  (disabled)"
                click.echo(f"    webhook {address}{webhook.path}{off}")
