"""Cancelling what waits (workorders §12, §18.83)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from portal import dataclips, workorders
from portal.core import clock
from portal.core.errors import Conflict, NotFound
from portal.workorders.models import Run
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow
from tests.support.history import News, claimed, order_of, received, row, run_of, started

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_18_83_all_waiting_runs_of_a_work_order_are_cancelled(
    cast: Cast, flow: MadeWorkflow, news: News
) -> None:
    created = received(flow)
    again = workorders.retry_from_start(cast.project.id, created.work_order_id, actor=cast.actor(cast.editor))
    news.heard()
    with clock.frozen_at(NOON):
        assert workorders.cancel_workorder(cast.project.id, created.work_order_id) == 2
    for run in (run_of(created), row(Run, again.run_id)):
        assert (run.state, run.finished_at, run.started_at) == ("cancelled", NOON, None)
    assert order_of(created).state == "cancelled"
    assert news.events().count("workorder-updated") == 1


def test_12_2_one_run_is_cancelled_and_the_work_order_derived(cast: Cast, flow: MadeWorkflow) -> None:
    created = received(flow)
    again = workorders.retry_from_start(cast.project.id, created.work_order_id, actor=cast.actor(cast.editor))
    assert again.run_id is not None
    workorders.cancel_run(cast.project.id, again.run_id)
    assert (row(Run, again.run_id).state, run_of(created).state) == ("cancelled", "available")
    assert order_of(created).state == "pending"
    assert workorders.claim(5)[0].id == created.run_id


def test_12_1_claimed_and_started_runs_are_left_alone(cast: Cast, flow: MadeWorkflow) -> None:
    for created in (claimed(flow), started(flow)):
        before = run_of(created).state
        with pytest.raises(Conflict):
            workorders.cancel_run(cast.project.id, run_of(created).id)
        with pytest.raises(Conflict):
            workorders.cancel_workorder(cast.project.id, created.work_order_id)
        assert run_of(created).state == before


def test_12_5_another_projects_runs_are_not_found(cast: Cast, flow: MadeWorkflow) -> None:
    created = received(flow)
    with pytest.raises(NotFound):
        workorders.cancel_run(uuid.uuid4(), run_of(created).id)
    with pytest.raises(NotFound):
        workorders.cancel_workorder(uuid.uuid4(), created.work_order_id)
    assert run_of(created).state == "available"


def test_12_6_a_wiped_input_does_not_hinder(cast: Cast, flow: MadeWorkflow) -> None:
    created = received(flow)
    assert created.dataclip_id is not None
    dataclips.wipe(cast.project.id, created.dataclip_id)
    workorders.cancel_run(cast.project.id, run_of(created).id)
    assert order_of(created).state == "cancelled"


def test_12_7_a_cancelled_work_order_can_be_retried(cast: Cast, flow: MadeWorkflow) -> None:
    created = received(flow)
    workorders.cancel_workorder(cast.project.id, created.work_order_id)
    workorders.retry_from_start(cast.project.id, created.work_order_id, actor=cast.actor(cast.editor))
    assert order_of(created).state == "pending"
