"""Appending and reading log lines (workorders §8.5, §18.32-37)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core import clock, db
from portal.core.errors import NotFound
from portal.workorders import Created
from portal.workorders.models import LogLine
from tests.support.factories import MadeWorkflow
from tests.support.history import News, finished, received, refusals, run_of, started, step_of

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def line(message: object = "hello", **more: Any) -> dict[str, Any]:
    return {"message": message, "timestamp": NOON, **more}


def append(created: Created, *lines: dict[str, Any], **more: Any) -> list[int]:
    assert created.run_id is not None
    return workorders.append_logs(created.run_id, lines, **more)


def stored(created: Created) -> list[LogLine]:
    found = sa.select(LogLine).where(LogLine.run_id == created.run_id).order_by(LogLine.seq)
    return list(db.session().scalars(found.execution_options(populate_existing=True)))


def test_18_32_a_line_with_three_faults_has_three_errors(flow: MadeWorkflow) -> None:
    created = started(flow)
    assert refusals(lambda: append(created, {"source": "0123456789"})) == {
        "message": ["can't be blank"],
        "timestamp": ["can't be blank"],
        "source": ["should be at most 8 character(s)"],
    }
    assert stored(created) == []


def test_8_5_unknown_levels_and_unreadable_times_are_errors(flow: MadeWorkflow) -> None:
    created = started(flow)
    assert refusals(lambda: append(created, line(level="loud", timestamp="soon"))) == {
        "level": ["is invalid"],
        "timestamp": ["is invalid"],
    }


def test_18_33_a_step_of_another_run_is_refused(flow: MadeWorkflow) -> None:
    created, other = started(flow), started(flow)
    foreign = step_of(flow, other, "First")
    for step_id in (foreign, uuid.uuid4(), "nonsense"):
        problems = refusals(lambda step_id=step_id: append(created, line(step_id=step_id)))  # type: ignore[misc]
        assert problems == {"step_id": ["must be associated with the run"]}


def test_18_34_lines_stand_alone_or_with_a_step_of_the_run(flow: MadeWorkflow) -> None:
    created = started(flow)
    step_id = step_of(flow, created, "First")
    assert append(created, line("alone"), line("linked", step_id=str(step_id), level="warn")) == [1, 2]
    alone, linked = stored(created)
    assert (alone.step_id, alone.level, alone.source) == (None, "info", None)
    assert (linked.step_id, linked.level, linked.timestamp) == (step_id, "warn", NOON)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ([{"foo": "bar"}, "hello there"], '{"foo":"bar"} hello there'),
        ({"foo": "bar"}, '{"foo":"bar"}'),
        ("", ""),
        (True, "true"),
        ("nul \x00 here", "nul  here"),
        ({"nul": "\x00"}, '{"nul":""}'),
    ],
)
def test_18_35_and_36_messages_become_text(flow: MadeWorkflow, message: object, text: str) -> None:
    created = started(flow)
    append(created, line(message))
    assert [each.message for each in stored(created)] == [text]


def test_8_5_1_lines_are_taken_in_any_state(flow: MadeWorkflow) -> None:
    for created in (received(flow), finished(flow)):
        assert append(created, line()) == [1]


def test_18_37_a_steps_lines_are_joined_by_line_feeds(flow: MadeWorkflow) -> None:
    created = started(flow)
    step_id, other = step_of(flow, created, "First"), step_of(flow, created, "Second")
    later = NOON + timedelta(seconds=1)
    append(
        created,
        line("second", step_id=step_id, timestamp=later),
        line("third", step_id=step_id, timestamp=later),
    )
    append(created, line("first", step_id=step_id), line("of the run"), line("foreign", step_id=other))
    assert workorders.step_log_text(step_id) == "first\nsecond\nthird"
    assert workorders.step_log_text(None) is None
    assert workorders.step_log_text(step_of(flow, created, "Third")) == ""


def test_a_runs_text_is_ordered_by_time_and_guarded_by_project(flow: MadeWorkflow) -> None:
    created, run_id = started(flow), uuid.uuid4()
    assert created.run_id is not None
    assert workorders.log_text(created.project_id, created.run_id) == ""
    append(created, line("b", timestamp=NOON + timedelta(seconds=1)), line("a"))
    assert workorders.log_text(created.project_id, created.run_id) == "a\nb"
    for project, run in ((uuid.uuid4(), created.run_id), (created.project_id, run_id)):
        with pytest.raises(NotFound):
            workorders.log_text(project, run)


def test_8_5_7_a_batch_is_stored_whole_or_not_at_all(flow: MadeWorkflow) -> None:
    created = started(flow)
    problems = refusals(lambda: append(created, line("good"), line(None), line(level="loud")))
    assert problems == {"message": ["can't be blank"]}
    assert stored(created) == []
    assert append(created, line(), line()) == [1, 2]
    assert append(created, line()) == [3]
    assert run_of(created).log_count == 3


def test_a_batch_is_one_piece_of_news(flow: MadeWorkflow, news: News) -> None:
    created = started(flow)
    news.heard()
    append(created, line(), line())
    assert append(created) == []
    assert news.heard() == [(f"run:{created.run_id}", "log-appended", str(created.run_id))]


def test_a_line_that_is_sent_again_is_dropped(flow: MadeWorkflow) -> None:
    created, other, line_id = started(flow), started(flow), str(uuid.uuid4())
    assert append(created, line("once", id=line_id)) == [1]
    assert append(created, line("once", id=line_id)) == []
    assert append(created, line("new"), line("once", id=line_id), line("newer", id=str(uuid.uuid4()))) == [
        2,
        3,
    ]
    twice = str(uuid.uuid4())
    assert append(created, line("twice", id=twice), line("twice", id=twice)) == [4]
    assert [each.message for each in stored(created)] == ["once", "new", "newer", "twice"]
    assert append(other, line("once", id=line_id)) == [1]


def test_lines_of_an_unknown_run_are_refused(flow: MadeWorkflow) -> None:
    unknown = uuid.uuid4()
    assert refusals(lambda: workorders.append_log(unknown, line())) == {"run_id": ["does not exist"]}
    with_id = line(id=str(uuid.uuid4()))
    assert refusals(lambda: workorders.append_log(unknown, with_id)) == {"run_id": ["does not exist"]}


def test_the_words_of_a_run_are_due_for_search(flow: MadeWorkflow) -> None:
    working, ended = started(flow), finished(flow)
    for created in (working, ended):
        run_of(created).search_due_at = None
    db.session().commit()
    with clock.frozen_at(NOON):
        append(working, line())
        append(ended, line())
    with clock.frozen_at(NOON + timedelta(seconds=5)):
        append(working, line())
    assert run_of(working).search_due_at == NOON + timedelta(seconds=10)
    assert run_of(ended).search_due_at == NOON
