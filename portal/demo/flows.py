"""What a demo workflow does: what comes in, its jobs, what they log and leave, what goes wrong."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from random import Random

from portal.core.db import Json

# Level, source, message; as workers send them.
Line = tuple[str, str, str]


class Fate(enum.StrEnum):
    """How an attempt ends; the last three have not ended yet."""

    SUCCESS = "success"
    FAILED = "failed"
    CRASHED = "crashed"
    EXCEPTION = "exception"
    KILLED = "killed"
    LOST = "lost"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    WAITING = "waiting"
    CLAIMED = "claimed"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What can go wrong in a job. `seconds` is how long the job takes to find out."""

    job: str
    fate: Fate
    error_type: str
    message: str
    seconds: float = 0.4


@dataclass(frozen=True, slots=True)
class Work:
    """What one job did: its log lines, the state it leaves, its duration in seconds."""

    lines: list[Line]
    output: Json
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """One workflow of the demo. `at` is set for schedules (UTC), `share` of all work orders for webhooks."""

    spec: str
    workflow: str
    body: Callable[[Random, datetime], Json]
    path: Callable[[Json], tuple[str, ...]]
    work: Callable[[str, Json, Random], Work]
    troubles: tuple[Trouble, ...]
    outage: Trouble
    share: float = 0
    at: time | None = None
    on_failure: Mapping[str, str] = field(default_factory=dict)
