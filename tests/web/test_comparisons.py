"""Two runs side by side (workorders §23)."""

import html
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from portal import dataclips, workorders
from portal.core.db import session
from portal.dataclips.models import DataclipType
from portal.workorders import comparing
from portal.workorders.models import LogLevel
from tests.support.factories import make_project, make_snapshot, make_workflow
from tests.support.history import claimed
from tests.support.past import happen, log, make_clip

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def place(cast):
    return f"/projects/{cast.project.id}/runs/compare"


@pytest.fixture
def compare(browser, place):
    """`compare(a, b, more)` answers the page's text."""

    def get(a, b, more=""):
        answer = browser.get(f"{place}?a={a.id}&b={b.id}{more}")
        assert answer.status_code == 200
        return answer.text

    return get


def words(text):
    """What a reader sees of a page, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def panel(text, name):
    """What a reader sees of one panel of the page."""
    start = text.index(f'id="comparisons-{name}"')
    return words(text[start - 30 : text.index("</section>", start)])


def output(flow, run, body):
    clip = make_clip(flow, body, kind=DataclipType.STEP_RESULT)
    run.final_dataclip_id = clip.id
    session().flush()
    return clip


def test_facts_stand_side_by_side_and_say_what_differs(compare, flow):
    happened = happen(flow, state="failed", runs=2, error_type="TypeError", at=NOW)
    a, b = happened.runs
    a.state, a.error_type = "success", None
    a.worker_name = b.worker_name = "worker-1"
    b.started_at, b.finished_at = NOW, NOW + timedelta(seconds=4)
    session().flush()
    seen = panel(compare(a, b), "facts")
    for part in (
        "State differs Success Failed",
        "Error differs – none TypeError",
        "Worker worker-1 worker-1",
        "4 s",
    ):
        assert part in seen
    assert "Version 1 1" in seen


def test_the_jobs_that_changed_between_the_versions_are_named(compare, flow):
    happened = happen(flow, runs=2)
    a, b = happened.runs
    flow.workflow.lock_version = 2
    jobs = dict(flow.jobs)
    jobs["First"].adaptor, jobs["First"].body = "@openfn/language-http@6", "get('/')"
    del jobs["Second"]
    later = make_snapshot(flow.workflow, jobs.values(), [], [])
    b.snapshot_id = later.id
    session().flush()
    seen = panel(compare(a, b), "facts")
    assert "Version differs 1 2" in seen
    assert "Job changed: First (adaptor, code)" in seen
    assert "Job removed: Second" in seen
    assert "Third" not in seen
    assert "Job added: Second" in panel(compare(b, a), "facts")


def test_steps_are_matched_by_job(compare, flow):
    one, two = happen(flow, steps=[{"a": 1}, {"b": 1}], at=NOW), happen(flow, steps=[{"a": 1}], at=NOW)
    two.steps[0].exit_reason, two.steps[0].error_type = "fail", "AdaptorError"
    one.steps[0].finished_at = NOW + timedelta(seconds=2)
    session().flush()
    seen = panel(compare(one.run, two.run), "steps")
    assert re.search(r"First differs Success 2 s .*Failed AdaptorError", seen)
    assert re.search(r"Second differs Success .* not run", seen)
    assert 'aria-label="First, A: 2 s"' in compare(one.run, two.run)


def test_bodies_are_compared_place_by_place(compare, flow):
    one, two = (
        happen(flow, body={"patient": {"name": "Ann", "age": 4}}),
        happen(flow, body={"patient": {"name": "<Bea>", "age": 4}}),
    )
    output(flow, one.run, {"sent": [1, 2, 3]})
    output(flow, two.run, {"sent": [1, 3]})
    text = compare(one.run, two.run)
    assert 'Changed data.patient.name "Ann" "<Bea>"' in panel(text, "input")
    assert "<Bea>" not in text
    assert "age" not in panel(text, "input")
    assert "Removed sent[1] 2 – none" in panel(text, "output")


def test_the_bodies_of_a_job_are_compared_when_it_is_chosen(compare, flow, browser, place):
    one, two = happen(flow, steps=[{"a": 1}, {"b": 1}]), happen(flow, steps=[{"a": 2}])
    job = flow.jobs["First"].id
    text = compare(one.run, two.run, f"&job={job}")
    assert "Changed a 1 2" in panel(text, "input")
    assert "Input of First" in text
    assert "Nothing on either side" in panel(text, "output")
    second = compare(one.run, two.run, f"&job={flow.jobs['Second'].id}")
    assert "Run B has none." in panel(second, "input")
    for strange in (uuid.uuid4(), "nonsense", flow.jobs["Third"].id):
        assert browser.get(f"{place}?a={one.run.id}&b={two.run.id}&job={strange}").status_code == 404


def test_the_same_dataclip_is_not_read_at_all(compare, flow, monkeypatch):
    a, b = happen(flow, runs=2, body={"a": 1}).runs
    monkeypatch.setattr(dataclips, "preview", lambda *_a, **_k: pytest.fail("a body was read"))
    assert "Both runs had the same input." in panel(compare(a, b), "input")


def test_wiped_and_missing_bodies_say_so(compare, flow):
    kept, wiped = happen(flow, body={"a": 1}), happen(flow, wiped=True)
    output(flow, kept.run, {"a": 1})
    text = compare(kept.run, wiped.run)
    assert "cannot be compared" in panel(text, "input")
    assert "Run B has none." in panel(text, "output")


def test_large_bodies_are_compared_only_when_asked_for(browser, compare, flow):
    long = "x" * comparing.SMALL_BODY
    one, two = happen(flow, body={"t": long, "n": 1}), happen(flow, body={"t": long, "n": 2})
    text = compare(one.run, two.run)
    assert "slow to compare" in panel(text, "input")
    address = html.unescape(re.search(r'hx-get="([^"]+part=input)"', text)[1])
    answer = browser.get(address, headers=PARTIAL)
    assert "<html" not in answer.text
    assert "Changed data.n 1 2" in words(answer.text)
    assert "Changed data.n 1 2" in panel(browser.get(address.replace("&part=input", "")).text, "input")


def test_huge_bodies_are_never_compared(compare, flow):
    huge = "x" * comparing.LARGEST_BODY
    one, two = happen(flow, body={"t": huge}), happen(flow, body={"n": 2})
    assert "too much to compare" in panel(compare(one.run, two.run, "&anyway=input"), "input")


def test_logs_are_compared_line_by_line_without_their_times(compare, flow):
    one, two = happen(flow), happen(flow)
    log(one.run, [f"line {number}" for number in range(20)])
    log(two.run, [f"line {number}" for number in range(20)])
    log(one.run, ["done <b>"], level=LogLevel.SUCCESS)
    log(two.run, ["bad", "worse"], level=LogLevel.ERROR)
    seen = panel(compare(one.run, two.run), "logs")
    assert "17 equal lines" in seen
    assert "line 16" not in seen
    assert "line 17 info line 17" in seen
    assert "differs success done <b> error bad only in B error worse" in seen
    assert "<b>" not in compare(one.run, two.run).split("<h1")[1]


def test_equal_and_empty_logs_say_so(compare, flow):
    one, two, three = happen(flow, logs=["same"]), happen(flow, logs=["same"]), happen(flow)
    four = happen(flow)
    assert "Both logs say the same." in panel(compare(one.run, two.run), "logs")
    assert "Nothing was logged" in panel(compare(three.run, four.run), "logs")


def test_long_logs_are_cut_and_say_so(compare, flow, monkeypatch):
    monkeypatch.setattr(comparing, "MOST_LINES", 5)
    one, two = happen(flow, logs=[f"a {n}" for n in range(9)]), happen(flow, logs=["b"])
    text = compare(one.run, two.run)
    assert "The first 2,000 lines" in panel(text, "logs")
    assert "a 5" not in panel(text, "logs")


def test_a_run_that_has_not_begun_can_be_compared(compare, flow):
    happened, waiting = happen(flow, steps=[{"a": 1}]), claimed(flow)
    text = compare(happened.run, session().get(type(happened.run), waiting.run_id))
    assert "has no output yet" in panel(text, "output")


def test_a_and_b_can_be_swapped(compare, flow, browser):
    a, b = happen(flow, runs=2).runs
    swapped = html.unescape(re.search(r'href="([^"]+)">.*?Swap A and B', compare(a, b))[1])
    assert f"a={b.id}&b={a.id}" in swapped
    assert browser.get(swapped).status_code == 200


@pytest.mark.parametrize("query", ["", "?a={a}", "?a={a}&b={a}", "?b={a}", "?a={a}&b=nonsense"])
def test_one_run_alone_is_refused_and_the_others_of_its_work_order_are_offered(browser, place, flow, query):
    a, b = happen(flow, runs=2).runs
    answer = browser.get(place + query.format(a=a.id))
    assert answer.status_code == 422
    offered = f"a={b.id}&amp;b={a.id}" in answer.text
    assert offered == bool(query)


def test_runs_of_other_projects_are_not_found(browser, place, flow):
    mine, foreign = happen(flow).run, happen(make_workflow(make_project("elsewhere"))).run
    for query in (
        f"?a={mine.id}&b={foreign.id}",
        f"?a={foreign.id}&b={mine.id}",
        f"?a={mine.id}&b={uuid.uuid4()}",
        f"?a={foreign.id}",
    ):
        assert browser.get(place + query).status_code == 404


def test_strangers_learn_nothing(log_in, cast, place, flow):
    a, b = happen(flow, runs=2).runs
    assert log_in(cast.stranger).get(f"{place}?a={a.id}&b={b.id}").status_code == 404


def test_the_number_of_statements_does_not_depend_on_steps_or_lines(compare, flow, db_session):
    def cost(one, two):
        seen = []
        note = lambda _c, _cur, statement, *_: seen.append(statement)  # noqa: E731
        event.listen(db_session.connection(), "before_cursor_execute", note)
        try:
            compare(one.run, two.run)
        finally:
            event.remove(db_session.connection(), "before_cursor_execute", note)
        return len([each for each in seen if not each.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))])

    small = [happen(flow, steps=[{"a": 1}], logs=["x"]) for _ in range(2)]
    large = [happen(flow, steps=[{"a": 1}, {"b": 2}, {"c": 3}], logs=["x"] * 200) for _ in range(2)]
    compare(small[0].run, small[1].run)
    assert cost(*small) == cost(*large) <= 22


def test_logs_of_two_thousand_lines_take_no_second(flow, cast):
    one, two = happen(flow), happen(flow)
    log(one.run, [f"line {n % 50}" for n in range(2000)])
    log(two.run, [f"line {n % 49}" for n in range(2000)])
    started = datetime.now(UTC)
    found = workorders.compare_logs(cast.project.id, one.run.id, two.run.id)
    assert (found.cut, 50 < found.differing < 2000) == (False, True)
    assert datetime.now(UTC) - started < timedelta(seconds=2)
