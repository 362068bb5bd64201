"""Runs migrations: one at a time over the whole cluster, never waiting long for a lock.

A migration that cannot get its table lock within two seconds fails and can be tried
again; it must not queue all other work behind itself.
"""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import text

from portal.core.db import Base, lock_number

LOCK = lock_number("migrations")


def _include(item: object, name: str | None, kind: str, reflected: bool, _other: object) -> bool:
    # Monthly partitions come and go by themselves; the models know only their parent.
    return not (kind == "table" and reflected and str(name).startswith("log_lines_"))


def run() -> None:
    """Apply the migrations on a connection of their own."""
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.execute(text("SET lock_timeout = '2s'"))
        connection.execute(text("SET statement_timeout = 0"))
        connection.commit()
        try:
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                include_object=_include,
                compare_type=True,
                transaction_per_migration=True,
            )
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
            connection.commit()


if context.is_offline_mode():
    raise SystemExit("Migrations need a database: run `portal db upgrade` with one.")
run()
