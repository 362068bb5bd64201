"""The first whole journey: from the log-in to the CSV of exactly the rows that were filtered."""

from __future__ import annotations

import csv
import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal import workorders
from portal.core import clock
from portal.workorders.indexing import index_due
from portal.workorders.models import LogLevel
from tests.browser.conftest import PASSWORD
from tests.support.factories import make_workflow
from tests.support.past import happen, log

ROWS = "tbody.record"


@pytest.fixture
def flow(committed, project):
    made = make_workflow(project, "Register a visit")
    committed.commit()
    return made


@pytest.fixture
def past(committed, flow):
    """Failed work orders whose logs name malaria (the wanted), and others that share only half of that."""
    now = clock.now()
    wanted = []
    for number in range(32):
        at = now - timedelta(minutes=number)
        word = "malaria" if number % 2 == 0 else "cholera"
        state = "failed" if number % 4 < 2 else "success"
        made = happen(flow, at=at, state=state, steps=[{"visit": number}], error_type="AdaptorError")
        log(made.run, [f"Starting visit {number}", f"The result names {word}, without a code"])
        log(made.run, ["AdaptorError: 422"], level=LogLevel.ERROR, step=made.steps[0])
        if word == "malaria" and state == "failed":
            wanted.append(str(made.id))
    while index_due():
        pass
    committed.commit()
    return wanted


def history(project) -> str:
    return f"/projects/{project.id}/history"


def listen(visitor, path):
    """Open a page and wait until it hears of news."""
    with visitor.page.expect_response(lambda answer: "/events" in answer.url):
        visitor.open(path)


def shown(page) -> list[str]:
    rows = page.locator(ROWS).evaluate_all("rows => rows.map(row => row.id)")
    return [row.removeprefix("workorders-row-") for row in rows]


