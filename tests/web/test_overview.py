"""The overview of a project and of a workflow: every number leads to its history (workorders §14)."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest

from portal import workorders
from portal.core import clock
from portal.workorders import NewView, WorkorderState
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.past import happen
from tests.web.test_history import Statements

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
NUMBER = re.compile(r'<a[^>]*?href="([^"]*/history\?[^"]*)"[^>]*>([\d,]+)<')


@pytest.fixture
def overview(cast):
    return f"/projects/{cast.project.id}"


@pytest.fixture
def lived_in(cast, flow, queue):
    """Work orders in every state, some of today, some older than a month."""
    other = make_workflow(cast.project, "Stock <sync>")
    now = clock.now()
    for place, state in enumerate((*WorkorderState, WorkorderState.SUCCESS)):
        for days in (0, 3, 29, 31):
            at = now - timedelta(days=days, hours=place, minutes=3)
            happen(flow if place % 3 else other, at=at, state=str(state), steps=[None] if place % 2 else [])
    return other


def linked_numbers(text):
    return [(html.unescape(url), int(number.replace(",", ""))) for url, number in NUMBER.findall(text)]


def counted(browser, url):
    text = browser.get(url, follow_redirects=True).text
    found = re.search(r"<strong>([\d,]+) work orders?</strong>", text)
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("page", ["project", "workflow"])
def test_14_each_number_of_work_orders_leads_to_exactly_that_history(browser, overview, flow, lived_in, page):
    """workorders §14"""
    text = browser.get(overview if page == "project" else f"{overview}/workflows/{flow.id}").text
    numbers = linked_numbers(text)
    assert len(numbers) > 15
    assert len({number for _, number in numbers}) > 3
    assert [(url, number) for url, number in numbers if counted(browser, url) != number] == []


def test_the_numbers_are_those_of_the_statistics(browser, overview, cast, lived_in):
    text = " ".join(re.sub(r"<[^>]+>", " ", browser.get(overview).text).split())
    found = workorders.project_statistics(cast.project)
    assert f"Work orders {found.work_orders.total} {found.work_orders.success} went well" in text
    assert f"Success rate {found.success_rate:g} % of finished runs" in text
    assert f"Failed {found.failed_percentage:g} % of all work orders" in text


def test_the_workflows_sort_by_the_address(browser, overview, cast, flow, lived_in):
    def order(sort):
        text = browser.get(f"{overview}?sort={sort}").text
        assert text.count("aria-sort") == 1
        return re.findall(r'id="projects-flow-([0-9a-f-]+)"', text)

    few, many = str(lived_in.id), str(flow.id)
    assert order("-orders") == [many, few]
    assert order("orders") == [few, many]
    assert browser.get(f"{overview}?sort=size").status_code == 422
    assert 'href="?sort=orders#projects-flows"' in browser.get(f"{overview}?sort=-orders").text


def test_the_chart_has_a_column_for_each_day_and_a_table_behind_it(browser, overview, lived_in):
    text = browser.get(overview).text
    month = text.partition('id="projects-month"')[2].partition("</section>")[0]
    assert month.count('<tr><th scope="row"') == 30
    assert "Show as table" in month
    assert month.count("<g><title>") == 3, "three days of the period have work orders"
    assert re.search(r'role="img" aria-label="Work orders by the day: \d+ went well, \d+ failed', month)


def test_the_figures_renew_themselves_without_the_rest(browser, overview, lived_in):
    answer = browser.get(overview, headers=PARTIAL)
    assert answer.text.lstrip().startswith('<div class="stack" id="projects-figures"')
    assert '<hx-partial hx-target="#projects-day"' in answer.text
    assert "projects-flows" not in answer.text


def test_a_project_without_work_orders_says_how_to_begin(browser, overview, flow, queue):
    text = browser.get(overview).text
    assert "Nothing has arrived yet" in text
    assert "Register a visit" in text
    assert "projects-month" not in text


def test_saved_views_are_listed_with_their_filters(browser, overview, cast, lived_in):
    filters = workorders.SearchFilters(states=("failed",), workflows=(lived_in.id,))
    workorders.create_view(
        cast.project, NewView(name="Stock trouble", filters=filters), actor=cast.actor(cast.viewer)
    )
    text = browser.get(overview).text
    assert "Stock trouble" in text
    assert re.search(r"State: Failed\s+·\s+Workflow: Stock &lt;sync&gt;", text)


def test_a_workflow_shows_what_starts_it_and_what_it_did_last(browser, overview, flow, queue):
    happened = happen(flow, state="failed", error_type="AdaptorError")
    text = browser.get(f"{overview}/workflows/{flow.id}").text
    assert f"http://localhost/i/{flow.trigger.id}" in text
    assert f"/runs/{happened.run.id}" in text
    assert "AdaptorError" in text
    assert "Last failure" in text


def test_a_deleted_workflow_still_has_its_overview(browser, overview, cast, queue):
    gone = make_workflow(cast.project, "Gone", deleted_at=clock.now())
    answer = browser.get(f"{overview}/workflows/{gone.id}")
    assert answer.status_code == 200
    assert "deleted" in answer.text


def test_strangers_and_other_projects_find_nothing(app, browser, overview, cast, flow):
    foreign = make_workflow(make_project("elsewhere"))
    assert browser.get(f"{overview}/workflows/{foreign.id}").status_code == 404
    stranger = logged_in(app, cast.stranger)
    for url in (overview, f"{overview}/workflows/{flow.id}"):
        assert stranger.get(url).status_code == 404


def test_the_cost_does_not_depend_on_the_number_of_workflows(
    browser, overview, cast, flow, queue, db_session
):
    def cost():
        queue.flushdb()
        with Statements(db_session.connection()) as counted:
            assert browser.get(overview).status_code == 200
        return len(counted.seen)

    happen(flow)
    browser.get(overview)
    few = cost()
    for _ in range(5):
        happen(make_workflow(cast.project), state="failed")
    assert cost() == few
    with Statements(db_session.connection()) as counted:
        browser.get(overview)
    assert len(counted.seen) < few - 4, "what is kept for a minute is not counted again"
