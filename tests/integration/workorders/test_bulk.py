"""Bulk work: preview, confirmation, cut-off, results, cancellation (workorders §10.5, §12.5)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from portal import operations, workorders
from portal.audit import AuditEvent
from portal.core import clock
from portal.core.db import session
from portal.core.errors import Conflict, Invalid, NotFound
from portal.operations import Operation
from portal.projects import Role
from portal.workorders import Changed, Deed, SearchFilters, Selection, bulk
from portal.workorders.models import Run
from tests.support.bulk import NOW, did, items, many, new_runs, preview, start
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project, make_workflow
from tests.support.history import News, claimed, finished, order_of, received, refusals, run_of
from tests.support.past import happen


def test_a_preview_counts_what_is_acted_on_and_why_the_rest_is_not(cast: Cast, flow: MadeWorkflow) -> None:
    many(flow, 3)
    happen(flow, at=NOW, state="failed", wiped=True)
    other = make_workflow(cast.project)
    happen(other, at=NOW, state="failed")
    other.workflow.deleted_at = clock.now()
    session().flush()
    shown = preview(cast)
    assert (shown.acts_on, shown.total, shown.more) == (3, 5, False)
    assert shown.excluded == {"input_wiped": 1, "workflow_deleted": 1}
    assert (shown.oldest, shown.newest) == (NOW, NOW + timedelta(minutes=2))
    assert set(shown.excluded) <= set(workorders.EXCLUSIONS)


def test_a_preview_changes_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    many(flow, 2)
    preview(cast)
    assert new_runs(cast) == []
    assert session().scalar(sa.select(sa.func.count(Operation.id))) == 0


def test_unfinished_and_foreign_work_orders_are_left_out_of_a_selection(
    cast: Cast, flow: MadeWorkflow
) -> None:
    good, waiting, stranger = finished(flow), claimed(flow), uuid.uuid4()
    ids = (good.work_order_id, waiting.work_order_id, stranger)
    shown = preview(cast, Selection(ids=ids))
    assert (shown.acts_on, shown.excluded) == (1, {"unfinished": 1, "not_here": 1})
    operation = did(start(cast, shown))
    assert operation.result == {"done": 1, "skipped": {"not_here": 1, "unfinished": 1}}
    assert (operation.done, operation.total) == (3, 3)
    assert items(operation) == {
        good.work_order_id: ("done", None),
        waiting.work_order_id: ("skipped", "unfinished"),
        stranger: ("skipped", "not_here"),
    }


def test_work_orders_of_another_project_are_left_alone(cast: Cast, flow: MadeWorkflow) -> None:
    theirs = make_project("other", members={cast.editor: Role.EDITOR})
    foreign = happen(make_workflow(theirs), state="failed", at=NOW)
    mine = happen(flow, state="failed", at=NOW)
    session().commit()
    operation = did(start(cast, preview(cast, Selection(ids=(foreign.id, mine.id)))))
    assert items(operation)[foreign.id] == ("skipped", "not_here")
    assert [run.work_order_id for run in new_runs(cast)] == [mine.id]
    with pytest.raises(NotFound):
        workorders.retry_failed_items(theirs.id, operation.id, actor=cast.actor(cast.editor))
    token = preview(cast).token
    with pytest.raises(Invalid):
        workorders.start_bulk(theirs, token, actor=cast.actor(cast.editor))


def test_what_counting_is_capped_at_is_said(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST_COUNTED", 3)
    many(flow, 5)
    session().commit()
    shown = preview(cast)
    assert (shown.acts_on, shown.total, shown.more) == (3, 3, True)
    operation = did(start(cast, shown))
    assert (operation.done, operation.total, operation.result) == (5, 5, {"done": 5, "skipped": {}})


def test_what_came_or_changed_after_the_cut_off_is_not_touched(cast: Cast, flow: MadeWorkflow) -> None:
    kept, moved = finished(flow), finished(flow)
    ids = (kept.work_order_id, moved.work_order_id)
    by_ids, by_filter = preview(cast, Selection(ids=ids)), preview(cast)
    operations_ = [start(cast, by_filter), start(cast, by_ids)]
    late = finished(flow)
    workorders.retry_from_start(cast.project.id, moved.work_order_id, actor=cast.actor(cast.owner))
    first, second = did(operations_[0]), did(operations_[1])
    assert first.result == {"done": 1, "skipped": {"changed": 1}}
    assert (first.done, first.total) == (2, 2)
    assert second.result == {"done": 0, "skipped": {"changed": 2}}
    assert [run.work_order_id for run in new_runs(cast)] == [kept.work_order_id]
    assert order_of(late).state == "failed"


def test_a_set_that_changed_is_shown_anew(cast: Cast, flow: MadeWorkflow) -> None:
    finished(flow)
    moved = finished(flow)
    shown = preview(cast)
    finished(flow)
    workorders.retry_from_start(cast.project.id, moved.work_order_id, actor=cast.actor(cast.owner))
    with pytest.raises(Changed) as changed:
        start(cast, shown)
    assert changed.value.status == 409
    assert changed.value.preview.acts_on == 2
    operation = did(start(cast, changed.value.preview))
    assert operation.result == {"done": 2, "skipped": {}}


def test_what_was_received_since_does_not_change_the_set(cast: Cast, flow: MadeWorkflow) -> None:
    first = finished(flow)
    shown = preview(cast)
    finished(flow)
    did(start(cast, shown))
    assert [run.work_order_id for run in new_runs(cast)] == [first.work_order_id]


def test_two_tabs_that_confirm_the_same_preview_start_one_operation(cast: Cast, flow: MadeWorkflow) -> None:
    many(flow, 3)
    session().commit()
    shown = preview(cast)
    first = start(cast, shown)
    assert start(cast, shown).id == first.id
    did(first)
    assert start(cast, shown).id == first.id
    assert len(new_runs(cast)) == 3
    assert [event for event, _ in entries()] == ["requested", "completed"]


def entries() -> list[tuple[str, dict[str, Any]]]:
    found = session().execute(
        sa.select(AuditEvent.event, AuditEvent.details)
        .where(AuditEvent.item_type == "bulk_work")
        .order_by(AuditEvent.id)
    )
    return [(event, details) for event, details in found]


def test_a_bulk_deed_is_audited_when_asked_for_and_at_its_end(cast: Cast, flow: MadeWorkflow) -> None:
    many(flow, 2)
    session().commit()
    did(start(cast, preview(cast)))
    (asked, before), (ended, after) = entries()
    assert (asked, ended) == ("requested", "completed")
    assert (before["deed"], before["filters"], before["acts_on"]) == ("retry", {"states": ["failed"]}, 2)
    assert after == {"done": 2, "skipped": {}}


def test_a_forged_foreign_or_old_token_is_refused(cast: Cast, flow: MadeWorkflow) -> None:
    many(flow, 1)
    shown = preview(cast)
    actor = cast.actor(cast.editor)
    for bad in ("", "x", shown.token + "x", "é\x00"):
        assert "token" in refusals(lambda bad=bad: workorders.start_bulk(cast.project, bad, actor=actor))  # type: ignore[misc]
    with clock.frozen_at(shown.cut_off + timedelta(minutes=61)):
        assert "token" in refusals(lambda: start(cast, shown))
    with clock.frozen_at(shown.cut_off + timedelta(minutes=59)):
        start(cast, shown)


def test_an_empty_set_starts_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    shown = preview(cast)
    assert (shown.acts_on, shown.total) == (0, 0)
    with pytest.raises(Conflict):
        start(cast, shown)


def test_a_job_belongs_to_one_workflow_and_to_its_present_version(cast: Cast, flow: MadeWorkflow) -> None:
    many(flow, 1)
    deed = Deed.RETRY_FROM_JOB
    own = flow.jobs["First"].id
    assert preview(cast, deed=deed, job_id=own).excluded == {"no_such_step": 1}
    assert "job_id" in refusals(lambda: preview(cast, deed=deed))
    assert "job_id" in refusals(lambda: preview(cast, deed=deed, job_id=uuid.uuid4()))
    many(make_workflow(cast.project), 1)
    assert "job_id" in refusals(lambda: preview(cast, deed=deed, job_id=own))


def test_selections_that_make_no_sense_are_refused(cast: Cast) -> None:
    one = (uuid.uuid4(),)
    for bad in (Selection(), Selection(ids=one * 1001), Selection(SearchFilters(), one)):
        assert "ids" in refusals(lambda bad=bad: preview(cast, bad))  # type: ignore[misc]


def test_18_83_waiting_runs_are_cancelled_a_hundred_at_a_time(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workorders.cancel, "AT_ONCE", 2)
    waiting = [received(flow) for _ in range(3)]
    for created in waiting:
        workorders.retry_from_start(cast.project.id, created.work_order_id, actor=cast.actor(cast.owner))
    held = claimed(flow)
    selection = Selection(filters=SearchFilters(states=("pending",)))
    shown = preview(cast, selection, Deed.CANCEL)
    assert (shown.acts_on, shown.excluded) == (3, {"nothing_waiting": 1})
    operation = start(cast, shown)
    late = received(flow)
    operation = did(operation)
    assert operation.result == {"done": 3, "skipped": {"nothing_waiting": 1}}
    runs = session().scalars(sa.select(Run).where(Run.state == "cancelled")).all()
    assert len(runs) == 6
    assert all(run.finished_at and run.started_at is None for run in runs)
    assert {order_of(created).state for created in waiting} == {"cancelled"}
    assert (order_of(late).state, run_of(late).state, run_of(held).state) == (
        *("pending", "available", "claimed"),
    )


def test_12_6_wiped_inputs_do_not_hinder_a_bulk_cancellation(cast: Cast, flow: MadeWorkflow) -> None:
    from portal import dataclips

    created = received(flow)
    assert created.dataclip_id is not None
    dataclips.wipe(cast.project.id, created.dataclip_id)
    did(start(cast, preview(cast, Selection(ids=(created.work_order_id,)), Deed.CANCEL)))
    assert order_of(created).state == "cancelled"


def test_a_cancelled_run_beside_a_working_one_leaves_the_work_order_running(
    cast: Cast, flow: MadeWorkflow
) -> None:
    created = claimed(flow)
    workorders.start_run(run_of(created).id)
    workorders.retry_from_start(cast.project.id, created.work_order_id, actor=cast.actor(cast.owner))
    did(start(cast, preview(cast, Selection(ids=(created.work_order_id,)), Deed.CANCEL)))
    assert order_of(created).state == "running"


def test_again_for_what_failed(cast: Cast, flow: MadeWorkflow) -> None:
    good, waiting = finished(flow), claimed(flow)
    ids = (good.work_order_id, waiting.work_order_id)
    actor = cast.actor(cast.editor)
    first = start(cast, preview(cast, Selection(ids=ids)))
    with pytest.raises(Conflict):
        workorders.retry_failed_items(cast.project.id, first.id, actor=actor)
    did(first)
    workorders.start_run(run_of(waiting).id)
    workorders.complete_run(run_of(waiting).id, state="failed")
    second = workorders.retry_failed_items(cast.project.id, first.id, actor=actor)
    assert workorders.retry_failed_items(cast.project.id, first.id, actor=actor).id == second.id
    assert did(second).result == {"done": 1, "skipped": {}}
    assert [run.work_order_id for run in new_runs(cast)] == list(ids)
    with pytest.raises(Conflict):
        workorders.retry_failed_items(cast.project.id, second.id, actor=actor)


def test_news_of_many_is_one_piece(
    cast: Cast, flow: MadeWorkflow, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.workorders.events.MOST_IDS", 2)
    many(flow, 3)
    session().commit()
    operation = start(cast, preview(cast))
    news.heard()
    did(operation)
    told = [(event, item) for _, event, item in news.heard() if event != "operation-changed"]
    assert told == [("workorder-updated", None), ("run-created", None)]


def test_operations_list_the_items(cast: Cast, flow: MadeWorkflow) -> None:
    many(flow, 2)
    happen(flow, at=NOW, state="failed", wiped=True)
    session().commit()
    operation = did(start(cast, preview(cast)))
    page = operations.items(operation.id)
    assert len(page.items) == 3
    assert {item.made_id for item in page.items} == {None, *(run.id for run in new_runs(cast))}
    assert operations.count_not_done(operation.id) == {"input_wiped": 1}
