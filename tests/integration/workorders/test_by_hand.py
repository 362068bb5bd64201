"""Retry, cancel and run by hand: judged on the state of now, audited (workorders §10.5, §12, §5.2)."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.audit.models import AuditEvent
from portal.core import db
from portal.core.errors import Conflict, NotFound
from portal.workorders.models import Run
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project
from tests.support.history import (
    claimed,
    done_step,
    finished,
    order_of,
    received,
    refusals,
    run_of,
    started,
)

ENDED = ("success", "failed", "crashed", "cancelled", "killed", "exception", "lost")


@pytest.fixture
def editor(cast: Cast):
    return cast.actor(cast.editor)


def entries() -> list[tuple[str, str, uuid.UUID]]:
    found = db.session().scalars(sa.select(AuditEvent).order_by(AuditEvent.id))
    return [(entry.item_type, entry.event, entry.item_id) for entry in found]


def runs_of(work_order_id: uuid.UUID) -> int:
    counted = sa.select(sa.func.count()).select_from(Run).where(Run.work_order_id == work_order_id)
    return db.session().scalar(counted) or 0


@pytest.mark.parametrize("state", ENDED)
def test_10_5_what_has_ended_is_retried(cast: Cast, flow: MadeWorkflow, editor, state: str) -> None:
    created = finished(flow, state)
    again = workorders.retry_by_hand(cast.project.id, created.work_order_id, actor=editor)
    assert order_of(again).state == "pending"
    assert runs_of(created.work_order_id) == 2
    assert entries() == [("workorder", "retried", created.work_order_id)]


def test_10_5_a_rejected_work_order_is_retried(cast: Cast, flow: MadeWorkflow, editor) -> None:
    created = received(flow, runs_allowed=False)
    again = workorders.retry_by_hand(cast.project.id, created.work_order_id, actor=editor)
    assert order_of(again).state == "pending"


@pytest.mark.parametrize("make", [received, claimed, started])
def test_10_5_what_waits_or_runs_is_not(cast: Cast, flow: MadeWorkflow, editor, make) -> None:
    created = make(flow)
    with pytest.raises(Conflict):
        workorders.retry_by_hand(cast.project.id, created.work_order_id, actor=editor)
    assert runs_of(created.work_order_id) == 1
    assert entries() == []


def test_10_5_nor_from_a_step_of_it(cast: Cast, flow: MadeWorkflow, editor) -> None:
    created = started(flow)
    step_id, _ = done_step(flow, created, "First")
    with pytest.raises(Conflict):
        workorders.retry_step_by_hand(cast.project.id, run_of(created).id, step_id, actor=editor)
    assert runs_of(created.work_order_id) == 1


def test_a_retry_from_a_step_says_in_the_audit_which(cast: Cast, flow: MadeWorkflow, editor) -> None:
    created = started(flow)
    step_id, _ = done_step(flow, created, "First")
    workorders.complete_run(run_of(created).id, state="failed")
    again = workorders.retry_step_by_hand(cast.project.id, run_of(created).id, step_id, actor=editor)
    entry = db.session().scalars(sa.select(AuditEvent)).one()
    assert (entry.event, entry.actor_id, entry.project_id) == ("retried", editor.id, cast.project.id)
    assert entry.changes == {"before": {"state": "failed"}, "after": {"state": "pending"}}
    assert entry.details == {"run_id": str(again.run_id), "step_id": str(step_id)}


def test_12_cancelling_is_audited_once_each(cast: Cast, flow: MadeWorkflow, editor) -> None:
    one, all_of_it = received(flow), received(flow)
    workorders.cancel_run_by_hand(cast.project.id, run_of(one).id, actor=editor)
    assert workorders.cancel_by_hand(cast.project.id, all_of_it.work_order_id, actor=editor) == 1
    assert [run_of(one).state, order_of(all_of_it).state] == ["cancelled", "cancelled"]
    assert entries() == [
        ("run", "cancelled", run_of(one).id),
        ("workorder", "cancelled", all_of_it.work_order_id),
    ]


def test_12_3_what_was_claimed_first_is_left_alone_and_not_audited(
    cast: Cast, flow: MadeWorkflow, editor
) -> None:
    created = claimed(flow)
    with pytest.raises(Conflict):
        workorders.cancel_run_by_hand(cast.project.id, run_of(created).id, actor=editor)
    with pytest.raises(Conflict):
        workorders.cancel_by_hand(cast.project.id, created.work_order_id, actor=editor)
    assert run_of(created).state == "claimed"
    assert entries() == []


def test_forged_ids_are_not_found_and_change_nothing(flow: MadeWorkflow, editor) -> None:
    created = started(flow)
    step_id, _ = done_step(flow, created, "First")
    workorders.complete_run(run_of(created).id, state="failed")
    waiting, other = received(flow), make_project().id
    for deed in (
        lambda: workorders.retry_by_hand(other, created.work_order_id, actor=editor),
        lambda: workorders.retry_step_by_hand(other, run_of(created).id, step_id, actor=editor),
        lambda: workorders.cancel_by_hand(other, waiting.work_order_id, actor=editor),
        lambda: workorders.cancel_run_by_hand(other, run_of(waiting).id, actor=editor),
        lambda: workorders.run_by_hand(other, flow.id, flow.jobs["First"].id, actor=editor, body={}),
    ):
        with pytest.raises(NotFound):
            deed()
    assert (runs_of(created.work_order_id), run_of(waiting).state) == (1, "available")
    assert entries() == []


def test_5_a_run_by_hand_is_audited_without_its_input(cast: Cast, flow: MadeWorkflow, editor) -> None:
    job = flow.jobs["Second"]
    created = workorders.run_by_hand(
        cast.project.id, flow.id, job.id, actor=editor, body='{"name": "Bukayo"}'
    )
    assert (run_of(created).starting_job_id, run_of(created).created_by_id) == (job.id, editor.id)
    entry = db.session().scalars(sa.select(AuditEvent)).one()
    assert (entry.event, entry.item_id) == ("created", created.work_order_id)
    assert "Bukayo" not in str((entry.changes, entry.details))


def test_5_what_is_refused_is_not_audited(cast: Cast, flow: MadeWorkflow, editor) -> None:
    job = flow.jobs["First"]
    refused = refusals(
        lambda: workorders.run_by_hand(cast.project.id, flow.id, job.id, actor=editor, body="[1]")
    )
    assert refused == {"body": ["must be a JSON object"]}
    assert entries() == []
