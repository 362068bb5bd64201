"""Databases for tests: one migrated template a run, a copy of it for each worker."""

from __future__ import annotations

import os

import sqlalchemy as sa
from flask_migrate import upgrade
from sqlalchemy import URL

from config.settings import Settings
from portal.core.db import db
from portal.factory import create_app, database_uri


def numbered(queue_url: str, number: int) -> str:
    """The same broker, database `number`."""
    if queue_url.startswith("unix://"):
        return f"{queue_url.split('?', maxsplit=1)[0]}?db={number}" + "".join(
            f"&{part}"
            for part in queue_url.partition("?")[2].split("&")
            if part and not part.startswith("db=")
        )
    scheme, _, rest = queue_url.partition("://")
    return f"{scheme}://{rest.split('/')[0]}/{number}"


def _other(url: str, name: str) -> str:
    return database_uri(url).set(drivername="postgresql", database=name).render_as_string(hide_password=False)


def _admin(url: str) -> sa.Engine:
    return sa.create_engine(database_uri(url), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)


def make_template(url: str) -> str:
    """Migrate a new database, to be copied; answers its name."""
    name = f"portal_test_{os.getpid()}"
    with _admin(url).connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}" TEMPLATE template0'))
    app = create_app(
        Settings(database_url=_other(url, name), redis_url="redis://127.0.0.1:1", secret_key="x"), "command"
    )
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return name


def copy_template(url: str, template: str, worker: str) -> str:
    """A database of its own for one worker; answers its URL."""
    name = f"{template}_{worker}"
    with _admin(url).connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(sa.text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return _other(url, name)


def drop_all(url: str, template: str) -> None:
    """Drop the template and its copies; matters on external servers."""
    with _admin(url).connect() as connection:
        names = connection.scalars(
            sa.text("SELECT datname FROM pg_database WHERE starts_with(datname, :name)"), {"name": template}
        ).all()
        for name in names:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


__all__ = ["URL", "copy_template", "drop_all", "make_template", "numbered"]
