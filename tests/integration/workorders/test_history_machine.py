"""Random interleavings on several connections keep the history true (workorders §3, §4, §6, §10-12).

A deed may be left open, done but not committed, while other connections go on; it is
committed or taken back some steps later. Whoever would have to wait for it gives up.
"""

from __future__ import annotations

import contextvars
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from portal import accounts, workorders
from portal.core import clock, db
from portal.core.access import Actor
from portal.core.db import db as database
from portal.core.failures import as_portal_error
from portal.core.limits import limits
from portal.workorders.models import FINAL, UNFINISHED, Run, RunState, RunStep, Step, Workorder
from tests.support.factories import MadeWorkflow, make_project, make_user, make_workflow

CONNECTIONS = 3
START = datetime(2026, 11, 2, 12, tzinfo=UTC)
BUSY = (RunState.CLAIMED, RunState.STARTED)
# Who would wait for a deed that was left open gives up after so long.
WAIT = "SET LOCAL lock_timeout = '25ms'"
NEXT = {
    RunState.AVAILABLE: {RunState.CLAIMED, RunState.CANCELLED},
    RunState.CLAIMED: {RunState.STARTED, *FINAL},
    RunState.STARTED: set(FINAL),
}

# Each as often as it shall happen beside the others.
DEEDS = (
    *("claim", "claim", "claim", "start", "start", "start", "complete", "complete", "complete"),
    *("start_step", "start_step", "complete_step", "retry", "retry", "retry_from_step", "cancel"),
    *("stop", "stop", "create", "force_stops", "mark_lost", "settle", "settle"),
)
connections = st.integers(0, CONNECTIONS - 1)
picks = st.integers(0, 99)
left_open = st.sampled_from([False, False, False, True])


class Connection:
    """A context of its own: another session, another connection to the database."""

    def __init__(self, app: Flask) -> None:
        self._context = contextvars.copy_context()
        self._app_context = app.app_context()
        self._context.run(self._app_context.push)
        self._unit: AbstractContextManager[Any] | None = None
        self.claimed: list[uuid.UUID] = []

    @property
    def open(self) -> bool:
        """Whether a deed waits to be committed or taken back."""
        return self._unit is not None

    def do(self, now: datetime, deed: Callable[[], Any], *, stay_open: bool = False) -> Any:
        """Do `deed` at the moment `now`; None when the portal refuses it, which takes back what was open."""
        return self._context.run(self._do, now, deed, stay_open)

    def _do(self, now: datetime, deed: Callable[[], Any], stay_open: bool) -> Any:
        if stay_open and self._unit is None:
            self._unit = db.unit_of_work()
            self._unit.__enter__()
        try:
            with clock.frozen_at(now):
                return deed()
        except Exception as error:
            if as_portal_error(error) is None:
                raise
            self._end(commit=False)
            return None

    def end(self, *, commit: bool) -> list[uuid.UUID]:
        """Commit or take back what is open; answers the runs whose claim now stands."""
        return self._context.run(self._end, commit=commit)

    def _end(self, *, commit: bool) -> list[uuid.UUID]:
        unit, self._unit = self._unit, None
        claimed, self.claimed = self.claimed, []
        if unit is None:
            return []
        if commit:
            unit.__exit__(None, None, None)
            return claimed
        unit.__exit__(RuntimeError, RuntimeError("taken back"), None)
        return []

    def close(self) -> None:
        """Take back what is open, and give the connection back."""
        self.end(commit=False)
        self._context.run(self._app_context.pop)


