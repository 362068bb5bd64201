"""The processes behind the pages, and a look at their work, for operators."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from portal import operations as work
from portal.web.apps import this_app


@click.command()
@click.option("--queue", "queues", multiple=True, help="Work on this queue only; may be given several times.")
@with_appcontext
def worker(queues: tuple[str, ...]) -> None:
    """Work on background operations until SIGTERM; what is under way is handed over."""
    app = this_app()
    try:
        work.run_worker(app.app_context, *([queues] if queues else []))
    except ValueError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@with_appcontext
def ticker() -> None:
    """Start periodic tasks when they are due, until SIGTERM. Several tickers may run; one leads."""
    work.run_ticker()


@click.group()
def operations() -> None:
    """Background operations."""


@operations.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@with_appcontext
def list_operations(limit: int) -> None:
    """Show the newest operations and how the periodic tasks last ended."""
    for shown in work.list_all(limit=limit):
        row = shown.operation
        state = "silent" if shown.silent else row.state
        counted = f"{row.done}/{row.total or '?'}"
        click.echo(
            f"{row.id}  {state:9}  {row.kind:28} {counted:>16}  {row.error or row.message or ''}".rstrip()
        )
    for task in work.list_schedules():
        ended = f"{task.last_finished_at:%Y-%m-%d %H:%M:%S}" if task.last_finished_at else "never"
        outcome = f"failed: {task.last_error}" if task.last_error else (task.last_result or "")
        click.echo(
            f"every  {task.name:32} last {ended}  next {task.next_at:%Y-%m-%d %H:%M:%S}  {outcome}".rstrip()
        )


@operations.command("sweep")
@with_appcontext
def sweep() -> None:
    """Send lost messages again, and take back what lost workers held. The ticker does this by itself."""
    swept = work.sweep()
    click.echo(f"unanswered {swept.unanswered}, returned {swept.returned}, given up {swept.given_up}")
