"""Retry one from its row, and all that match after a look: by mouse, by keyboard alone, without script."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from portal.core import clock
from portal.core.db import session
from portal.workorders.models import Run
from tests.browser.conftest import PASSWORD
from tests.support.factories import make_workflow
from tests.support.past import happen
from tests.support.processes import eventually


@pytest.fixture
def flow(committed, project):
    made = make_workflow(project, "Register a visit")
    committed.commit()
    return made


@pytest.fixture
def past(committed, flow):
    """Thirty failed ones, more than a page; one that went well; one whose input was erased."""
    now = clock.now()
    made = [
        happen(flow, at=now - timedelta(minutes=number), state="failed", steps=[{"visit": number}])
        for number in range(30)
    ]
    happen(flow, at=now - timedelta(hours=2))
    happen(flow, at=now - timedelta(hours=3), state="failed", wiped=True)
    committed.commit()
    return made


@pytest.fixture
def history(project):
    return f"/projects/{project.id}/history"


def runs(work_order_id) -> int:
    """How many runs a work order has by now."""
    found = session().scalar(
        sa.select(sa.func.count()).select_from(Run).where(Run.work_order_id == work_order_id)
    )
    session().rollback()
    return found


def again(past, number: int) -> None:
    """Wait until so many work orders have a second run."""
    eventually(lambda: sum(runs(order.id) == 2 for order in past) == number, 30)


def press_until(page, key: str, wanted: str, most: int = 40) -> None:
    """Press a key until what has the focus matches `wanted`."""
    for _ in range(most):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} never reached {wanted}")


def test_retry_one_from_its_row(visit, person, history, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(history)
    row = page.locator(f"#workorders-row-{past[0].id}")
    row.get_by_role("link", name=re.compile("^Runs of")).click()
    row.get_by_role("button", name="Retry", exact=True).click()
    toast = page.locator(".toast", has_text="enqueued.")
    expect(row.locator(".run")).to_have_count(2)
    expect(row.locator("tr").first.locator(".badge")).to_have_text("Enqueued")
    expect(row.get_by_role("button", name="Retry", exact=True)).to_have_count(0)
    assert runs(past[0].id) == 2
    toast.get_by_role("link", name="Open the run").click()
    page.get_by_role("heading", name=re.compile("^Run ")).wait_for()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1 .badge")).to_have_text("Cancelled")
    expect(page.locator(".toast", has_text="1 run cancelled.")).to_be_visible()


def test_the_row_last_opened_is_marked_on_the_way_back(visit, person, history, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(history)
    page.locator(f"#workorders-row-{past[3].id} .cell-main").click()
    page.get_by_role("heading", name=re.compile("^Run ")).wait_for()
    page.go_back()
    expect(page.locator(f"#workorders-row-{past[3].id} [data-opened]")).to_have_count(1)
    expect(page.locator("[data-opened]")).to_have_count(1)


def test_retry_all_that_match_after_a_look(visit, person, history, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"{history}?state=failed")
    expect(page.locator(".picked")).to_be_hidden()
    page.get_by_role("checkbox", name="Pick all on this page").check()
    expect(page.locator(".picked-count")).to_have_text("25 picked")
    page.get_by_role("checkbox", name="All 31 work orders that match").check()
    page.locator(".picked").get_by_role("button", name="Retry", exact=True).click()
    dialog = page.get_by_role("dialog", name="Retry from the start")
    expect(dialog.locator("#bulk-numbers")).to_contain_text("30")
    expect(dialog.locator("#bulk-excluded")).to_contain_text("Its input was erased or never kept.")
    assert visitor.inaccessible() == []
    dialog.get_by_role("button", name="Retry 30 work orders").click()
    page.wait_for_url("**/operations/*")
    again(past, 30)


def test_the_same_by_keyboard_alone(visit, person, history, past):
    visitor = visit()
    page, keys = visitor.page, visitor.page.keyboard
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"{history}?state=failed")
    keys.press("j")
    keys.press("Enter")
    page.locator(f"#workorders-runs-{past[0].id} .run").wait_for()
    press_until(page, "Tab", ".run-actions button")
    keys.press("Enter")
    expect(page.locator(f"#workorders-runs-{past[0].id} .run")).to_have_count(2)
    expect(page.locator("[data-row]:focus")).to_have_count(1)

    visitor.open(f"{history}?state=failed")
    keys.press("j")
    keys.press("x")
    keys.press("j")
    keys.press("x")
    expect(page.locator(".picked-count")).to_have_text("2 picked")
    press_until(page, "Tab", "[data-pick-every]", 400)
    keys.press("Space")
    press_until(page, "Tab", ".picked button")
    keys.press("Enter")
    dialog = page.get_by_role("dialog", name="Retry from the start")
    dialog.wait_for()
    keys.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator(".picked button:focus")).to_have_count(1)
    keys.press("Enter")
    dialog.wait_for()
    press_until(page, "Tab", "dialog .button-primary")
    keys.press("Enter")
    page.wait_for_url("**/operations/*")
    again(past, 30)
    keys.press("g")
    keys.press("h")
    page.wait_for_url("**/history")


def test_without_script_the_preview_is_a_page(visit, person, history, past):
    visitor = visit(java_script_enabled=False)
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"{history}?state=failed")
    for order in past[:2]:
        page.locator(f"#workorders-row-{order.id} input[type=checkbox]").check()
    page.locator(".picked").get_by_role("button", name="Retry", exact=True).click()
    page.get_by_role("heading", name="Retry from the start", level=1).wait_for()
    page.get_by_role("button", name="Retry 2 work orders").click()
    page.wait_for_url("**/operations/*")
    again(past, 2)


def test_run_by_hand_keeps_what_was_typed_until_it_is_right(visit, person, history, flow, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(history)
    page.get_by_role("link", name="Run by hand").click()
    dialog = page.get_by_role("dialog", name="Run by hand")
    dialog.get_by_label("Begin at").select_option("Second")
    dialog.get_by_label("New JSON").check()
    dialog.get_by_label("JSON", exact=True).fill('{"visit": 99')
    dialog.get_by_role("button", name="Run", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("is not valid JSON")
    expect(dialog.get_by_label("JSON", exact=True)).to_have_value('{"visit": 99')
    assert visitor.inaccessible() == []
    visitor.complaints.clear()
    dialog.get_by_label("JSON", exact=True).fill('{"visit": 99}')
    dialog.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("heading", name=re.compile("^Run ")).wait_for()
    expect(page.get_by_text("Second").first).to_be_visible()


def test_on_a_phone_the_bar_stands_at_the_bottom(visit, person, history, past):
    visitor = visit(viewport={"width": 390, "height": 800})
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(history)
    page.locator(f"#workorders-row-{past[0].id} input[type=checkbox]").check()
    box = page.locator(".picked").bounding_box()
    assert box["y"] + box["height"] == pytest.approx(800, abs=2)
    assert visitor.overflow() == 0


def test_a_message_for_the_next_page_is_shown_by_a_boosted_link_too(visit, person, history, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"{history}/{past[0].id}")
    page.evaluate(
        """async () => {
            const form = document.querySelector("form.deed");
            const body = new URLSearchParams(new FormData(form));
            await fetch(form.action, {method: "POST", body, redirect: "manual"});
        }"""
    )
    page.get_by_role("navigation", name="Project").get_by_role("link", name="Exports").click()
    page.get_by_role("heading", name="Exports", exact=True).wait_for()
    expect(page.locator(".toast", has_text="enqueued.")).to_have_count(1)
    page.get_by_role("navigation", name="Project").get_by_role("link", name="History").click()
    page.get_by_role("heading", name="History", exact=True).wait_for()
    expect(page.locator(".toast", has_text="enqueued.")).to_have_count(1)
