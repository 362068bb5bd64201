"""The database: models' base, the unit of work, row locks, advisory locks.

Only commands open a unit of work. Inner units join the outer one; the outermost
commits. What must happen once the change stands is given to `unit.after_commit`.
"""

from __future__ import annotations

import enum
import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, TypeVar

import sqlalchemy as sa
import structlog
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, registry

from portal.core import clock
from portal.core.errors import NotFound
from portal.core.ids import new_id

log = structlog.get_logger(__name__)

T = TypeVar("T", bound="Base")
Json = dict[str, Any]
UuidKey = Annotated[uuid.UUID, mapped_column(primary_key=True, default=new_id)]

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What every table has in common: names of constraints, aware times, jsonb."""

    registry = registry(
        metadata=sa.MetaData(naming_convention=NAMING),
        type_annotation_map={
            datetime: sa.DateTime(timezone=True),
            Json: JSONB,
            list[Any]: JSONB,
            str: sa.Text,
            int: sa.Integer,
        },
    )


class Timestamps:
    """`inserted_at` and `updated_at`, from the portal's clock."""

    inserted_at: Mapped[datetime] = mapped_column(default=clock.now, sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now, sort_order=91)


def one_of(choices: type[enum.StrEnum]) -> sa.Enum:
    """A text column that a check constraint holds to the values of `choices`."""
    return sa.Enum(
        choices,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=40,
        values_callable=lambda members: [member.value for member in members],
        name=re.sub(r"(?<!^)(?=[A-Z])", "_", choices.__name__).lower(),
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False}, disable_autonaming=True)


def session() -> Session:
    """The session of the present request or job."""
    return db.session()


class Unit:
    """One unit of work: what is to happen once it has been committed."""

    def __init__(self) -> None:
        self.doomed = False
        self._callbacks: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def after_commit(self, callback: Callable[..., object], *args: Any) -> None:
        """Call `callback(*args)` once the outermost unit has been committed; never after a rollback."""
        self._callbacks.append((callback, args))

    def run_callbacks(self) -> None:
        """Run what was registered. A failure is logged: the change stands, so nobody gets an error page."""
        for callback, args in self._callbacks:
            try:
                callback(*args)
            except Exception:
                log.exception(
                    "after_commit_failed", callback=getattr(callback, "__qualname__", str(callback))
                )


@contextmanager
def unit_of_work() -> Iterator[Unit]:
    """Commit at the end of the outermost block; roll all back on any exception in any block.

    An exception that an outer block swallows still dooms the whole: a half-done
    inner unit is never committed (RuntimeError then, at the end of the outermost).
    """
    current = session()
    outer: Unit | None = current.info.get("unit")
    if outer is not None:
        with _dooming(outer):
            yield outer
        return
    unit = current.info["unit"] = Unit()
    try:
        yield unit
        if unit.doomed:
            raise RuntimeError("a unit of work inside this one failed; nothing was saved")
        current.commit()
    except BaseException:
        current.rollback()
        raise
    finally:
        current.info.pop("unit", None)
    unit.run_callbacks()


@contextmanager
def _dooming(unit: Unit) -> Iterator[None]:
    try:
        yield
    except BaseException:
        unit.doomed = True
        raise


def lock(row: T) -> T:
    """Lock `row` until the unit ends and read it anew, so that a decision rests on what is stored now.

    The lock lets others insert rows that point here (`FOR NO KEY UPDATE`).
    Order of locks everywhere: project, workflow, work order, run, step, dataclip; ids ascending.
    Raises NotFound when the row has gone.
    """
    try:
        session().refresh(row, with_for_update={"key_share": True})
    except InvalidRequestError as gone:
        raise NotFound from gone
    return row


def try_advisory_lock(name: str) -> bool:
    """Take the cluster-wide lock called `name` until the transaction ends; False when another holds it."""
    return bool(session().scalar(sa.select(sa.func.pg_try_advisory_xact_lock(lock_number(name)))))


def lock_number(name: str) -> int:
    """The signed 64-bit number under which PostgreSQL knows the advisory lock `name`."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
