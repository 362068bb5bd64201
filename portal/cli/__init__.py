"""The `portal` command: one group, one module per subject.

Commands that need the database are wrapped in `with_appcontext`; the application is made
only then, so `portal --help` starts nothing.
"""

from __future__ import annotations

import click
from flask_migrate.cli import db as database_group

from portal.cli import background, demo, first_start, projects, tokens, users
from portal.core.errors import PortalError


class Portal(click.Group):
    """Shows expected failures as one clear line, never as a trace."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a PortalError ends it with its message and exit code 1."""
        try:
            return super().invoke(ctx)
        except PortalError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Portal)
def group() -> None:
    """Lightning Portal: control plane and admin portal for OpenFn workflows."""


group.add_command(database_group)
group.add_command(background.operations)
group.add_command(background.ticker)
group.add_command(background.worker)
group.add_command(demo.demo)
group.add_command(first_start.first_start)
group.add_command(projects.projects)
group.add_command(tokens.tokens)
group.add_command(users.users)
group.add_command(users.members)
