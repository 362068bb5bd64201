"""Work orders of the demo, from arrival to the last retry, through the commands that everybody uses.

Those that ended at the first attempt (nearly all) are recorded many at a time; whatever
has a longer story is played event by event.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from portal import dataclips, workorders
from portal.core import clock, db
from portal.core.access import Actor
from portal.core.db import Json
from portal.core.limits import configure, limits
from portal.demo.acting import Stopped, act
from portal.demo.flows import Fate
from portal.demo.plans import Attempt, Plan
from portal.demo.script import REASONS, write
from portal.demo.stage import Stage
from portal.workorders import Created, PastStep, PastWorkorder

# What is still at work when the demo ends has no worker; it must not be called lost a moment later.
PATIENT = int(timedelta(days=3650).total_seconds())
WIPED_AFTER = timedelta(days=30)


def play(plans: Sequence[Plan], stages: dict[str, Stage], actor: Actor) -> None:
    """Play plans in one unit of work; but lost runs outside any, for the janitor opens units of its own."""
    plain = [plan for plan in plans if plan.plain]
    with nullcontext() if any(plan.lost for plan in plans) else db.unit_of_work():
        workorders.record_past([_past(plan, stages[plan.flow.workflow]) for plan in plain])
        for plan in plans:
            if not plan.plain:
                _Player(plan, stages[plan.flow.workflow], actor).play()


def _past(plan: Plan, stage: Stage) -> PastWorkorder:
    """A plan with one finished attempt, as a record."""
    rng = Random(plan.seed)
    body = plan.flow.body(rng, plan.at)
    script = write(plan.flow, body, plan.flow.path(body), plan.attempts[0], plan.at, rng)
    steps = [
        PastStep(
            stage.jobs[step.job],
            step.begun,
            step.ended or step.begun,
            REASONS[step.fate or Fate.SUCCESS],
            step.error_type,
            step.output,
            step.source,
        )
        for step in script.steps
    ]
    return PastWorkorder(
        trigger_id=stage.trigger_id,
        at=plan.at,
        body=json.dumps(body),
        state=script.fate.value,
        claimed_at=script.claimed,
        started_at=script.started,
        finished_at=script.ended or script.started,
        steps=steps,
        lines=script.lines,
        request=_request(plan, stage, body),
        error_type=script.error_type,
        worker_name=script.worker,
    )


@dataclass(slots=True)
class _Player:
    """Plays one plan on its stage; `actor` is the person who retries, cancels and starts by hand."""

    plan: Plan
    stage: Stage
    actor: Actor

    def play(self) -> None:
        """Create the work order, then run after run."""
        rng = Random(self.plan.seed)
        body = self.plan.flow.body(rng, self.plan.at)
        with _patience(self.plan), clock.frozen_at(self.plan.at):
            created = self._create(body)
        self._attempts(created, body, rng)
        if self.plan.wiped and created.dataclip_id:
            with clock.frozen_at(self.plan.at + WIPED_AFTER):
                dataclips.wipe(created.project_id, created.dataclip_id)

    def _attempts(self, created: Created, body: Json, rng: Random) -> None:
        jobs, stopped, run_id, at = self.plan.flow.path(body), None, created.run_id, self.plan.at
        for place, attempt in enumerate(self.plan.attempts):
            at += attempt.after
            origin = None if attempt.from_start else stopped
            if place:
                run_id = self._retry(created, origin, at)
            left = jobs[jobs.index(origin.job) :] if origin else jobs
            clip = origin.clip if origin else created.dataclip_id
            if run_id and clip and attempt.fate not in (Fate.WAITING, Fate.REJECTED):
                stopped, at = self._run(created, run_id, clip, left, attempt, (body, rng, at))

    def _run(
        self,
        created: Created,
        run_id: uuid.UUID,
        clip: uuid.UUID,
        jobs: Sequence[str],
        attempt: Attempt,
        given: tuple[Json, Random, datetime],
    ) -> tuple[Stopped | None, datetime]:
        """Play one run; answers where it stopped and when it was over."""
        body, rng, at = given
        if attempt.fate is Fate.CANCELLED:
            at += timedelta(seconds=rng.uniform(5, 120))
            with clock.frozen_at(at):
                workorders.cancel_workorder(created.project_id, created.work_order_id)
            return None, at
        script = write(self.plan.flow, body, jobs, attempt, at, rng)
        stopped = act(script, run_id, clip, self.stage)
        if attempt.fate is not Fate.LOST:
            return stopped, script.ended or at
        at = script.started + timedelta(seconds=limits().run_seconds + limits().run_grace_seconds + 30)
        with clock.frozen_at(at):
            workorders.mark_lost()
        return stopped, at

    def _create(self, body: Json) -> Created:
        if self.plan.name:
            return self._create_by_hand(body, self.plan.name)
        return workorders.create_for_trigger(
            self.stage.trigger_id,
            body=json.dumps(body),
            request=_request(self.plan, self.stage, body),
            runs_allowed=self.plan.attempts[0].fate is not Fate.REJECTED,
        )

    def _create_by_hand(self, body: Json, name: str) -> Created:
        stage = self.stage
        if name not in stage.named:
            kind = dataclips.DataclipType.SAVED_INPUT
            stage.named[name] = dataclips.create(stage.project_id, kind, {"data": body}, name=name)
        job_id = stage.jobs[self.plan.flow.path(body)[0]]
        return workorders.create_manual(
            stage.project_id, stage.workflow_id, job_id, actor=self.actor, dataclip_id=stage.named[name]
        )

    def _retry(self, created: Created, origin: Stopped | None, at: datetime) -> uuid.UUID | None:
        with clock.frozen_at(at):
            if origin is None:
                made = workorders.retry_from_start(
                    created.project_id, created.work_order_id, actor=self.actor
                )
            else:
                made = workorders.retry_from_step(
                    created.project_id, origin.run_id, origin.step_id, actor=self.actor
                )
        return made.run_id


def _request(plan: Plan, stage: Stage, body: Json) -> Json | None:
    """What a webhook keeps of the request; schedules have none."""
    if plan.flow.at:
        return None
    headers = {
        "content-type": "application/json",
        "content-length": str(len(json.dumps(body))),
        "user-agent": "form-collector/4.2",
    }
    return {"method": "POST", "path": ["i", str(stage.trigger_id)], "query_params": {}, "headers": headers}


@contextmanager
def _patience(plan: Plan) -> Iterator[None]:
    """Give the runs that stay unfinished all the time in the world; options are fixed when a run is made."""
    usual = limits().run_seconds
    if not plan.finished:
        configure(run_seconds=PATIENT)
    try:
        yield
    finally:
        configure(run_seconds=usual)
