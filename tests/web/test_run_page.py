"""The page of a run: steps, bodies, log; live while it works (workorders §8.5, ux §8)."""

from __future__ import annotations

import html
import json
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from portal import dataclips, workorders
from portal.blueprints import runs
from portal.core.db import session
from portal.dataclips.models import Dataclip
from portal.workorders.models import LogLevel, RunStep, Step
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.history import claimed, done_step, started, step_of
from tests.support.past import happen, log, make_clip

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def url(cast):
    return lambda run_id, query="": f"/projects/{cast.project.id}/runs/{run_id}{query}"


def part(browser, address, **headers):
    return browser.get(address, headers=PARTIAL | headers)


def bar_of(text: str, job: str) -> tuple[float, float]:
    found = re.search(rf'aria-label="{job}: [^"]*">.*?<rect x="([\d.]+)" width="([\d.]+)"', text, re.DOTALL)
    return float(found[1]), float(found[2])


def test_the_page_shows_what_ran_how_long_and_why_it_failed(browser, url, flow):
    happened = happen(flow, state="failed", steps=[{"a": 1}, {"b": 2}], error_type="AdaptorError", runs=2)
    run, (first, second) = happened.run, happened.steps
    run.started_at, run.finished_at = NOW, NOW + timedelta(seconds=4)
    run.inserted_at = NOW - timedelta(milliseconds=820)
    happened.runs[0].inserted_at = NOW - timedelta(minutes=5)
    first.started_at, first.finished_at = NOW, NOW + timedelta(seconds=1)
    second.started_at, second.finished_at = NOW + timedelta(seconds=2), NOW + timedelta(seconds=4)
    second.exit_reason, second.error_type = "fail", "AdaptorError"
    log(run, ["POST /Encounter said 422"], level=LogLevel.ERROR)
    session().flush()
    text = browser.get(url(run.id)).text
    words = [
        "Register a visit",
        "Second: AdaptorError",
        "POST /Encounter said 422",
        "2 of 2",
        ">4 s<",
        "820 ms",
    ]
    assert [word for word in words if word not in text] == []
    assert bar_of(text, "First") == (0.0, 250.0)
    assert bar_of(text, "Second") == (500.0, 500.0)
    assert f"/history/{happened.id}" in text


def test_page_and_parts_share_their_ids(browser, url, flow):
    run = happen(flow, steps=[{"a": 1}], logs=["hello"]).run
    page = browser.get(url(run.id)).text
    for view, name in [
        ("steps", "runs-steps"),
        ("logs", "runs-logs"),
        ("input", "runs-input"),
        ("output", "runs-output"),
    ]:
        fragment = part(browser, url(run.id, f"?view={view}"))
        assert fragment.status_code == 200
        assert re.search(r'id="([^"]+)"', fragment.text)[1] == name
        assert f'id="{name}"' in page
        assert "<html" not in fragment.text
        assert {"HX-Request", "HX-Request-Type", "Cookie"} <= set(fragment.vary.to_header().split(", "))


def test_a_plain_browser_gets_the_whole_page_whatever_the_view(browser, url, flow):
    run = happen(flow, logs=["hello"]).run
    for view in ("logs", "steps", "input", "nonsense"):
        assert 'id="runs-head"' in browser.get(url(run.id, f"?view={view}")).text


def test_a_chosen_step_shows_its_own_bodies_and_lines(browser, url, flow):
    happened = happen(
        flow, steps=[{"one": "first input"}, {"two": "second input"}], body={"whole": "run input"}
    )
    second = happened.steps[1]
    log(happened.run, ["of the run"])
    log(happened.run, ["of the step"], step=second)
    text = browser.get(url(happened.run.id, f"?step={second.id}")).text
    assert re.search(rf'id="runs-step-{second.id}" aria-current="true"', text)
    assert "second input" in text
    assert "of the step" in text
    for absent in ("first input", "run input", "of the run"):
        assert absent not in text
    whole = browser.get(url(happened.run.id)).text
    assert "run input" in whole
    assert "of the run" in whole


def test_a_step_of_another_run_is_not_found(browser, url, flow):
    run, other = happen(flow).run, happen(flow, steps=[{"a": 1}])
    for step in (other.steps[0].id, uuid.uuid4(), "nonsense"):
        assert browser.get(url(run.id, f"?step={step}")).status_code == 404


def test_a_body_is_shown_as_the_database_wrote_it_to_the_last_digit(browser, url, flow, cast):
    created = workorders.create_for_trigger(
        flow.trigger.id, body='{"n": 12345678901234567890.10, "t": "<b>&"}'
    )
    text = html.unescape(re.sub(r"</?span[^>]*>", "", browser.get(url(created.run_id)).text))
    assert '"n": 12345678901234567890.10' in text
    assert '"t": "<b>&"' in text
    raw = browser.get(url(created.run_id)).text
    assert "<b>&" not in raw
    assert f"/dataclips/{created.dataclip_id}/body?download=1" in raw


