"""The search box in a real browser: typed by keyboard alone, with mistakes, with and without script."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal.core import clock
from portal.workorders.indexing import index_due
from tests.browser.conftest import PASSWORD
from tests.support.factories import make_workflow
from tests.support.past import happen

ROWS = "tbody.record"


@pytest.fixture
def past(committed, project):
    """Three failed work orders, one of which speaks of malaria, and three that went well."""
    flow, now = make_workflow(project, "Register a visit"), clock.now()
    for number in range(6):
        word = "malaria" if number == 0 else "cholera"
        state, error = ("failed", "AdaptorError") if number % 2 == 0 else ("success", None)
        at = now - timedelta(minutes=number)
        happen(flow, at=at, state=state, logs=[f"found {word}"], error_type=error)
    while index_due():
        pass
    committed.commit()


def test_a_line_is_typed_offered_marked_sent_and_turned_by_keyboard(visit, person, project, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}/history")
    page.keyboard.press("/")
    box = page.get_by_label("Search ids, logs")
    expect(box).to_be_focused()
    page.keyboard.type("state:fai", delay=30)
    page.locator('#workorders-suggestions option[value="state:failed"]').wait_for(state="attached")
    expect(page.locator("#workorders-problems mark.wrong")).to_have_text("fai")
    expect(box).to_be_focused()
    page.keyboard.type("led log:malaria", delay=30)
    page.wait_for_url("**/history?has.log=malaria&state=failed")
    expect(page.locator("#workorders-problems mark.wrong")).to_have_count(0)
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(f"{ROWS} mark")).to_have_text("malaria")
    assert box.input_value() == "state:failed log:malaria"

    page.keyboard.press("Enter")
    expect(page.get_by_label("Search ids, logs")).to_have_value("")
    expect(page.get_by_role("checkbox", name="Failed", exact=True)).to_be_checked()
    turn = page.locator(".pill:has-text('Log: malaria') + .pill-turn")
    turn.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/history?not.log=malaria&state=failed")
    expect(page.locator(ROWS)).to_have_count(2)
    visitor.complaints.clear()  # browsers log each answer of 422 as an error


def test_a_line_and_its_mistakes_without_script_on_a_phone(visit, person, project, past):
    visitor = visit(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}/history")
    page.get_by_label("Search ids, logs").fill('error:AdaptorError -log:"malaria')
    page.get_by_role("button", name="Search").click()
    expect(page.locator("mark.wrong")).to_have_text('"malaria')
    page.get_by_label("Search ids, logs").fill('error:AdaptorError -log:"malaria"')
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/history?not.log=malaria&error=AdaptorError")
    assert page.locator(ROWS).count() == 2
    visitor.complaints.clear()
