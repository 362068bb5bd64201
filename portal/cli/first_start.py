"""What the first start of an empty portal does."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from portal import accounts
from portal.cli import demo


@click.command("first-start")
@with_appcontext
def first_start() -> None:
    """Create the first superuser and load demo data; does nothing on a portal that is set up."""
    if accounts.superuser_exists():
        return
    settings = current_app.config["SETTINGS"]
    password = accounts.make_password()
    new = accounts.NewUser(
        email=settings.portal_admin_email, first_name="Portal", last_name="Admin", password=password
    )
    user = accounts.create_user(new, role=accounts.AccountRole.SUPERUSER, one_time_password=True)
    # Said at once: whoever stops the loading below must not lose the only way in.
    click.echo(f"First superuser: {user.email}\nOne-time password: {password}   (shown only now)")
    if settings.portal_demo and settings.portal_demo_work_orders:
        demo.load_for(user, settings.portal_demo_work_orders)