class History(RuleBasedStateMachine):
    """What workers, people and the janitors do, and what must hold after each deed."""

    app: Flask
    actor: Actor
    flows: list[MadeWorkflow]

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.orders: list[workorders.Created] = []
        self.steps: list[tuple[uuid.UUID, uuid.UUID]] = []
        self.claims: list[uuid.UUID] = []
        self.seen: dict[uuid.UUID, sa.Row[Any]] = {}
        self.runs: list[sa.Row[Any]] = []
        self.connections = [Connection(self.app) for _ in range(CONNECTIONS)]

    def act(self, number: int, deed: Callable[[], Any], *, stay_open: bool = False) -> Any:
        self.now += timedelta(seconds=1)
        return self.connections[number].do(self.now, deed, stay_open=stay_open)

    def look(self) -> None:
        """Read all runs of this history, as they are committed."""
        table = Run.__table__
        ids = [order.work_order_id for order in self.orders]
        database.session.rollback()
        self.runs = list(
            database.session.execute(
                sa.select(table)
                .where(table.c.work_order_id.in_(ids))
                .order_by(table.c.inserted_at, table.c.id)
            )
        )

    def run(self, pick: int, *states: RunState) -> sa.Row[Any] | None:
        """One of the runs in these states; any, when there is none such."""
        every = self.runs
        fitting = [each for each in every if each.state in states]
        # Now and then one that does not fit, for the portal to refuse.
        chosen = fitting if fitting and pick % 10 else every
        return chosen[pick % len(chosen)] if chosen else None

    @initialize(flows=st.lists(st.integers(0, 3), min_size=3, max_size=5))
    def begin(self, flows: list[int]) -> None:
        for flow in flows:
            self.create(0, flow, False)
        self.look()

    @rule(deed=st.sampled_from(DEEDS), number=connections, pick=picks, stay_open=left_open)
    def do(self, deed: str, number: int, pick: int, stay_open: bool) -> None:
        getattr(self, deed)(number, pick, stay_open)

    # Deeds: by the connection of that number, with what `pick` chooses

    def create(self, number: int, pick: int, _stay_open: bool) -> None:
        if not self.connections[number].open:
            trigger = self.flows[pick % len(self.flows)].trigger.id
            deed = partial(workorders.create_for_trigger, trigger, body={"n": 1})
            if created := self.act(number, deed):
                self.orders.append(created)

    def claim(self, number: int, pick: int, stay_open: bool) -> None:
        found = self.act(number, partial(workorders.claim, 1 + pick % 3, "w"), stay_open=stay_open) or []
        connection = self.connections[number]
        (connection.claimed if connection.open else self.claims).extend(run.id for run in found)

    def start(self, number: int, pick: int, stay_open: bool) -> None:
        if run := self.run(pick, RunState.CLAIMED):
            self.act(number, partial(workorders.start_run, run.id), stay_open=stay_open)

    def complete(self, number: int, pick: int, stay_open: bool) -> None:
        if run := self.run(pick, *BUSY):
            deed = partial(workorders.complete_run, run.id, state=FINAL[pick % len(FINAL)])
            self.act(number, deed, stay_open=stay_open)

    def start_step(self, number: int, pick: int, _stay_open: bool) -> None:
        if run := self.run(pick, RunState.STARTED):
            flow = next(flow for flow in self.flows if flow.id == run.workflow_id)
            job_id, step_id = list(flow.jobs.values())[pick % 3].id, uuid.uuid4()
            deed = partial(workorders.start_step, run.id, step_id, job_id, input_dataclip_id=run.dataclip_id)
            if self.act(number, deed) and not self.connections[number].open:
                self.steps.append((run.id, step_id))

    def complete_step(self, number: int, pick: int, stay_open: bool) -> None:
        if self.steps:
            place = self.steps[pick % len(self.steps)]
            self.act(number, partial(workorders.complete_step, *place, "success"), stay_open=stay_open)

    def retry(self, number: int, pick: int, stay_open: bool) -> None:
        if run := self.run(pick, *FINAL):
            deed = partial(workorders.retry_from_start, run.project_id, run.work_order_id, actor=self.actor)
            self.act(number, deed, stay_open=stay_open)

    def retry_from_step(self, number: int, pick: int, stay_open: bool) -> None:
        if self.steps:
            run_id, step_id = self.steps[pick % len(self.steps)]
            project_id = next(run.project_id for run in self.runs if run.id == run_id)
            deed = partial(workorders.retry_from_step, project_id, run_id, step_id, actor=self.actor)
            self.act(number, deed, stay_open=stay_open)

    def cancel(self, number: int, pick: int, stay_open: bool) -> None:
        if run := self.run(pick, RunState.AVAILABLE):
            one = partial(workorders.cancel_run, run.project_id, run.id)
            all_ = partial(workorders.cancel_workorder, run.project_id, run.work_order_id)
            self.act(number, all_ if pick % 2 else one, stay_open=stay_open)

    def stop(self, number: int, pick: int, stay_open: bool) -> None:
        if run := self.run(pick, *BUSY):
            deed = partial(workorders.ask_stop, run.project_id, run.id, actor=self.actor)
            self.act(number, deed, stay_open=stay_open)

    def force_stops(self, number: int, _pick: int, _stay_open: bool) -> None:
        self.janitor(number, timedelta(seconds=limits().run_stop_seconds), workorders.force_stops)

    def mark_lost(self, number: int, _pick: int, _stay_open: bool) -> None:
        self.janitor(number, timedelta(seconds=limits().run_seconds + 60), workorders.mark_lost)

    def janitor(self, number: int, later: timedelta, look: Callable[[], int]) -> None:
        """A janitor comes when so much time has passed; it has no unit of work open."""
        if not self.connections[number].open:
            self.now += later
            self.act(number, look)

    def settle(self, _number: int, pick: int, _stay_open: bool) -> None:
        waiting = [each for each in self.connections if each.open]
        if waiting:
            self.claims.extend(waiting[pick % len(waiting)].end(commit=pick % 3 > 0))

    # What must hold

    @invariant()
    def all_is_true(self) -> None:
        self.look()
        self.a_work_order_is_what_its_runs_say()
        self.no_run_is_claimed_twice_and_no_finished_run_changes()
        self.no_limit_is_passed()
        self.what_the_portal_took_away_has_no_open_step()

    def a_work_order_is_what_its_runs_say(self) -> None:
        orders = sa.select(Workorder.id, Workorder.state, Workorder.last_activity)
        ids = [each.work_order_id for each in self.orders]
        for order in database.session.execute(orders.where(Workorder.id.in_(ids))):
            own = [run for run in self.runs if run.work_order_id == order.id]
            assert own
            assert order.state == derived(own)
            assert order.last_activity == max(map(changed_at, own))

    def no_run_is_claimed_twice_and_no_finished_run_changes(self) -> None:
        assert len(self.claims) == len(set(self.claims))
        for run in self.runs:
            before = self.seen.get(run.id)
            if before is not None and before.state in FINAL:
                assert run == before
            elif before is not None and before.state != run.state:
                assert run.state in NEXT[before.state]
            assert (run.state in FINAL) == (run.finished_at is not None)
            assert run.state != RunState.STARTED or run.started_at is not None
            assert run.state not in BUSY or run.id in self.claims
            self.seen[run.id] = run

    def no_limit_is_passed(self) -> None:
        busy = [run.workflow_id for run in self.runs if run.state in BUSY]
        first, second, own, _free = (flow.id for flow in self.flows)
        assert busy.count(first) + busy.count(second) <= 2
        assert busy.count(own) <= 1

    def what_the_portal_took_away_has_no_open_step(self) -> None:
        taken = [run.id for run in self.runs if run.error_type in ("StoppedByUser", "LostAfterStart")]
        open_steps = sa.select(Step.id).join(RunStep, RunStep.step_id == Step.id)
        if taken:
            left = open_steps.where(RunStep.run_id.in_(taken), Step.exit_reason.is_(None))
            assert database.session.scalars(left).all() == []

    def teardown(self) -> None:
        """Leave nothing behind that the next history could claim or lose."""
        for connection in self.connections:
            connection.close()
        database.session.rollback()
        database.session.execute(
            sa.text("UPDATE runs SET state = 'cancelled', finished_at = now() WHERE state = ANY(:open)"),
            {"open": [str(state) for state in UNFINISHED]},
        )
        database.session.commit()


