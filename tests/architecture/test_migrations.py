"""Migrations make exactly the tables of the models, and can be taken back to nothing and up again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade

from config.settings import Settings
from portal.core.db import Base, db
from portal.factory import create_app
from tests.support.databases import _admin, _other

LEFT = """
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S')
    UNION ALL SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
"""


@pytest.fixture
def empty(settings: Settings, app: Flask) -> Iterator[Flask]:
    """The application on a database of its own, with nothing in it."""
    url = settings.database_url or ""
    name = f"{sa.make_url(url).database}_migrations"
    with _admin(url).connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}" TEMPLATE template0'))
    made = create_app(settings.model_copy(update={"database_url": _other(url, name)}), "command")
    try:
        with made.app_context():
            yield made
            db.session.remove()
            db.engine.dispose()
    finally:
        with _admin(url).connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))


def _differences() -> list[object]:
    def own(item: object, name: str | None, kind: str, reflected: bool, _other: object) -> bool:
        return not (kind == "table" and reflected and str(name).startswith(("log_lines_", "alembic_version")))

    with db.engine.connect() as connection:
        options = {"include_object": own, "compare_type": True, "target_metadata": Base.metadata}
        return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def _left() -> set[str]:
    with db.engine.connect() as connection:
        return set(connection.scalars(sa.text(LEFT)))


def test_up_from_nothing_gives_the_models_tables(empty: Flask) -> None:
    upgrade()
    assert _differences() == []


def test_the_comparison_would_notice_a_difference(empty: Flask) -> None:
    upgrade()
    with db.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE users DROP COLUMN preferences"))
    assert len(_differences()) == 1


def test_down_to_nothing_and_up_again(empty: Flask) -> None:
    upgrade()
    before = _left()
    downgrade(revision="base")
    assert _left() == {"alembic_version"}
    upgrade()
    assert _left() == before
    assert _differences() == []
