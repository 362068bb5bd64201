"""Whether the parts that the portal stands on answer."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from portal.core import db


def database_answers() -> bool:
    """Whether PostgreSQL takes a statement now."""
    try:
        return db.session().scalar(sa.select(1)) == 1
    except SQLAlchemyError:
        db.session().rollback()
        return False
