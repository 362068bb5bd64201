"""Rows out of the database as a stream of bytes: COPY, for which SQLAlchemy has no word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import sqlalchemy as sa
from psycopg import Connection, Copy

from portal.core.db import session

_BE_PATIENT = sa.text("SELECT set_config('statement_timeout', '10min', true)")


@contextmanager
def copy_out(query: str, values: Mapping[str, Any], options: str = "FORMAT text") -> Iterator[Copy]:
    """Run `COPY (query) TO STDOUT` in the present transaction; iterating gives one piece of bytes a row.

    `query` names its values as `:name`; they are bound by the driver. Nothing is held in
    memory but the row at hand. Each further statement of the transaction may take ten minutes.
    """
    current = session()
    current.execute(_BE_PATIENT)
    connection = current.connection()
    bound = sa.text(f"COPY ({query}) TO STDOUT ({options})").bindparams(**values)
    compiled = bound.compile(dialect=connection.dialect)
    driver = cast(Connection[Any], connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(compiled.string, compiled.params) as rows:
        yield rows