def test_a_large_body_is_shown_only_when_asked_for(browser, url, flow):
    run = happen(flow, body={"text": "x" * runs.SMALL_BODY}).run
    page = browser.get(url(run.id))
    assert "200.0 kB of JSON" in page.text
    assert "x" * 1000 not in page.text
    anyway = html.unescape(re.search(r'hx-get="([^"]+anyway=input[^"]*)"', page.text)[1])
    assert "x" * runs.SMALL_BODY in part(browser, anyway).text
    assert "x" * runs.SMALL_BODY in browser.get(url(run.id, "?anyway=input")).text


def test_a_huge_body_is_never_shown(browser, url, flow):
    run = happen(flow, body={"text": "x" * runs.LARGEST_SHOWN}).run
    text = browser.get(url(run.id, "?anyway=input")).text
    assert "too much to show" in text
    assert "x" * 1000 not in text
    assert "Show anyway" not in text


def test_a_wiped_body_says_when_it_was_erased(browser, url, flow):
    happened = happen(flow)
    clip = session().get(Dataclip, happened.order.dataclip_id)
    assert dataclips.wipe(clip.project_id, clip.id)
    session().refresh(clip)
    clip.inserted_at -= timedelta(days=3)
    session().flush()
    text = browser.get(url(happened.run.id)).text
    assert "The body was erased for good on" in text
    assert "&lt;time" not in text


def test_a_body_that_was_never_kept_says_that_the_project_keeps_none(browser, url, flow):
    run = happen(flow, wiped=True).run
    assert "This project keeps no data of its runs" in browser.get(url(run.id)).text


def test_a_run_without_output_says_so(browser, url, flow):
    assert "There was no output." in browser.get(url(happen(flow).run.id)).text
    assert "The run has not ended yet." in browser.get(url(started(flow).run_id)).text


def test_a_run_that_waits_has_no_steps_and_looks_again(browser, url, flow):
    text = browser.get(url(claimed(flow).run_id)).text
    assert "No step has begun yet" in text
    assert "every 5s" in text
    assert "hx-sse:connect" in text


def test_a_finished_run_does_not_look_again(browser, url, flow):
    text = browser.get(url(happen(flow, steps=[{}], logs=["x"]).run.id)).text
    main = text[text.index('id="runs-body"') :]
    assert 'hx-trigger="run-updated' not in main
    assert "hx-sse:connect" not in main
    assert "every" not in main


def test_the_steps_are_sent_again_only_when_something_has_changed(browser, url, flow):
    created = started(flow)
    first = part(browser, url(created.run_id, "?view=steps"))
    version = first.headers["HX-PTag"]
    assert f'hx-ptag="{version}"' in first.text
    assert part(browser, url(created.run_id, "?view=steps"), **{"HX-PTag": version}).status_code == 304
    done_step(flow, created, "First")
    again = part(browser, url(created.run_id, "?view=steps"), **{"HX-PTag": version})
    assert again.status_code == 200
    assert "First" in again.text
    assert re.findall(r'<hx-partial hx-target="([^"]+)"', again.text) == ["#runs-head", "#runs-viewers"]


def test_a_step_that_an_earlier_run_executed_says_so(browser, url, flow):
    happened = happen(flow, runs=2, steps=[{"a": 1}], at=NOW)
    older, newer = happened.runs
    step = happened.steps[0]
    session().add(RunStep(run_id=older.id, step_id=step.id, inserted_at=NOW - timedelta(hours=1)))
    session().flush()
    assert "from an earlier run" in browser.get(url(newer.id)).text
    assert "from an earlier run" not in browser.get(url(older.id)).text


# The log


def test_levels_filter_the_lines(browser, url, flow):
    run = happen(flow).run
    log(run, ["quiet"], level=LogLevel.DEBUG)
    log(run, ["loud <script>"], level=LogLevel.ERROR)
    both = browser.get(url(run.id)).text
    assert "quiet" in both
    assert "loud &lt;script&gt;" in both
    answer = part(browser, url(run.id, "?view=logs&level=error"))
    assert "loud" in answer.text
    assert "quiet" not in answer.text
    assert re.findall(r'name="level" value="(\w+)" checked', answer.text) == ["error"]
    assert "quiet" in part(browser, url(run.id, "?view=logs&level=nonsense")).text


def test_a_long_log_comes_in_parts(browser, url, flow):
    run = happen(flow).run
    log(run, [f"line {number}" for number in range(1, 602)])
    page = browser.get(url(run.id)).text
    assert page.count('class="log-line"') == 500
    more = html.unescape(re.search(r'hx-get="([^"]+)" hx-target="closest .more"', page)[1])
    rest = part(browser, more).text
    assert rest.count('class="log-line"') == 101
    assert "More lines" not in rest
    assert "<section" not in rest
    assert browser.get(more).text.count('class="log-line"') == 101


