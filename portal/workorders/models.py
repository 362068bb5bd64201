"""Work orders, runs, steps, log lines, and the search rows of runs (workorders §2).

History is the largest group of tables. `project_id` and `workflow_id` are repeated
where lists and claims filter on them; composite foreign keys keep them true.
Foreign keys restrict instead of cascading: deletion goes leaf first, in batches.
"""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import clock
from portal.core.db import Base, Json, Timestamps, UuidKey, one_of
from portal.core.ids import new_id


class WorkorderState(enum.StrEnum):
    """The state of a work order, derived from its runs (workorders §4)."""

    REJECTED = "rejected"
    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    KILLED = "killed"
    EXCEPTION = "exception"
    LOST = "lost"


class RunState(enum.StrEnum):
    """The state of a run; all but the first three are final (workorders §3.1)."""

    AVAILABLE = "available"
    CLAIMED = "claimed"
    STARTED = "started"
    SUCCESS = "success"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    KILLED = "killed"
    EXCEPTION = "exception"
    LOST = "lost"


UNFINISHED = (RunState.AVAILABLE, RunState.CLAIMED, RunState.STARTED)
FINAL = tuple(state for state in RunState if state not in UNFINISHED)


class Priority(enum.IntEnum):
    """Lower goes first."""

    IMMEDIATE = 0
    NORMAL = 1


class LogLevel(enum.StrEnum):
    """The level of a log line."""

    SUCCESS = "success"
    ALWAYS = "always"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    DEBUG = "debug"


# Hot tables leave room in each page, so that a change of state stays on it and touches no index.
HOT = [("fillfactor", "85"), ("autovacuum_vacuum_scale_factor", "0.02")]


class Workorder(Timestamps, Base):
    """A request to execute a workflow with one input; groups all attempts at it."""

    __tablename__ = "work_orders"

    id: Mapped[UuidKey]
    project_id: Mapped[uuid.UUID]
    workflow_id: Mapped[uuid.UUID]
    snapshot_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("snapshots.id"), index=True)
    trigger_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    dataclip_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("dataclips.id"), index=True)
    state: Mapped[WorkorderState] = mapped_column(one_of(WorkorderState), default=WorkorderState.PENDING)
    last_activity: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        sa.ForeignKeyConstraint(["workflow_id", "project_id"], ["workflows.id", "workflows.project_id"]),
        sa.UniqueConstraint("id", "project_id", "workflow_id"),
        sa.Index(
            "ix_work_orders_list",
            "project_id",
            sa.text("last_activity DESC"),
            sa.text("id DESC"),
            postgresql_include=["state", "workflow_id"],
        ),
        sa.Index(
            "ix_work_orders_state",
            "project_id",
            "state",
            sa.text("last_activity DESC"),
            sa.text("id DESC"),
        ),
        sa.Index(
            "ix_work_orders_workflow",
            "workflow_id",
            sa.text("last_activity DESC"),
            sa.text("id DESC"),
            postgresql_include=["state"],
        ),
        sa.Index(
            "ix_work_orders_received",
            "project_id",
            sa.text("inserted_at DESC"),
            sa.text("id DESC"),
            postgresql_include=["state", "workflow_id"],
        ),
        sa.Index("ix_work_orders_short_id", sa.text("right(id::text, 8)")),
        {"postgresql_with": dict(HOT)},
    )


