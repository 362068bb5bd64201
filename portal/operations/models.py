"""The ledger of background work and the schedules that start some of it (reliability §1)."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.db import Base, Json, Timestamps, UuidKey, one_of


class OperationState(enum.StrEnum):
    """Where an operation stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED = (OperationState.QUEUED, OperationState.RUNNING)


class Operation(Timestamps, Base):
    """A promise of background work. RQ only carries its id; this row decides.

    `fence` rises at each claim, and every later write names it, so a worker that
    lost its lease changes nothing. `checkpoint` says where the next claim goes on. A paused one
    waits with `paused_at` set until somebody goes on with it.
    """

    __tablename__ = "operations"

    id: Mapped[UuidKey]
    kind: Mapped[str]
    queue: Mapped[str] = mapped_column(default="default")
    project_id: Mapped[uuid.UUID | None]
    actor_id: Mapped[uuid.UUID | None]
    arguments: Mapped[Json] = mapped_column(default=dict)
    unique_key: Mapped[str | None]
    state: Mapped[OperationState] = mapped_column(one_of(OperationState), default=OperationState.QUEUED)
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=5)
    run_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    owner: Mapped[str | None]
    fence: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    checkpoint: Mapped[Json | None]
    done: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    total: Mapped[int | None] = mapped_column(sa.BigInteger)
    message: Mapped[str | None]
    result: Mapped[Json | None]
    error: Mapped[str | None]
    cancel_asked_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        sa.Index(
            "uq_operations_unique_key",
            "unique_key",
            unique=True,
            postgresql_where=sa.text("state IN ('queued', 'running')"),
        ),
        sa.Index(
            "ix_operations_unfinished", "run_at", postgresql_where=sa.text("state IN ('queued', 'running')")
        ),
        sa.Index(None, "project_id", "inserted_at"),
        sa.Index(
            "ix_operations_finished",
            "finished_at",
            postgresql_where=sa.text("state IN ('done', 'failed', 'cancelled')"),
        ),
    )

    @property
    def unfinished(self) -> bool:
        """Whether it waits or runs."""
        return self.state in UNFINISHED


class ItemResult(enum.StrEnum):
    """What became of one item of an operation that works on many."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class OperationItem(Base):
    """One item that an operation has dealt with; `reason` says why it was not done."""

    __tablename__ = "operation_items"

    operation_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    item_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    result: Mapped[ItemResult] = mapped_column(one_of(ItemResult))
    reason: Mapped[str | None]
    made_id: Mapped[uuid.UUID | None]

    __table_args__ = (
        sa.Index(
            "ix_operation_items_not_done",
            "operation_id",
            "item_id",
            postgresql_where=sa.text("result <> 'done'"),
        ),
    )


class OnceKey(Base):
    """What a request with an idempotency key was answered; the same request again gets the same answer."""

    __tablename__ = "once_keys"

    actor_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    deed: Mapped[str]
    answer: Mapped[Json]
    inserted_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)


class Schedule(Base):
    """A periodic task: when it is due next, and how its last turn ended. The ticker alone moves `next_at`."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(primary_key=True)
    next_at: Mapped[datetime]
    last_started_at: Mapped[datetime | None]
    last_finished_at: Mapped[datetime | None]
    last_result: Mapped[str | None]
    last_error: Mapped[str | None]
