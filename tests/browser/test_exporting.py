"""From the history to an archive that was checked against its manifest: by keyboard alone, and by mouse."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal.core import clock
from tests.browser.conftest import PASSWORD
from tests.support.archives import verified
from tests.support.factories import make_workflow
from tests.support.past import happen


@pytest.fixture
def failed(committed, project):
    """Three failed work orders with logs and bodies, the newest first, beside one that went well."""
    flow = make_workflow(project, "Register a visit")
    now = clock.now()
    made = [
        happen(flow, at=now - timedelta(minutes=n), state="failed", steps=[{"visit": n}], logs=[f"line {n}"])
        for n in range(3)
    ]
    happen(flow, at=now, state="success")
    committed.commit()
    return made


@pytest.fixture
def visitor(visit, person, project, failed):
    made = visit()
    made.log_in(person.email, PASSWORD)
    made.open(f"/projects/{project.id}/history?state=failed")
    return made


@pytest.fixture
def page(visitor):
    return visitor.page


def test_export_a_zip_by_keyboard_and_verify_it_against_its_manifest(page, failed):
    page.get_by_role("button", name="Export…").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("3 work orders").wait_for()
    expect(page.get_by_role("radio", name="CSV")).to_be_focused()
    expect(dialog.get_by_text("Columns of the CSV file")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="ZIP")).to_be_checked()
    expect(dialog.get_by_text("Columns of the CSV file")).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Start the export")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Exports").wait_for()
    link = page.get_by_role("link", name="Download")
    expect(link).to_be_visible(timeout=30_000)
    expect(page.get_by_text("3 rows ·")).to_be_visible()
    with page.expect_download() as download:
        link.focus()
        page.keyboard.press("Enter")
    manifest, rows, entries = verified(str(download.value.path()))
    assert download.value.suggested_filename.endswith(".zip")
    assert manifest["filters"] == {"states": ["failed"]}
    assert [row["id"] for row in rows["work_orders"]] == [str(each.id) for each in failed]
    assert entries[f"logs/{failed[1].run.id}.txt"] == b"line 1"


def test_choose_columns_be_corrected_and_remove_the_export(visitor, page, failed):
    page.get_by_role("button", name="Export…").click()
    chips = page.locator("#field-columns .chip")
    chips.first.wait_for()
    for place in range(chips.count()):
        chips.nth(place).click()
    page.get_by_role("button", name="Start the export").click()
    page.get_by_text("Choose at least one column.").wait_for()
    assert [text for text in visitor.complaints if "422" not in text] == []
    visitor.complaints.clear()
    chips.nth(0).click()
    page.get_by_role("button", name="Start the export").click()
    link = page.get_by_role("link", name="Download")
    expect(link).to_be_visible(timeout=30_000)
    with page.expect_download() as download:
        link.click()
    ids = [str(each.id) for each in failed]
    assert download.value.path().read_text().split() == ["work_order_id", *ids]
    page.get_by_role("button", name="Remove").click()
    page.locator("#confirm-ok").click()
    page.get_by_text("No exports yet").wait_for()