class Run(Timestamps, Base):
    """One execution for a work order: the first attempt and every retry, of a frozen snapshot.

    `log_count` numbers the log lines; `search_due_at` says that the search rows are behind.
    `stop_asked_at` is when somebody asked a claimed or started run to stop; `error_group_id`
    the group of failures that it belongs to, once it was sorted into one.
    """

    __tablename__ = "runs"

    id: Mapped[UuidKey]
    work_order_id: Mapped[uuid.UUID]
    project_id: Mapped[uuid.UUID]
    workflow_id: Mapped[uuid.UUID]
    snapshot_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("snapshots.id"), index=True)
    dataclip_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("dataclips.id"), index=True)
    final_dataclip_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("dataclips.id"), index=True)
    starting_trigger_id: Mapped[uuid.UUID | None]
    starting_job_id: Mapped[uuid.UUID | None]
    created_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"), index=True)
    state: Mapped[RunState] = mapped_column(one_of(RunState), default=RunState.AVAILABLE)
    error_type: Mapped[str | None]
    priority: Mapped[int] = mapped_column(sa.SmallInteger, default=Priority.NORMAL)
    queue: Mapped[str] = mapped_column(default="default", server_default="default")
    options: Mapped[Json | None]
    worker_name: Mapped[str | None]
    claimed_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None] = mapped_column(index=True)
    log_count: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default=sa.text("0"))
    search_due_at: Mapped[datetime | None] = mapped_column(default=clock.now)
    stop_asked_at: Mapped[datetime | None]
    stop_asked_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    error_group_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("error_groups.id"))

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["work_order_id", "project_id", "workflow_id"],
            ["work_orders.id", "work_orders.project_id", "work_orders.workflow_id"],
        ),
        sa.CheckConstraint(
            "num_nonnulls(starting_trigger_id, starting_job_id) = 1", name="validate_job_or_trigger"
        ),
        sa.CheckConstraint("priority IN (0, 1)", name="priority"),
        sa.Index(None, "work_order_id", "inserted_at"),
        sa.Index(
            "ix_runs_available",
            "workflow_id",
            "priority",
            "inserted_at",
            postgresql_where=sa.text("state = 'available'"),
        ),
        sa.Index("ix_runs_busy", "workflow_id", postgresql_where=sa.text("state IN ('claimed', 'started')")),
        sa.Index("ix_runs_lost", "claimed_at", postgresql_where=sa.text("state IN ('claimed', 'started')")),
        sa.Index(
            "ix_runs_search_due", "search_due_at", postgresql_where=sa.text("search_due_at IS NOT NULL")
        ),
        sa.Index("ix_runs_short_id", sa.text("right(id::text, 8)")),
        sa.Index(
            "ix_runs_list",
            "project_id",
            sa.text("inserted_at DESC"),
            sa.text("id DESC"),
            postgresql_include=["state", "workflow_id"],
        ),
        sa.Index(
            "ix_runs_stopping",
            "stop_asked_at",
            postgresql_where=sa.text("stop_asked_at IS NOT NULL AND state IN ('claimed', 'started')"),
        ),
        sa.Index(
            "ix_runs_error_group",
            "error_group_id",
            sa.text("finished_at DESC"),
            postgresql_where=sa.text("error_group_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_runs_ungrouped",
            "updated_at",
            postgresql_where=sa.text(
                "error_group_id IS NULL AND state IN ('failed', 'crashed', 'killed', 'exception', 'lost')"
            ),
        ),
        sa.Index(
            "ix_runs_error",
            "project_id",
            "error_type",
            sa.text("inserted_at DESC"),
            postgresql_where=sa.text("error_type IS NOT NULL"),
        ),
        {"postgresql_with": dict(HOT)},
    )

    @property
    def finished(self) -> bool:
        """Whether the state is final."""
        return self.state in FINAL


class Step(Timestamps, Base):
    """One job inside a run. No foreign key to jobs: a run may execute a job that was deleted since."""

    __tablename__ = "steps"

    id: Mapped[UuidKey]
    job_id: Mapped[uuid.UUID] = mapped_column(index=True)
    snapshot_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("snapshots.id"), index=True)
    credential_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("credentials.id"), index=True)
    input_dataclip_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("dataclips.id"), index=True)
    output_dataclip_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("dataclips.id"), index=True)
    exit_reason: Mapped[str | None]
    error_type: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        sa.Index("ix_steps_short_id", sa.text("right(id::text, 8)")),
        sa.Index(
            "ix_steps_open",
            "id",
            postgresql_where=sa.text("exit_reason IS NULL AND finished_at IS NULL"),
        ),
    )


class RunStep(Base):
    """A step as part of a run; a step carried into a retry is part of several."""

    __tablename__ = "run_steps"

    run_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("runs.id"), primary_key=True)
    step_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("steps.id"), primary_key=True, index=True)
    id: Mapped[uuid.UUID] = mapped_column(default=new_id)
    inserted_at: Mapped[datetime] = mapped_column(default=clock.now)


class LogLine(Base):
    """One line that a run logged; `seq` is its place, from 1.

    Partitioned by month through the time inside the run's id; `line_id` is an id that a
    worker gave, and drops its repeats.
    """

    __tablename__ = "log_lines"

    run_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("runs.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    step_id: Mapped[uuid.UUID | None]
    level: Mapped[LogLevel] = mapped_column(one_of(LogLevel), default=LogLevel.INFO)
    source: Mapped[str | None] = mapped_column(sa.String(8))
    message: Mapped[str]
    timestamp: Mapped[datetime]
    line_id: Mapped[uuid.UUID | None]

    __table_args__ = (
        sa.Index(
            "uq_log_lines_run_id_line_id",
            "run_id",
            "line_id",
            unique=True,
            postgresql_where=sa.text("line_id IS NOT NULL"),
        ),
        {"postgresql_partition_by": "RANGE (run_id)"},
    )


class RunSearch(Base):
    """The words of one run (in parts when there are many), for full-text search (workorders §9.3).

    Each lexeme begins with the project's number and the four-week bucket of `at`, the
    work order's last activity, so one index serves each project and period as its own.
    """

    __tablename__ = "run_search"

    run_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("runs.id"), primary_key=True)
    part: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    work_order_id: Mapped[uuid.UUID] = mapped_column(index=True)
    project_id: Mapped[uuid.UUID]
    at: Mapped[datetime]
    logs: Mapped[Any] = mapped_column(TSVECTOR)
    bodies: Mapped[Any] = mapped_column(TSVECTOR)

    __table_args__ = (
        sa.Index("ix_run_search_logs", "logs", postgresql_using="gin"),
        sa.Index("ix_run_search_bodies", "bodies", postgresql_using="gin"),
    )
