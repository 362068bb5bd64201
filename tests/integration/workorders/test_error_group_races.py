"""Sorters that meet, and sorters that die: nothing is counted twice, nothing is lost (workorders §22.2)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import workorders
from portal.audit.models import AuditEvent
from portal.core import clock, db
from portal.core.access import SYSTEM, Actor
from portal.workorders import GroupState, group_sorting
from portal.workorders.group_models import ErrorGroup, ErrorGroupDay
from portal.workorders.models import LogLevel, Run
from tests.support.factories import MadeWorkflow, make_project, make_user, make_workflow
from tests.support.past import happen, log

TEXTS = ["alpha 1", "beta", "gamma", "delta", "epsilon"]


class Died(Exception):
    """The process ended here."""


def failures(flow: MadeWorkflow, number: int) -> None:
    for place in range(number):
        made = happen(flow, state="failed", at=clock.now() - timedelta(days=place % 3, minutes=place))
        log(made.run, [TEXTS[place % len(TEXTS)]], level=LogLevel.ERROR)
    db.session().execute(sa.update(Run).values(updated_at=clock.now() - timedelta(minutes=1)))
    db.session().commit()


def state() -> dict[str, Any]:
    """All that sorting writes."""
    answer = {
        "groups": db.session().execute(sa.select(ErrorGroup.message, ErrorGroup.occurrences)).all(),
        "days": db.session().scalar(sa.select(sa.func.sum(ErrorGroupDay.occurrences))) or 0,
        "sorted": db.session().scalar(sa.select(sa.func.count(Run.error_group_id))),
        "states": sorted(db.session().scalars(sa.select(ErrorGroup.state))),
        "audited": db.session().scalar(sa.select(sa.func.count()).select_from(AuditEvent)),
    }
    answer["groups"] = sorted(tuple(row) for row in answer["groups"])
    db.session().rollback()
    return answer


def check_sums(runs: int) -> None:
    found = state()
    assert sum(times for _message, times in found["groups"]) == found["days"] == found["sorted"] == runs
    counted = sa.select(Run.error_group_id, sa.func.count()).group_by(Run.error_group_id)
    runs_of = dict(db.session().execute(counted).all())
    assert {row.id: row.occurrences for row in db.session().scalars(sa.select(ErrorGroup))} == runs_of
    db.session().rollback()


def test_22_2_sorters_at_once_count_each_run_once(
    committed: sa.orm.Session, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_sorting, "BATCH", 7)
    flows = [make_workflow(make_project()) for _ in range(2)]
    for flow in flows:
        failures(flow, 60)

    def sorter(_number: int) -> int:
        with app.app_context():
            return workorders.sort_failures()

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(sorter, range(4)))
    assert workorders.sort_failures() + sum(shares) == 120
    check_sums(120)
    assert len(state()["groups"]) == 2 * len(TEXTS)


def test_22_2_a_sorter_that_dies_at_any_statement_leaves_nothing_half_done(
    committed: sa.orm.Session,
) -> None:
    """Every statement of a batch, the audit entry of a reopened group included, is where it dies once."""
    flow = make_workflow(make_project())
    actor_id = make_user().id
    failures(flow, 10)
    workorders.sort_failures()
    resolved = {"state": GroupState.RESOLVED, "state_changed_at": clock.now() - timedelta(days=30)}
    db.session().execute(sa.update(ErrorGroup).values(**resolved, state_changed_by_id=actor_id))
    failures(flow, 15)
    before = state()
    assert before["states"] == ["resolved"] * len(TEXTS)
    deaths = 0
    while not _survives(dies_at=deaths + 1):
        assert state() == before
        deaths += 1
    assert deaths > 5
    check_sums(25)
    after = state()
    assert after["states"] == ["open"] * len(TEXTS)
    actors = db.session().scalars(sa.select(AuditEvent.actor_id).where(AuditEvent.event == "reopened")).all()
    assert list(actors) == [SYSTEM.id] * len(TEXTS)


def _survives(dies_at: int) -> bool:
    """Sort one batch; the process ends right before its statement `dies_at`. Whether it came to an end."""
    left = [dies_at]

    def die(*_arguments: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Died

    sa.event.listen(db.db.engine, "before_cursor_execute", die)
    try:
        workorders.sort_failures(seconds=0)
        return True
    except Died:
        db.session().rollback()
        return False
    finally:
        sa.event.remove(db.db.engine, "before_cursor_execute", die)


def test_22_3_a_person_and_a_sorter_at_once_leave_a_true_state(committed: sa.orm.Session, app: Flask) -> None:
    """Resolved while failures from before are sorted: it stays resolved, whoever was first."""
    project = make_project()
    flow = make_workflow(project)
    failures(flow, 5)
    workorders.sort_failures()
    failures(flow, 60)
    group_id = db.session().scalars(sa.select(ErrorGroup.id)).first()
    assert group_id

    def sorter() -> object:
        with app.app_context():
            return workorders.sort_failures()

    def person() -> object:
        with app.app_context():
            return workorders.set_group_state(project.id, group_id, GroupState.RESOLVED, actor=somebody)

    user = make_user()
    db.session().commit()
    somebody = Actor(id=user.id)
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(sorter), pool.submit(person)]:
            each.result()
    row = workorders.get_error_group(project.id, group_id)
    assert row.state is GroupState.RESOLVED
    check_sums(65)
