"""The database that is measured: made once for a size and a schema, then used again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from flask import Flask
from flask_migrate import upgrade
from psycopg import sql

from config import logging, services
from config.settings import Settings
from portal.core.db import db
from portal.factory import create_app, database_uri

SECRET = "a secret of the benchmark alone, of some length"
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


# Puts so many work orders into the migrated, empty database at an address, in the application's context.
Fill = Callable[[str, int], object]


@dataclass(frozen=True)
class Place:
    """Where one size is measured: the application on it, its settings, an address for other connections."""

    app: Flask
    settings: Settings
    url: str
    made: bool


@contextmanager
def prepared(number: int, data_dir: Path, fill: Fill, *, kind: str, keep: bool) -> Iterator[Place]:
    """The database of `number` work orders, filled by `fill(url, number)` unless it is there already.

    Uses the servers given by DATABASE_URL and REDIS_URL, else private ones in `data_dir`;
    always a database of its own for `number` and `kind`, which `keep=False` drops in the end.
    """
    found = services.start(Settings(portal_data_dir=data_dir.absolute()), patience=60)
    try:
        server = found.addresses.database_url
        name = f"bench_{kind}_{number}_{_version()}"
        made = _make(server, name, number, found.addresses.redis_url, data_dir, fill)
        place = _place(_other(server, name), found.addresses.redis_url, data_dir, made=made)
        _migrate(place)
        yield place
        if not keep:
            _drop(server, name)
    finally:
        found.stop()


def _make(server: str, name: str, number: int, redis_url: str, data_dir: Path, fill: Fill) -> bool:
    """Build under another name and rename: a database that was left half done is never measured."""
    with psycopg.connect(server, autocommit=True) as admin:
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        for (old,) in admin.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [name.rpartition("_")[0] + "_"]
        ).fetchall():
            _drop(server, old)
        unfinished = f"{name}_unfinished"
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(unfinished)))
        place = _place(_other(server, unfinished), redis_url, data_dir, made=True)
        with place.app.app_context():
            upgrade()
            fill(place.url, number)
            db.session.remove()
            db.engine.dispose()
        admin.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(unfinished), sql.Identifier(name))
        )
    return True


def _migrate(place: Place) -> None:
    """Bring a database that was made earlier to the present schema, as an installation would be."""
    with place.app.app_context():
        upgrade()
        db.session.remove()
        db.engine.dispose()


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _place(url: str, redis_url: str, data_dir: Path, *, made: bool) -> Place:
    settings = Settings(
        portal_data_dir=data_dir.absolute(),
        database_url=url,
        redis_url=redis_url,
        secret_key=SECRET,
        primary_encryption_key=KEY,
        log_level="error",
    )
    logging.configure(settings)
    return Place(create_app(settings, "web"), settings, url, made)


def _other(server: str, name: str) -> str:
    address = database_uri(server).set(drivername="postgresql", database=name)
    return address.render_as_string(hide_password=False)


def _version() -> str:
    """Changes with what is generated, and so makes the old database useless; the schema is migrated."""
    sources = sorted(Path(__file__).parent.glob("generat*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:10]
