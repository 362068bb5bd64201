"""Saved views by keyboard, and an overview whose numbers lead to their history (workorders §14, §21)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal import accounts, workorders
from portal.core import clock
from portal.workorders import NewView
from tests.browser.conftest import PASSWORD
from tests.support.factories import make_workflow
from tests.support.past import happen


@pytest.fixture
def flow(committed, project):
    made = make_workflow(project, "Register a visit")
    for number in range(9):
        state = ("failed", "failed", "crashed", "success")[number % 4]
        happen(made, at=clock.now() - timedelta(hours=number * 20), state=state)
    committed.commit()
    return made


def view_link(page, name):
    return page.locator("[data-view]", has_text=name)


def test_a_view_is_saved_counted_renamed_and_deleted_by_keyboard(visit, person, project, flow):
    visitor = visit()
    page, keys = visitor.page, visitor.page.keyboard
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}/history?state=failed")
    page.get_by_text("save the filters under a name").wait_for()
    page.get_by_role("button", name="Save view").first.press("Enter")
    name = page.locator("#views-new-name")
    expect(name).to_be_focused()
    assert visitor.inaccessible() == []
    keys.press("Enter")
    page.get_by_text("can't be blank").wait_for()
    name.fill("Failed visits")
    keys.press("Enter")
    link = view_link(page, "Failed visits")
    expect(link.locator(".side-count")).to_have_text(re.compile(r"^5"))
    expect(name).to_be_hidden()
    expect(link).to_have_attribute("aria-current", "page")

    page.get_by_role("link", name="Change the view “Failed visits”").press("Enter")
    name = page.locator(".side-edit").get_by_label("Name of the view")
    expect(name).to_be_focused()
    assert visitor.inaccessible() == []
    keys.press("Escape")
    again = page.get_by_role("link", name="Change the view “Failed visits”")
    expect(again).to_be_focused()
    again.press("Enter")
    name.fill("Broken visits")
    keys.press("Enter")
    changed = page.get_by_role("link", name="Change the view “Broken visits”")
    expect(changed).to_be_focused()
    expect(view_link(page, "Broken visits").locator(".side-count")).to_have_text(re.compile(r"^5"))

    page.locator("#sidebar-list").get_by_role("link", name="Overview").press("Enter")
    page.get_by_role("heading", name="riverside-clinic").wait_for()
    expect(view_link(page, "Broken visits")).not_to_have_attribute("aria-current", "page")
    view_link(page, "Broken visits").press("Enter")
    page.wait_for_url("**/history?state=failed")
    expect(page.locator("tbody.record")).to_have_count(5)
    changed.press("Enter")
    page.get_by_role("button", name="Delete").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
    expect(view_link(page, "Broken visits")).to_have_count(0)
    visitor.complaints[:] = [text for text in visitor.complaints if "422" not in text]


def test_views_without_script(visit, person, project, flow):
    visitor = visit(java_script_enabled=False)
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}/history?state=failed")
    page.get_by_role("button", name="Save view").first.click()
    page.get_by_label("Name of the view").fill("Failed visits")
    page.get_by_label("For the whole project").check()
    page.locator("#views-form").get_by_role("button", name="Save view").click()
    page.get_by_text("was saved").wait_for()
    page.get_by_role("link", name="Saved views").click()
    page.get_by_role("link", name="Change").click()
    page.get_by_label("Name of the view").fill("Broken visits")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("link", name="Broken visits", exact=True).wait_for()
    page.get_by_role("link", name="Change").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("No saved views yet").wait_for()


def test_a_number_of_the_overview_leads_to_so_many_rows(visit, person, project, flow, committed):
    new = NewView(name="All failed", filters="state=failed")
    workorders.create_view(project, new, actor=accounts.actor_of(person))
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}")
    assert visitor.inaccessible() == []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert visitor.overflow() <= 0
    number = page.locator("#projects-figures .part[data-tone=failed] a").first
    wanted = int(re.match(r"\d+", number.inner_text())[0])
    assert wanted == 7
    number.click()
    page.get_by_role("heading", name="History").wait_for()
    expect(page.locator("tbody.record")).to_have_count(wanted)