def read_csv(path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as stream:
        return [row["work_order_id"] for row in csv.DictReader(stream)]


def test_find_the_failed_ones_read_the_log_export_and_download(visit, person, project, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    page.get_by_role("link", name="riverside-clinic").last.click()
    page.get_by_role("link", name="Open the history").click()
    page.get_by_role("heading", name="History").wait_for()
    page.locator(".filters label", has_text="Failed").click()
    page.wait_for_url("**/history?state=failed")
    page.locator(".pill", has_text="State: Failed").wait_for()
    page.get_by_label("Search ids, logs").press_sequentially("malari", delay=30)
    page.wait_for_url("**/history?q=malari&state=failed")
    page.locator("mark", has_text="malaria").first.wait_for()
    assert shown(page) == past

    page.locator(ROWS).first.get_by_role("link", name=re.compile("^Runs of")).click()
    page.locator(f"#workorders-runs-{past[0]} .step-name", has_text="First").click()
    page.get_by_role("heading", name=re.compile("^Run ")).wait_for()
    page.locator(".log-message", has_text="AdaptorError: 422").wait_for()
    page.get_by_role("link", name="Show the whole run").click()
    page.locator(".log-message", has_text="names malaria").wait_for()
    page.locator(".chip", has_text="error").click()
    page.locator(".log-message", has_text="names malaria").wait_for(state="detached")
    assert page.locator(".log-line").count() == 1

    page.go_back()
    page.go_back()
    page.wait_for_url("**/history?q=malari&state=failed")
    page.locator("mark", has_text="malaria").first.wait_for()
    assert page.get_by_label("Search ids, logs").input_value() == "malari"
    assert shown(page) == past

    page.get_by_role("button", name="Export…").click()
    page.get_by_role("dialog").get_by_text("8 work orders").wait_for()
    page.get_by_role("button", name="Start the export").click()
    page.get_by_role("heading", name="Exports").wait_for()
    page.get_by_role("link", name="State: Failed").or_(page.get_by_text("Text: malari")).first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert read_csv(download.value.path()) == past


def test_the_same_journey_without_script(visit, person, project, past):
    visitor = visit(java_script_enabled=False)
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(history(project))
    page.locator(".filters label", has_text="Failed").click()
    page.get_by_label("Search ids, logs").fill("malaria")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/history?q=malaria&state=failed")
    assert shown(page) == past
    page.locator(ROWS).first.get_by_role("link", name=re.compile("^Runs of")).click()
    page.get_by_role("heading", name=re.compile("^Work order")).wait_for()
    page.locator(".run-head a").first.click()
    page.locator(".chip", has_text="error").click()
    page.get_by_role("button", name="Apply").click()
    assert page.locator(".log-line").count() == 1
    visitor.open(f"{history(project)}?q=malaria&state=failed")
    page.get_by_role("button", name="Export…").click()
    page.get_by_role("button", name="Start the export").click()
    page.get_by_role("heading", name="Exports").wait_for()
    for _ in range(40):
        if page.get_by_role("link", name="Download").count():
            break
        page.wait_for_timeout(250)
        page.reload()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert read_csv(download.value.path()) == past


def test_load_more_appends_rows_and_leaves_the_address_alone(visit, person, project, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(history(project))
    assert page.locator(ROWS).count() == 25
    page.get_by_role("link", name="Load more").click()
    expect(page.locator(ROWS)).to_have_count(32)
    assert page.url.endswith("/history")
    assert len(set(shown(page))) == 32


def test_a_pill_takes_its_filter_away_and_back_brings_it_again(visit, person, project, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(f"{history(project)}?q=malaria&state=failed")
    page.locator(".pill", has_text="State: Failed").click()
    page.wait_for_url("**/history?q=malaria")
    expect(page.get_by_role("checkbox", name="Failed")).not_to_be_checked()
    assert page.locator(ROWS).count() == 16
    page.go_back()
    expect(page.get_by_role("checkbox", name="Failed")).to_be_checked()
    expect(page.locator(ROWS)).to_have_count(8)


def test_back_empties_the_box_again(visit, person, project, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(history(project))
    page.locator(".filters label", has_text="Failed").click()
    page.wait_for_url("**/history?state=failed")
    page.get_by_label("Search ids, logs").press_sequentially("malari", delay=30)
    page.wait_for_url("**/history?q=malari&state=failed")
    page.locator(".pill", has_text="State: Failed").wait_for()
    page.go_back()
    page.wait_for_url("**/history")
    expect(page.locator(ROWS)).to_have_count(25)
    assert page.get_by_label("Search ids, logs").input_value() == ""
    assert page.locator("input:checked[name=state]").count() == 0


def test_a_new_work_order_announces_itself_and_does_not_push_the_rows(
    visit, person, project, past, flow, committed
):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    listen(visitor, history(project))
    before = shown(page)
    created = workorders.create_for_trigger(flow.trigger.id, body={"patient": "P-1"})
    button = page.get_by_role("link", name="1 new")
    button.wait_for()
    assert shown(page) == before
    button.click()
    page.locator(f"#workorders-row-{created.work_order_id}").wait_for()
    assert shown(page)[0] == str(created.work_order_id)


def test_the_first_work_order_of_a_project_appears_by_itself(visit, person, project, flow, committed):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    listen(visitor, history(project))
    command = page.locator("#workorders-curl").inner_text()
    address = re.search(r"http://[^']+", command)[0]
    answer = page.request.post(address, data={"hello": "world"})
    assert answer.status == 200
    page.locator(f"#workorders-row-{answer.json()['work_order_id']}").wait_for()


def test_a_row_that_changes_is_replaced_in_place_and_stays_open(visit, person, project, flow, committed):
    created = workorders.create_for_trigger(flow.trigger.id, body={"patient": "P-1"})
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    listen(visitor, history(project))
    row = page.locator(f"#workorders-row-{created.work_order_id}")
    row.get_by_role("link", name=re.compile("^Runs of")).click()
    row.locator(".run").wait_for()
    workorders.claim_run(created.run_id, "worker-1")
    workorders.start_run(created.run_id)
    row.locator(".badge", has_text="Running").first.wait_for()
    assert row.locator(".run").count() == 1
    assert row.get_by_role("link", name=re.compile("^Runs of")).get_attribute("aria-expanded") == "true"


def test_a_live_run_shows_its_steps_and_lines_as_they_come(visit, person, project, flow, committed):
    created = workorders.create_for_trigger(flow.trigger.id, body={"patient": "P-1"})
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    listen(visitor, f"/projects/{project.id}/runs/{created.run_id}")
    page.get_by_text("No step has begun yet").wait_for()
    workorders.claim_run(created.run_id, "worker-1")
    workorders.start_run(created.run_id)
    step = flow.jobs["First"].id
    workorders.start_step(created.run_id, step, step, input_dataclip_id=created.dataclip_id)
    page.locator(".step", has_text="First").wait_for()
    stamp = int(clock.now().timestamp() * 1000)
    workorders.append_log(created.run_id, {"message": "the first line", "timestamp": stamp})
    page.locator(".log-message", has_text="the first line").wait_for()
    workorders.append_log(created.run_id, {"message": "the second line", "timestamp": stamp + 1})
    page.locator(".log-message", has_text="the second line").wait_for()
    workorders.complete_step(created.run_id, step, "success")
    workorders.complete_run(created.run_id, state="success")
    page.locator("h1 .badge", has_text="Success").wait_for()
    page.get_by_text("Waiting for more").wait_for(state="detached")
    assert page.locator(".log-line").count() == 2


def test_a_filter_that_cannot_be_read_is_said_at_its_field(visit, person, project, past):
    visitor = visit()
    page = visitor.page
    visitor.log_in(person.email, PASSWORD)
    visitor.open(history(project))
    page.get_by_text("More filters").click()
    page.get_by_label("Active from").fill("2026-11-20T10:00")
    page.get_by_label("Active until").fill("2026-11-19T10:00")
    page.get_by_label("Active until").blur()
    page.get_by_text("The end lies before the beginning.").first.wait_for()
    assert page.get_by_label("Active until").input_value() == "2026-11-19T10:00"
    visitor.complaints.clear()  # browsers log each answer of 422 as an error
