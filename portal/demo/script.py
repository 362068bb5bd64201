"""What happens in one run, worked out to the millisecond before anything is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from portal.core.db import Json
from portal.demo import lines
from portal.demo.flows import Fate, Flow, Line, Trouble
from portal.demo.plans import Attempt
from portal.workorders import PastLine

WORKERS = ("worker-north-1", "worker-north-2", "worker-south-1")
REASONS = {
    Fate.SUCCESS: "success", Fate.FAILED: "fail", Fate.CRASHED: "crash",
    Fate.EXCEPTION: "exception", Fate.KILLED: "kill",
}  # fmt: skip


@dataclass(slots=True)
class StepScript:
    """One step. `source` is the place of the step whose output it is given; None for the run's own input."""

    job: str
    begun: datetime
    source: int | None
    ended: datetime | None = None
    fate: Fate | None = None
    error_type: str | None = None
    output: str | None = None


@dataclass(slots=True)
class RunScript:
    """A run from claim to end. A run that is lost or still running has an open last step and no end."""

    worker: str
    claimed: datetime
    started: datetime
    fate: Fate
    steps: list[StepScript] = field(default_factory=list)
    lines: list[PastLine] = field(default_factory=list)
    ended: datetime | None = None
    error_type: str | None = None


def write(
    flow: Flow, body: Json, jobs: Sequence[str], attempt: Attempt, at: datetime, rng: Random
) -> RunScript:
    """The script of a run of `jobs` that was asked for at `at`, ending as `attempt` says."""
    writer = _Writer(flow, body, attempt, rng, at)
    return writer.write(jobs)


class _Writer:
    """Writes one script; `at` is the hand of its clock."""

    def __init__(self, flow: Flow, body: Json, attempt: Attempt, rng: Random, at: datetime) -> None:
        self.flow, self.body, self.attempt, self.rng = flow, body, attempt, rng
        self.at = at
        claimed = self._wait(0.4, 6)
        self.script = RunScript(rng.choice(WORKERS), claimed, self._wait(0.2, 1.2), attempt.fate)

    def write(self, jobs: Sequence[str]) -> RunScript:
        self._log(lines.opening(len(jobs)))
        if self._go_through(jobs):
            seconds = (self.at - self.script.started).total_seconds()
            self._log([lines.closing(self.attempt.fate.value, seconds, self.attempt.trouble)])
            self.script.ended = self._wait(0.02, 0.1)
            self.script.error_type = self.attempt.trouble.error_type if self.attempt.trouble else None
        return self.script

    def _go_through(self, jobs: Sequence[str]) -> bool:
        """Write step after step; False when the last of them stays open."""
        source = None
        for job in jobs:
            step = self._begin(job, source)
            if job == jobs[-1] and self.attempt.fate in (Fate.RUNNING, Fate.LOST):
                self._log([("info", "JOB", "waiting for an answer")], step)
                return False
            if self.attempt.trouble and self.attempt.trouble.job == job:
                self._fail(step, self.attempt.trouble, source)
                return True
            self._complete(step)
            source = len(self.script.steps) - 1
        return True

    def _begin(self, job: str, source: int | None) -> StepScript:
        step = StepScript(job, self._wait(0.05, 0.3), source)
        self.script.steps.append(step)
        self._log(lines.before(job, self.rng), step)
        return step

    def _complete(self, step: StepScript) -> None:
        work = self.flow.work(step.job, self.body, self.rng)
        self._log(work.lines, step, over=work.seconds)
        self._log([lines.after(step.job, work.seconds)], step)
        step.ended, step.fate, step.output = self.at, Fate.SUCCESS, json.dumps(work.output)

    def _fail(self, step: StepScript, trouble: Trouble, source: int | None) -> None:
        """End a step badly; a job that hangs on the failure is given the same input."""
        self._log(lines.failure(trouble), step, over=trouble.seconds)
        step.ended, step.fate, step.error_type = self.at, trouble.fate, trouble.error_type
        following = self.flow.on_failure.get(step.job)
        if following and trouble.fate is Fate.FAILED:
            self._complete(self._begin(following, source))

    def _log(self, written: Sequence[Line], step: StepScript | None = None, over: float = 0.02) -> None:
        """Note lines, spread over so many seconds."""
        place = None if step is None else self.script.steps.index(step)
        for level, source, message in written:
            self.at += timedelta(seconds=over / len(written))
            self.script.lines.append(PastLine(self.at, level, source, message, place))

    def _wait(self, least: float, most: float) -> datetime:
        self.at += timedelta(seconds=self.rng.uniform(least, most))
        return self.at
