"""What people do with one run, and with two: follow, stop, compare; also by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from portal import workorders
from portal.core import clock
from portal.dataclips.models import DataclipType
from tests.browser.conftest import PASSWORD
from tests.browser.test_journey import listen
from tests.support.factories import make_workflow
from tests.support.history import started, step_of
from tests.support.past import happen, log, make_clip

SCROLLED_DOWN = "log => log.scrollTop > 0 && log.scrollTop + log.clientHeight > log.scrollHeight - 4"


@pytest.fixture
def flow(committed, project):
    made = make_workflow(project, "Register a visit")
    committed.commit()
    return made


@pytest.fixture
def working(committed, flow):
    """A run that works on its first step."""
    created = started(flow)
    step_of(flow, created, "First")
    committed.commit()
    return created


@pytest.fixture
def attempts(committed, flow):
    """Two runs of one work order, with outputs and logs that differ."""
    happened = happen(flow, runs=2, state="failed", error_type="AdaptorError", steps=[{"visit": 1}])
    for number, run in enumerate(happened.runs):
        clip = make_clip(flow, {"sent": number, "kept": "same"}, kind=DataclipType.STEP_RESULT)
        run.final_dataclip_id = clip.id
        log(run, ["Starting", f"Sent {number} of 2"])
    committed.commit()
    return happened


def address(created) -> str:
    return f"/projects/{created.project_id}/runs/{created.run_id}"


def say(committed, created, *messages: str) -> None:
    lines = [{"message": message, "timestamp": clock.now()} for message in messages]
    workorders.append_logs(created.run_id, lines)
    committed.commit()


def test_a_log_grows_while_one_looks_and_is_followed_to_its_end(visit, person, committed, working):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    listen(visitor, address(working))
    region = page.get_by_role("log", name="Log lines")
    say(committed, working, "the first word")
    expect(region.get_by_text("the first word")).to_be_visible()
    follow = page.get_by_role("button", name="Follow")
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    say(committed, working, *(f"line {number}" for number in range(80)))
    expect(region.get_by_text("line 79")).to_have_count(1)
    page.wait_for_function(f"({SCROLLED_DOWN})(document.querySelector('#runs-log'))")
    follow.click()
    region.evaluate("log => { log.scrollTop = 0 }")
    say(committed, working, "one more")
    expect(region.get_by_text("one more")).to_have_count(1)
    assert region.evaluate("log => log.scrollTop") == 0
    workorders.complete_run(working.run_id, state="success")
    committed.commit()
    expect(page.locator("#runs-head .badge").first).to_have_text("Success")


def test_a_run_is_stopped_by_keyboard_and_others_see_it(visit, person, committed, working):
    visitor, other = visit(), visit()
    for each in (visitor, other):
        each.log_in(person.email, PASSWORD)
        listen(each, address(working))
    page = visitor.page
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Stop this run?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(stop).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Stop the run").focus()
    page.keyboard.press("Enter")
    for each in (page, other.page):
        expect(each.locator("#runs-head .badge").first).to_have_text("Stopping")
        expect(each.get_by_text("it is killed at")).to_be_visible()
    expect(stop).to_have_count(0)
    assert visitor.inaccessible() == []
    asked = workorders.run_page(working.project_id, working.run_id).stop_asked_at
    with clock.frozen_at(workorders.stop_deadline(asked)):
        assert workorders.force_stops() == 1
    for each in (page, other.page):
        expect(each.locator("#runs-head .badge").first).to_have_text("Killed")
        expect(each.get_by_text("stopped by force")).to_be_visible()


def test_an_attempt_is_compared_with_the_one_before_by_keyboard(visit, person, project, attempts):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}/history/{attempts.id}")
    page.get_by_role("link", name="Compare with previous").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Compare two runs").wait_for()
    expect(page.locator("#comparisons-input")).to_contain_text("Both runs had the same input.")
    change = page.locator("#comparisons-output tbody tr")
    expect(change).to_have_count(1)
    expect(change).to_contain_text("sent")
    expect(page.locator("#comparisons-logs tr[data-kind=changed]")).to_contain_text("Sent 1 of 2")
    assert visitor.inaccessible() == []
    assert visitor.overflow() <= 0
    before, after = change.locator("code").all_text_contents()
    page.get_by_role("link", name="Swap A and B").focus()
    page.keyboard.press("Enter")
    expect(change.locator("code").first).to_have_text(after)
    assert change.locator("code").all_text_contents() == [after, before]
    page.go_back()
    expect(change.locator("code").first).to_have_text(before)


def test_comparing_and_stopping_work_without_script(visit, person, project, attempts, working):
    visitor = visit(java_script_enabled=False)
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}/history/{attempts.id}")
    page.get_by_role("link", name="Compare with previous").click()
    expect(page.locator("#comparisons-output tbody tr")).to_contain_text("sent")
    visitor.open(address(working))
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#runs-head .badge").first).to_have_text("Stopping")
