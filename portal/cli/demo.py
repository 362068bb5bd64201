"""Demo data, for newcomers and trials."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import with_appcontext

from portal import accounts
from portal import demo as front
from portal.cli.users import find_user


@click.group()
def demo() -> None:
    """Demo data."""


@demo.command("load")
@click.option("--work-orders", default=2000, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--seed", default=1, show_default=True, help="Another seed gives another history.")
@click.option("--owner", "email", help="E-mail of the projects' owner. Default: the first superuser.")
@with_appcontext
def load(work_orders: int, seed: int, email: str | None) -> None:
    """Make three projects with a history of 90 days. Refuses when they are there already."""
    owner = find_user(email) if email else accounts.first_superuser()
    if owner is None:
        raise click.ClickException("there is no superuser yet; name an account with --owner")
    load_for(owner, work_orders, seed)


def load_for(owner: accounts.User, work_orders: int, seed: int = 1) -> None:
    """Load the demo for `owner`, with a line of progress on a terminal. Raises Conflict the second time."""
    with _quiet(), click.progressbar(length=work_orders, label="Loading demo data") as bar:
        loaded = front.load(
            owner,
            work_orders=work_orders,
            seed=seed,
            progress=lambda done, _total: bar.update(done - bar.pos),
        )
    click.echo(f"Demo data: {loaded.projects} projects of {owner.email}, {loaded.work_orders} work orders.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the log lines of ninety days to ourselves."""
    logger = logging.getLogger("portal.workorders")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