def changed_at(run: sa.Row[Any]) -> datetime:
    """When a run last changed its state."""
    times = (run.inserted_at, run.claimed_at, run.started_at, run.finished_at)
    return max(time for time in times if time is not None)


def derived(runs: list[sa.Row[Any]]) -> str:
    """The state of a work order as workorders §4 says it, from its runs alone."""
    last = max(runs, key=changed_at)
    others = [run.state for run in runs if run is not last and run.state in UNFINISHED]
    if others:
        return "running" if RunState.STARTED in others else "pending"
    words = {"available": "pending", "claimed": "pending", "started": "running"}
    return words.get(last.state, str(last.state))


@pytest.fixture
def machine(app: Flask, committed: sa.orm.Session) -> Iterator[type[History]]:
    """A project with two workflows that share two places, one with a place of its own, one without limits."""
    project, free = make_project(concurrency=2), make_project()
    flows = [make_workflow(project), make_workflow(project), make_workflow(project, concurrency=1)]
    flows.append(make_workflow(free))
    actor = accounts.actor_of(make_user())
    committed.commit()
    engine = database.engine
    impatient = lambda connection: connection.exec_driver_sql(WAIT)  # noqa: E731
    sa.event.listen(engine, "begin", impatient)
    yield type("OneHistory", (History,), {"app": app, "actor": actor, "flows": flows})
    sa.event.remove(engine, "begin", impatient)


def test_every_interleaving_keeps_the_history_true(machine: type[History]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=40,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
