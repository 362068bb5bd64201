"""What the pages of a work order and a run read, within the project alone (workorders §8.5)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from portal import workorders
from portal.core.db import session
from portal.core.errors import NotFound
from portal.workorders import DataclipRef, LogLevel
from portal.workorders.models import LogLine, RunStep
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project
from tests.support.past import happen, log, make_clip

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_the_page_of_a_run_holds_all_it_shows(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(
        flow, state="failed", runs=2, name="Intake", error_type="TypeError", steps=[{"a": 1}, None], at=NOW
    )
    output = make_clip(flow, wiped=True)
    made.steps[0].output_dataclip_id = output.id
    made.run.final_dataclip_id = output.id
    session().flush()
    page = workorders.run_page(cast.project.id, made.run.id)
    assert (page.id, page.state, page.error_type) == (made.run.id, "failed", "TypeError")
    assert (page.work_order_id, page.work_order_state, page.workflow_name) == (
        made.id,
        "failed",
        flow.workflow.name,
    )
    assert (page.trigger_type, page.lock_version, page.siblings) == (
        "webhook",
        1,
        tuple(run.id for run in made.runs),
    )
    assert page.input == DataclipRef(made.order.dataclip_id, "http_request", "Intake", False)
    assert page.final == DataclipRef(output.id, "http_request", None, True)
    first, second = page.steps
    assert (first.job_name, first.adaptor) == ("First", "@openfn/language-common@latest")
    assert first.output == page.final
    assert (first.input.type, first.carried) == ("step_result", False)
    assert (second.job_name, second.input) == ("Second", None)


def test_steps_are_named_as_the_executed_version_names_them(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, steps=[{"a": 1}])
    flow.jobs["First"].name = "Renamed"
    session().flush()
    (step,) = workorders.run_page(cast.project.id, made.run.id).steps
    assert step.job_name == "First"


def test_a_step_of_an_earlier_run_is_carried(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, runs=2, steps=[{"a": 1}])
    earlier = RunStep(run_id=made.runs[0].id, step_id=made.steps[0].id, inserted_at=NOW - timedelta(days=9))
    session().add(earlier)
    session().flush()
    pages = [workorders.run_page(cast.project.id, run.id) for run in made.runs]
    assert [page.steps[0].carried for page in pages] == [False, True]


def test_nothing_of_another_project_is_there(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, logs=["x"])
    other = make_project().id
    for read in (
        lambda: workorders.get(other, made.id),
        lambda: workorders.get(cast.project.id, uuid.uuid4()),
        lambda: workorders.run_page(other, made.run.id),
        lambda: workorders.log_lines(other, made.run.id),
    ):
        with pytest.raises(NotFound):
            read()
    assert workorders.runs_of(other, [made.id]) == {made.id: []}


def test_lines_come_by_time_then_number(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow)
    for seq, seconds in ((1, 5), (2, 1), (3, 1), (4, 9)):
        moment = NOW + timedelta(seconds=seconds)
        session().add(
            LogLine(run_id=made.run.id, seq=seq, message=str(seq), timestamp=moment, level=LogLevel.INFO)
        )
    made.run.log_count = 4
    session().flush()
    page = workorders.log_lines(cast.project.id, made.run.id)
    assert [line.seq for line in page.lines] == [2, 3, 1, 4]
    assert (page.last_seq, page.more) == (4, False)
    assert workorders.log_text(cast.project.id, made.run.id) == "2\n3\n1\n4"


def test_following_a_log_misses_and_repeats_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, logs=[f"line {number}" for number in range(7)])
    seen, last = [], 0
    while (page := workorders.log_lines(cast.project.id, made.run.id, after_seq=last, limit=3)).lines:
        seen += [line.message for line in page.lines]
        last = page.last_seq
    log(made.run, ["late"])
    page = workorders.log_lines(cast.project.id, made.run.id, after_seq=last, limit=3)
    assert [*seen, *(line.message for line in page.lines)] == [
        *(f"line {number}" for number in range(7)),
        "late",
    ]


def test_levels_and_steps_narrow_the_log(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, steps=[{"a": 1}])
    log(made.run, ["fine"], level=LogLevel.INFO)
    log(made.run, ["bad"], level=LogLevel.ERROR, step=made.steps[0])
    log(made.run, ["noise"], level=LogLevel.DEBUG)

    def shown(**narrow: object) -> list[str]:
        return [line.message for line in workorders.log_lines(cast.project.id, made.run.id, **narrow).lines]

    assert shown(levels=["error", "debug"]) == ["bad", "noise"]
    assert shown(step_id=made.steps[0].id) == ["bad"]
    assert shown(levels=["nonsense"]) == []
    page = workorders.log_lines(cast.project.id, made.run.id, levels=["error"])
    assert (page.last_seq, page.more) == (3, False)
