"""Playing the script of a run as a worker would, command by command."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from portal import workorders
from portal.core import clock
from portal.core.ids import new_id
from portal.demo.flows import Fate
from portal.demo.script import REASONS, RunScript, StepScript
from portal.demo.stage import Stage


@dataclass(frozen=True, slots=True)
class Stopped:
    """The step at which a run did not go on, with its input: where a retry begins."""

    run_id: uuid.UUID
    step_id: uuid.UUID
    job: str
    clip: uuid.UUID


def act(script: RunScript, run_id: uuid.UUID, clip: uuid.UUID, stage: Stage) -> Stopped | None:
    """Take an available run with the input `clip` through its script; None when all went well."""
    with clock.frozen_at(script.claimed):
        workorders.claim_run(run_id, worker_name=script.worker)
    if script.fate is Fate.CLAIMED:
        return None
    with clock.frozen_at(script.started):
        workorders.start_run(run_id)
    steps, stopped = [], None
    outputs: list[uuid.UUID | None] = []
    for step in script.steps:
        given = clip if step.source is None else outputs[step.source] or clip
        step_id = _start(run_id, step, stage, given)
        steps.append(step_id)
        outputs.append(_complete(run_id, step_id, step))
        if step.fate is not Fate.SUCCESS:
            stopped = stopped or Stopped(run_id, step_id, step.job, given)
    _end(script, run_id, steps)
    return stopped


def _start(run_id: uuid.UUID, step: StepScript, stage: Stage, clip: uuid.UUID) -> uuid.UUID:
    with clock.frozen_at(step.begun):
        return workorders.start_step(run_id, new_id(), stage.jobs[step.job], input_dataclip_id=clip)


def _complete(run_id: uuid.UUID, step_id: uuid.UUID, step: StepScript) -> uuid.UUID | None:
    if step.ended is None or step.fate is None:
        return None
    with clock.frozen_at(step.ended):
        return workorders.complete_step(
            run_id,
            step_id,
            REASONS[step.fate],
            output_dataclip=step.output,
            output_dataclip_id=new_id() if step.output else None,
            error_type=step.error_type,
        )


def _end(script: RunScript, run_id: uuid.UUID, steps: list[uuid.UUID]) -> None:
    """Send the lines, as many in one batch as there are; a run that stays open gets no more than these."""
    lines = [
        {
            "level": line.level,
            "source": line.source,
            "message": line.message,
            "timestamp": line.timestamp,
            "step_id": None if line.step is None else steps[line.step],
        }
        for line in script.lines
    ]
    with clock.frozen_at(script.ended or script.lines[-1].timestamp):
        workorders.append_logs(run_id, lines)
        if script.ended:
            workorders.complete_run(run_id, state=script.fate.value, error_type=script.error_type)
