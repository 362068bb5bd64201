"""Failed runs sorted into groups, each once, and what people say of the groups (workorders §22)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.audit.models import AuditEvent
from portal.core import clock, events
from portal.core.access import SYSTEM
from portal.core.db import session
from portal.core.errors import NotFound
from portal.workorders import GroupSort, GroupState, group_sorting
from portal.workorders.group_models import ErrorGroup, ErrorGroupDay
from portal.workorders.models import LogLevel, LogLine, Run
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project, make_workflow
from tests.support.history import News, finished
from tests.support.past import Happened, happen, log

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def fail(
    flow: MadeWorkflow,
    text: str | None = "Patient 7 is not known",
    *,
    at: datetime = NOW,
    error_type: str | None = "AdaptorError",
    **more: Any,
) -> Happened:
    made = happen(flow, at=at, state=more.pop("state", "failed"), error_type=error_type, **more)
    if text is not None:
        log(made.run, ["Starting", text], level=LogLevel.ERROR)
    return made


def sort_all() -> int:
    """As the ticker does, a minute later."""
    with clock.frozen_at(clock.now() + timedelta(minutes=1)):
        return workorders.sort_failures()


def groups() -> list[ErrorGroup]:
    query = sa.select(ErrorGroup).order_by(ErrorGroup.message).execution_options(populate_existing=True)
    return list(session().scalars(query))


def only_group() -> ErrorGroup:
    (found,) = groups()
    return found


def group_of(made: Happened) -> uuid.UUID | None:
    return session().scalar(sa.select(Run.error_group_id).where(Run.id == made.run.id))


def audited() -> list[tuple[str, uuid.UUID, Any]]:
    query = sa.select(AuditEvent).where(AuditEvent.item_type == "error_group").order_by(AuditEvent.id)
    return [(row.event, row.actor_id, row.changes) for row in session().scalars(query)]


def test_22_1_runs_with_the_same_normalised_error_are_one_group(cast: Cast, flow: MadeWorkflow) -> None:
    first = fail(flow, "Patient 7 is not known", at=NOW - timedelta(days=2))
    last = fail(flow, "Patient 4711 is not known", at=NOW)
    middle = fail(flow, "Patient 12 is not known", at=NOW - timedelta(days=2, hours=1))
    assert sort_all() == 3
    group = only_group()
    assert (group.message, group.error_type) == ("Patient <number> is not known", "AdaptorError")
    assert (group.occurrences, group.state, group.last_run_id) == (3, GroupState.OPEN, last.run.id)
    assert (group.first_seen_at, group.last_seen_at) == (NOW - timedelta(days=2, hours=1), NOW)
    assert {group_of(each) for each in (first, middle, last)} == {group.id}


def test_22_1_workflow_type_and_message_keep_groups_apart(cast: Cast, flow: MadeWorkflow) -> None:
    fail(flow)
    fail(flow, error_type="TimeoutError")
    fail(flow, error_type=None)
    fail(flow, "connection refused")
    fail(make_workflow(cast.project))
    assert sort_all() == 5
    assert len(groups()) == 5


@pytest.mark.parametrize("state", ["failed", "crashed", "killed", "exception", "lost"])
def test_22_1_every_way_to_fail_is_sorted(cast: Cast, flow: MadeWorkflow, state: str) -> None:
    made = fail(flow, state=state)
    sort_all()
    assert group_of(made) == only_group().id


@pytest.mark.parametrize("state", ["success", "cancelled", "pending", "running"])
def test_22_1_what_did_not_fail_has_no_group(cast: Cast, flow: MadeWorkflow, state: str) -> None:
    fail(flow, state=state)
    assert (sort_all(), groups()) == (0, [])


def test_22_1_the_last_error_line_speaks_then_the_last_of_the_runtime_then_the_type(
    cast: Cast, flow: MadeWorkflow
) -> None:
    with_error = fail(flow, "disk full")
    log(with_error.run, ["and a remark"])
    with_runtime = fail(flow, None)
    for seq, (source, message) in enumerate([("R/T", "step one"), ("R/T", "step two"), ("JOB", "three")], 1):
        line = LogLine(run_id=with_runtime.run.id, seq=seq, source=source, message=message, timestamp=NOW)
        session().add(line)
    with_runtime.run.log_count = 3
    silent = fail(flow, None)
    session().flush()
    sort_all()
    messages = {group.id: group.message for group in groups()}
    found = [messages[group_of(each)] for each in (with_error, with_runtime, silent)]  # type: ignore[index]
    assert found == ["disk full", "step two", ""]


def test_22_2_a_run_waits_until_its_last_lines_can_be_there(cast: Cast, flow: MadeWorkflow) -> None:
    fail(flow)
    assert (workorders.anything_unsorted(), workorders.sort_failures()) == (False, 0)
    with clock.frozen_at(clock.now() + timedelta(seconds=6)):
        assert workorders.anything_unsorted()
        assert workorders.sort_failures() == 1
        assert not workorders.anything_unsorted()


def test_22_2_a_run_is_counted_once_however_often_the_sorter_comes(cast: Cast, flow: MadeWorkflow) -> None:
    made = fail(flow)
    assert (sort_all(), sort_all()) == (1, 0)
    log(made.run, ["another error"], level=LogLevel.ERROR)
    assert sort_all() == 0
    assert only_group().occurrences == 1


def test_22_2_batches_go_on_until_nothing_is_left(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_sorting, "BATCH", 3)
    for number in range(8):
        fail(flow, at=NOW - timedelta(days=number % 2))
    assert sort_all() == 8
    assert only_group().occurrences == 8
    days = session().execute(sa.select(ErrorGroupDay.day, ErrorGroupDay.occurrences)).all()
    assert {row.day: row.occurrences for row in days} == {
        NOW.date(): 4,
        (NOW - timedelta(days=1)).date(): 4,
    }


def test_22_2_older_runs_that_come_late_move_the_first_sight_alone(cast: Cast, flow: MadeWorkflow) -> None:
    last = fail(flow, at=NOW)
    sort_all()
    fail(flow, at=NOW - timedelta(days=9))
    sort_all()
    group = only_group()
    assert (group.first_seen_at, group.last_seen_at) == (NOW - timedelta(days=9), NOW)
    assert (group.last_run_id, group.occurrences) == (last.run.id, 2)


def test_22_2_a_retry_that_succeeds_takes_nothing_back(cast: Cast, flow: MadeWorkflow) -> None:
    made = finished(flow, "failed")
    sort_all()
    retried = workorders.retry_from_start(cast.project.id, made.work_order_id, actor=cast.actor(cast.editor))
    assert retried.run_id
    workorders.claim_run(retried.run_id, "w")
    workorders.start_run(retried.run_id)
    workorders.complete_run(retried.run_id, state="success")
    sort_all()
    assert only_group().occurrences == 1


def test_22_3_a_resolved_group_opens_by_itself_when_its_error_comes_back(
    cast: Cast, flow: MadeWorkflow
) -> None:
    actor = cast.actor(cast.editor)
    fail(flow, at=NOW - timedelta(hours=3))
    sort_all()
    group_id = only_group().id
    with clock.frozen_at(NOW - timedelta(hours=2)):
        workorders.set_group_state(cast.project.id, group_id, GroupState.RESOLVED, actor=actor)
    fail(flow, at=NOW - timedelta(hours=2, minutes=5))
    sort_all()
    assert only_group().state is GroupState.RESOLVED
    fail(flow, at=NOW)
    sort_all()
    group = only_group()
    assert (group.state, group.state_changed_by_id, group.occurrences) == (GroupState.OPEN, None, 3)
    assert audited() == [
        ("resolved", actor.id, {"before": {"state": "open"}, "after": {"state": "resolved"}}),
        ("reopened", SYSTEM.id, {"before": {"state": "resolved"}, "after": {"state": "open"}}),
    ]


def test_22_3_an_ignored_group_counts_and_stays_ignored(cast: Cast, flow: MadeWorkflow) -> None:
    fail(flow)
    sort_all()
    group_id, actor = only_group().id, cast.actor(cast.editor)
    with clock.frozen_at(NOW - timedelta(hours=2)):
        workorders.set_group_state(cast.project.id, group_id, GroupState.IGNORED, actor=actor)
    fail(flow)
    sort_all()
    assert (only_group().state, only_group().occurrences) == (GroupState.IGNORED, 2)


def test_22_3_the_state_that_it_has_changes_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    fail(flow)
    sort_all()
    row = workorders.set_group_state(
        cast.project.id, only_group().id, GroupState.OPEN, actor=cast.actor(cast.editor)
    )
    assert (row.state_changed_at, audited()) == (None, [])


def test_22_3_a_group_of_another_project_is_not_there(cast: Cast, flow: MadeWorkflow) -> None:
    fail(flow)
    sort_all()
    other, group_id = make_project(), only_group().id
    with pytest.raises(NotFound):
        workorders.get_error_group(other.id, group_id)
    with pytest.raises(NotFound):
        workorders.set_group_state(other.id, group_id, GroupState.RESOLVED, actor=cast.actor(cast.editor))
    assert workorders.runs_of_group(other.id, group_id) == []
    assert (only_group().state, audited()) == (GroupState.OPEN, [])


def test_22_4_the_list_pages_by_key_in_both_orders(cast: Cast, flow: MadeWorkflow) -> None:
    texts = ["alpha", "beta", "gamma", "delta", "epsilon"]
    for place, text in enumerate(texts):
        for _time in range(1 + place % 3):
            fail(flow, text, at=NOW - timedelta(hours=place))
    fail(make_workflow(cast.project), "elsewhere", at=NOW + timedelta(hours=1))
    sort_all()

    def read(**asked: Any) -> list[str]:
        found, cursor = [], None
        while True:
            page = workorders.list_error_groups(cast.project, cursor=cursor, size=2, **asked)
            found += [row.message for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found

    assert read() == ["elsewhere", *texts]
    assert read(workflow=flow.id) == texts
    counts = {text: 1 + place % 3 for place, text in enumerate(texts)}
    by_count = read(workflow=flow.id, sort=GroupSort.COUNT)
    assert sorted(by_count) == sorted(texts)
    assert [counts[text] for text in by_count] == sorted(counts.values(), reverse=True)
    assert read(states=[GroupState.IGNORED]) == []
    assert read(states=[]) == read(states=list(GroupState)) == ["elsewhere", *texts]
    assert workorders.count_open_groups(cast.project.id) == 6
    assert workorders.list_error_groups(make_project()).items == []


def test_22_4_states_share_one_order(cast: Cast, flow: MadeWorkflow) -> None:
    for place, text in enumerate(["alpha", "beta", "gamma"]):
        fail(flow, text, at=NOW - timedelta(hours=place))
    sort_all()
    resolved = next(group for group in groups() if group.message == "beta")
    workorders.set_group_state(
        cast.project.id, resolved.id, GroupState.RESOLVED, actor=cast.actor(cast.editor)
    )
    both = workorders.list_error_groups(cast.project, states=[GroupState.OPEN, GroupState.RESOLVED])
    assert [row.message for row in both.items] == ["alpha", "beta", "gamma"]
    assert [row.message for row in workorders.list_error_groups(cast.project).items] == ["alpha", "gamma"]
    row = workorders.get_error_group(cast.project.id, resolved.id)
    assert (row.state, row.state_changed_by_id) == (GroupState.RESOLVED, cast.editor.id)
    assert row.workflow_name == flow.workflow.name


def test_22_4_the_trend_has_a_number_for_each_of_thirty_days(cast: Cast, flow: MadeWorkflow) -> None:
    for days in (0, 0, 3, 29, 30, 90):
        fail(flow, at=NOW - timedelta(days=days))
    sort_all()
    group_id, nothing = only_group().id, uuid.uuid4()
    with clock.frozen_at(NOW):
        trend = workorders.group_trend([group_id, nothing])
    assert list(trend[group_id]) == [(NOW - timedelta(days=back)).date() for back in range(29, -1, -1)]
    assert [count for count in trend[group_id].values() if count] == [1, 1, 2]
    assert set(trend[nothing].values()) == {0}
    assert workorders.group_trend([]) == {}


def test_22_4_the_newest_runs_come_first(cast: Cast, flow: MadeWorkflow) -> None:
    made = [fail(flow, at=NOW - timedelta(hours=back)) for back in range(4)]
    sort_all()
    found = workorders.runs_of_group(cast.project.id, only_group().id, limit=3)
    assert [run.id for run in found] == [each.run.id for each in made[:3]]
    assert found[0].work_order_id == made[0].id


def test_22_5_the_project_hears_of_groups(cast: Cast, flow: MadeWorkflow, news: News) -> None:
    fail(flow)
    sort_all()
    group_id = str(only_group().id)
    told = (events.project_topic(cast.project.id), "error-group-changed", group_id)
    assert [each for each in news.heard() if each[1] == "error-group-changed"] == [told]
    workorders.set_group_state(
        cast.project.id, only_group().id, GroupState.IGNORED, actor=cast.actor(cast.editor)
    )
    assert news.heard() == [told]


def test_22_2_a_batch_costs_a_fixed_number_of_statements(cast: Cast, flow: MadeWorkflow) -> None:
    def cost(runs: int) -> int:
        for number in range(runs):
            fail(flow, f"trouble {'abcdefghij'[number]}")
        with counted() as statements:
            sort_all()
        return len(statements)

    assert cost(2) == cost(9)


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements of the block."""
    found: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        found.append(statement)

    bind = session().get_bind()
    sa.event.listen(bind, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(bind, "before_cursor_execute", note)