def test_a_live_log_is_asked_for_what_came_after_and_answers_204_while_nothing_came(browser, url, flow):
    created = started(flow)
    workorders.append_log(created.run_id, {"message": "one", "timestamp": 1_795_000_000_000})
    text = browser.get(url(created.run_id)).text
    tail = html.unescape(re.search(r'class="more muted" hx-get="([^"]+)"', text)[1])
    assert part(browser, tail).status_code == 204
    workorders.append_log(created.run_id, {"message": "two", "timestamp": 1_795_000_000_000})
    later = part(browser, tail).text
    assert "two" in later
    assert ">one<" not in later
    assert "log-appended from:body" in later


def test_the_log_is_downloaded_as_text_with_the_same_filters(browser, url, flow):
    happened = happen(flow, steps=[{}])
    log(happened.run, [f"line {number}" for number in range(3)])
    log(happened.run, ["bad\nsecond line"], level=LogLevel.ERROR, step=happened.steps[0])
    answer = browser.get(url(happened.run.id, "/log.txt"))
    assert answer.mimetype == "text/plain"
    assert f"run-{happened.run.id}.log.txt" in answer.headers["Content-Disposition"]
    assert [line.split(" ", 3)[-1].strip() for line in answer.text.splitlines()][:2] == [
        "-   line 0",
        "-   line 1",
    ]
    only = browser.get(url(happened.run.id, f"/log.txt?level=error&step={happened.steps[0].id}")).text
    assert only.endswith("bad\nsecond line\n")
    assert "line 0" not in only


def test_a_downloaded_log_has_every_line_however_many(browser, url, flow, monkeypatch):
    monkeypatch.setattr(runs, "DOWNLOAD_PAGE", 7)
    run = happen(flow).run
    log(run, [f"line {number}" for number in range(50)])
    assert browser.get(url(run.id, "/log.txt")).text.count("\n") == 50


# Who may


@pytest.mark.parametrize("who", ["stranger", "superuser"])
def test_strangers_learn_nothing(app, cast, url, flow, who):
    run = happen(flow).run
    other = logged_in(app, getattr(cast, who))
    assert other.get(url(run.id)).status_code == 404
    assert other.get(url(run.id, "/log.txt")).status_code == 404


def test_runs_of_other_projects_and_odd_ids_are_not_found(browser, url, flow):
    foreign = happen(make_workflow(make_project("elsewhere"))).run
    for run_id in (foreign.id, uuid.uuid4(), "nonsense"):
        assert browser.get(url(run_id)).status_code == 404
        assert browser.get(url(run_id, "/log.txt")).status_code == 404
        assert part(browser, url(run_id, "?view=logs")).status_code == 404


def test_bodies_of_other_projects_are_not_found(browser, cast, flow):
    foreign = make_clip(make_workflow(make_project("elsewhere")), {"secret": 1})
    assert browser.get(f"/projects/{cast.project.id}/dataclips/{foreign.id}/body").status_code == 404
    mine = make_clip(flow, {"open": 1})
    answer = browser.get(f"/projects/{cast.project.id}/dataclips/{mine.id}/body?download=1")
    assert json.loads(answer.data) == {"data": {"open": 1}, "request": None}
    assert f"dataclip-{mine.id}.json" in answer.headers["Content-Disposition"]


def test_the_number_of_statements_does_not_depend_on_steps_lines_or_runs(browser, url, flow, db_session):
    def cost(run):
        seen = []
        note = lambda _c, _cur, statement, *_: seen.append(" ".join(statement.split())[:60])  # noqa: E731
        event.listen(db_session.connection(), "before_cursor_execute", note)
        try:
            assert browser.get(url(run.id)).status_code == 200
        finally:
            event.remove(db_session.connection(), "before_cursor_execute", note)
        return [each for each in seen if not each.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))]

    small = happen(flow, steps=[{"a": 1}], logs=["x"]).run
    large = happen(flow, steps=[{"a": 1}, {"b": 2}, {"c": 3}], runs=3, logs=["x"] * 200).run
    browser.get(url(small.id))
    assert cost(small) == cost(large)
    assert len(cost(small)) <= 10


def test_an_unnamed_job_shows_the_end_of_its_id(browser, url, flow):
    happened = happen(flow)
    step = Step(job_id=uuid.uuid4(), snapshot_id=flow.snapshot.id, started_at=NOW, exit_reason=None)
    session().add(step)
    session().flush()
    session().add(RunStep(run_id=happened.run.id, step_id=step.id))
    session().flush()
    assert str(step.job_id)[-8:] in browser.get(url(happened.run.id)).text


def test_a_running_step_has_a_bar_that_reaches_now(browser, url, flow):
    created = started(flow)
    step_of(flow, created, "First")
    start, width = bar_of(browser.get(url(created.run_id)).text, "First")
    assert start + width == pytest.approx(1000, abs=5)
