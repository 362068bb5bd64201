"""A past for tests of the history: work orders with runs, steps, lines and inputs at chosen times.

Rows are written as they would stand afterwards, so that a test can say when what happened.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from portal.core import clock
from portal.core.db import session
from portal.core.ids import id_at
from portal.dataclips.models import Dataclip, DataclipBody, DataclipType
from portal.workorders.models import (
    LogLevel,
    LogLine,
    Run,
    RunState,
    RunStep,
    Step,
    Workorder,
    WorkorderState,
)
from tests.support.factories import MadeWorkflow


@dataclass
class Happened:
    """What one call of `happen` wrote."""

    order: Workorder
    runs: list[Run] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def id(self) -> uuid.UUID:
        return self.order.id

    @property
    def run(self) -> Run:
        return self.runs[-1]


def make_clip(
    flow: MadeWorkflow,
    body: Any = None,
    *,
    name: str | None = None,
    wiped: bool = False,
    kind: DataclipType = DataclipType.HTTP_REQUEST,
    at: datetime | None = None,
) -> Dataclip:
    """A dataclip of the workflow's project; a wiped one has no body."""
    moment = at or clock.now()
    clip = Dataclip(
        id=id_at(moment),
        project_id=flow.workflow.project_id,
        type=kind,
        name=name,
        wiped_at=moment if wiped else None,
        inserted_at=moment,
    )
    session().add(clip)
    session().flush()
    if not wiped:
        session().add(DataclipBody(dataclip_id=clip.id, body={} if body is None else body))
        session().flush()
    return clip


def happen(
    flow: MadeWorkflow,
    *,
    at: datetime | None = None,
    received: datetime | None = None,
    state: str = "success",
    body: Any = None,
    name: str | None = None,
    wiped: bool = False,
    logs: Sequence[str] = (),
    runs: int = 1,
    steps: Iterable[Any] = (),
    error_type: str | None = None,
    manual: bool = False,
) -> Happened:
    """A work order, last active at `at`; its runs lie a minute apart, and the last has the lines and steps.

    `steps` gives the input body of each step of the last run; None stands for a step without input.
    """
    moment = at or clock.now()
    since = received or moment
    clip = make_clip(flow, body, name=name, wiped=wiped, at=since)
    order = Workorder(
        id=id_at(since),
        project_id=flow.workflow.project_id,
        workflow_id=flow.id,
        snapshot_id=flow.snapshot.id,
        trigger_id=None if manual else flow.trigger.id,
        dataclip_id=clip.id,
        state=WorkorderState(state),
        last_activity=moment,
        inserted_at=since,
    )
    session().add(order)
    session().flush()
    happened = Happened(order)
    for number in range(0 if state == "rejected" else runs):
        before = timedelta(minutes=runs - 1 - number)
        happened.runs.append(_run(flow, order, clip, moment - before, state, error_type))
    for place, given in enumerate(steps):
        happened.steps.append(_step(flow, happened.run, place, given, moment))
    if logs:
        log(happened.run, logs)
    return happened


def log(
    run: Run, messages: Sequence[str], *, level: LogLevel = LogLevel.INFO, step: Step | None = None
) -> None:
    """Write lines behind those that the run has, and make its words due."""
    for message in messages:
        run.log_count += 1
        line = LogLine(
            run_id=run.id,
            seq=run.log_count,
            level=level,
            message=message,
            timestamp=clock.now(),
            step_id=step.id if step else None,
        )
        session().add(line)
    run.search_due_at = clock.now()
    session().flush()


def _run(
    flow: MadeWorkflow, order: Workorder, clip: Dataclip, at: datetime, state: str, error_type: str | None
) -> Run:
    words = {"pending": "available", "running": "started"}
    run = Run(
        id=id_at(at),
        work_order_id=order.id,
        project_id=order.project_id,
        workflow_id=order.workflow_id,
        snapshot_id=flow.snapshot.id,
        dataclip_id=clip.id,
        starting_trigger_id=flow.trigger.id,
        state=RunState(words.get(state, state)),
        error_type=error_type,
        inserted_at=at,
        started_at=at,
        finished_at=at,
        log_count=0,
        search_due_at=clock.now(),
    )
    session().add(run)
    session().flush()
    return run


def _step(flow: MadeWorkflow, run: Run, place: int, given: Any, at: datetime) -> Step:
    job = list(flow.jobs.values())[place]
    clip = None if given is None else make_clip(flow, given, kind=DataclipType.STEP_RESULT, at=at)
    step = Step(
        job_id=job.id,
        snapshot_id=flow.snapshot.id,
        input_dataclip_id=clip.id if clip else None,
        exit_reason="success",
        started_at=at,
        finished_at=at,
    )
    session().add(step)
    session().flush()
    session().add(RunStep(run_id=run.id, step_id=step.id))
    session().flush()
    return step
