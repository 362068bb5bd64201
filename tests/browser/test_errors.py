"""Errors: find what fails most, try the whole group again, resolve it and take that back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from portal import workorders
from portal.core import clock
from portal.core.db import session
from portal.workorders.models import LogLevel, Run
from tests.browser.conftest import PASSWORD
from tests.support.factories import make_workflow
from tests.support.past import happen, log
from tests.support.processes import eventually


@pytest.fixture
def errors(committed, project):
    """Six runs that failed alike, one of them well since; one that failed otherwise."""
    flow, now = make_workflow(project, "Register a visit"), clock.now()
    made = []
    for number in range(6):
        at = now - timedelta(hours=number + 1)
        each = happen(flow, at=at, state="failed", error_type="AdaptorError", steps=[{"visit": number}])
        log(each.run, [f"Patient {number} is not known"], level=LogLevel.ERROR)
        made.append(each)
    made[5].order.state = "success"
    other = happen(flow, at=now - timedelta(days=3), state="crashed", error_type="TypeError")
    log(other.run, ["x is undefined"], level=LogLevel.ERROR)
    committed.commit()
    with clock.frozen_at(now + timedelta(minutes=1)):
        workorders.sort_failures()
    committed.commit()
    return made


def runs_of(made) -> list[int]:
    ids = [each.id for each in made]
    query = sa.select(Run.work_order_id, sa.func.count()).where(Run.work_order_id.in_(ids))
    found = dict(session().execute(query.group_by(Run.work_order_id)).all())
    session().rollback()
    return [found[id_] for id_ in ids]


def test_a_group_is_retried_after_a_look_at_what_would_happen(visit, person, project, errors):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}/history")
    page.get_by_role("link", name="Errors", exact=True).click()
    page.get_by_role("heading", name="Errors", exact=True).wait_for()
    page.get_by_label("Order").select_option("count")
    page.wait_for_url("**sort=count**")
    assert visitor.inaccessible() == []
    page.get_by_role("link", name="AdaptorError").click()
    page.get_by_role("heading", name="AdaptorError").wait_for()
    expect(page.get_by_text("Patient <number> is not known")).to_be_visible()
    page.get_by_text("Show as table").click()
    assert visitor.inaccessible() == []
    page.get_by_role("link", name="Retry this group").press("Enter")
    dialog = page.get_by_role("dialog", name="Retry from the start")
    dialog.get_by_role("button", name="Retry 5 work orders").press("Enter")
    page.wait_for_url("**/operations/*")
    eventually(lambda: runs_of(errors) == [2, 2, 2, 2, 2, 1], 30)


def test_a_group_is_resolved_and_that_is_taken_back(visit, person, project, errors):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}/errors")
    row = page.locator("tr", has_text="TypeError")
    row.get_by_role("button", name="Resolve").click()
    toast = page.locator(".toast", has_text="Resolved.")
    expect(toast).to_be_visible()
    expect(row).to_have_count(0)
    assert visitor.inaccessible() == []
    toast.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("button", name="Resolve")).to_be_visible()
    row.get_by_role("button", name="Ignore").click()
    expect(row).to_have_count(0)
    page.get_by_role("link", name="Ignored").click()
    page.wait_for_url("**state=ignored")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.go_back()
    expect(page.locator("tr[data-row]")).to_have_count(1)
    expect(page.get_by_role("link", name="AdaptorError")).to_be_visible()


def test_without_script_all_of_it_works(visit, person, project, errors):
    visitor = visit(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"/projects/{project.id}/errors")
    page.get_by_label("Order").select_option("count")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="AdaptorError").click()
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator("h1 .badge")).to_have_text("Resolved")
    page.get_by_role("link", name="Retry this group").click()
    expect(page.get_by_role("button", name="Retry 5 work orders")).to_be_visible()
