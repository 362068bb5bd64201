"""Where settings and factory meet, for servers and for the `portal` command."""

from __future__ import annotations

import os
import sys

import click
from flask import Flask
from flask.cli import ScriptInfo
from pydantic import ValidationError

from config import keys, logging, services, supervisor
from config.settings import Settings, describe
from portal.cli import group
from portal.factory import Process, create_app


def load_settings() -> Settings:
    """The settings of this process. A wrong one ends it with one line for each mistake."""
    try:
        return Settings()
    except ValidationError as error:
        raise SystemExit("\n".join(f"portal: wrong setting {line}" for line in describe(error))) from None


def create(process: Process = "web") -> Flask:
    """The application of one process: what a WSGI server calls (`app:create()`)."""
    settings = keys.ensure_keys(load_settings())
    logging.configure(settings)
    try:
        addresses = services.connect(settings)
    except services.ServiceError as error:
        raise SystemExit(f"portal: {error}") from None
    found = {"database_url": addresses.database_url, "redis_url": addresses.redis_url}
    return create_app(settings.model_copy(update=found), process)


@click.command()
def up() -> None:
    """Run the whole portal on this machine: servers, pages, workers, schedules."""
    raise SystemExit(supervisor.up(load_settings()))


def main() -> None:
    """The `portal` command."""
    group.add_command(up)
    named = sys.argv[1] if sys.argv[1:] else ""
    process: Process = "worker" if named == "worker" else "ticker" if named == "ticker" else "command"
    group(prog_name="portal", obj=ScriptInfo(create_app=lambda: create(process)))


if __name__ == "__main__":
    os.environ.setdefault("FLASK_SKIP_DOTENV", "1")
    main()
