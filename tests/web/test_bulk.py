"""Acting on many: pick, preview, confirm; who may; forged and stale requests (workorders §10, §12)."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from portal.core.db import session
from portal.operations.models import Operation
from portal.workorders.models import Run
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.forms import PARTIAL, form_with, forms_of, offers
from tests.support.past import happen

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEEDS = ("retry", "retry_from_job", "cancel")


@pytest.fixture
def editor(app, cast, queue):
    return logged_in(app, cast.editor)


@pytest.fixture
def failed(flow):
    return [happen(flow, at=NOW - timedelta(hours=n), state="failed", steps=[{}, {}]) for n in range(3)]


@pytest.fixture
def picks(editor, base):
    """`picks(*orders, query="")` is the list's form with these rows picked, as keyword arguments to send."""

    def make(*orders, query=""):
        form = form_with(editor.get(f"{base}?{query}" if query else base), "Retry")
        return form, {"pick": [str(order.id) for order in orders]}

    return make


def preview(client, base, deed="retry", **data):
    """What a form of the page answers, sent with its token against forgery."""
    known = dict(forms_of(client.get("/projects"))[0].fields)["csrf_token"]
    return client.post(f"{base}/bulk/{deed}/preview", data={"csrf_token": known} | data, headers=PARTIAL)


def operations() -> list[Operation]:
    return list(session().scalars(sa.select(Operation)))


def numbers(answer) -> list[str]:
    return re.findall(r"<dd>(?:<strong>)?(.*?)(?:</strong>)?</dd>", answer.text)


def test_the_rows_have_boxes_of_one_form_that_says_the_filters(editor, base, failed):
    page = editor.get(f"{base}?state=failed")
    boxes = re.findall(
        r'<input class="pick" type="checkbox" form="workorders-picks" name="pick" value="([^"]+)"', page.text
    )
    assert boxes == [str(order.id) for order in failed]
    form = form_with(page, "Cancel waiting")
    assert ("state", "failed") in form.fields
    assert set(form.buttons) >= {"Retry", "Retry from a step…", "Cancel waiting"}
    assert "All 3 work orders that match" in page.text


def test_a_viewer_is_offered_no_deed(browser, base, failed):
    assert not {"Retry", "Retry from a step…", "Cancel waiting"} & set(offers(browser.get(base)))


@pytest.mark.parametrize("htmx", [True, False])
def test_the_preview_says_how_many_which_are_left_out_and_in_which_order(
    picks, editor, base, flow, failed, htmx
):
    wiped, running = happen(flow, state="failed", wiped=True), happen(flow, state="running")
    form, picked = picks(*failed, wiped, running)
    answer = form.send(editor, to=f"{base}/bulk/retry/preview", htmx=htmx, **picked)
    assert answer.status_code == 200
    assert ("<html" in answer.text) is not htmx
    assert numbers(answer)[:2] == ["3", "Oldest first"]
    assert "20 Nov 2026, 10:00" in answer.text
    assert "20 Nov 2026, 12:00" in answer.text
    assert "2 are left out" in answer.text
    assert "Its input was erased or never kept." in answer.text
    assert "It still waits or runs." in answer.text
    assert "Retry 3 work orders" in offers(answer)
    assert operations() == []


def test_confirming_opens_the_page_of_the_work(picks, editor, base, cast, failed):
    form, picked = picks(*failed)
    for htmx in (True, False):
        shown = form.send(editor, to=f"{base}/bulk/retry/preview", htmx=htmx, **picked)
        answer = form_with(shown, "Retry 3 work orders").send(editor, htmx=htmx)
        where = answer.headers["HX-Location"] if htmx else answer.location
        assert answer.status_code == (204 if htmx else 303)
        assert editor.get(where).status_code == 200
        assert where in {f"/projects/{cast.project.id}/operations/{each.id}" for each in operations()}
    assert len(operations()) == 2


def test_the_same_preview_confirmed_twice_is_one_operation(picks, editor, base, failed):
    form, picked = picks(*failed)
    confirm = form_with(form.send(editor, to=f"{base}/bulk/retry/preview", **picked), "Retry 3 work orders")
    assert confirm.send(editor).location == confirm.send(editor).location
    assert len(operations()) == 1


def test_all_that_match_takes_the_filters_instead_of_the_boxes(picks, editor, base, flow, failed):
    happen(flow, state="success")
    form, picked = picks(failed[0], query="state=failed")
    answer = form.send(editor, to=f"{base}/bulk/retry/preview", scope="filter", **picked)
    assert numbers(answer)[0] == "3"
    linked = editor.get(f"{base}/bulk/retry/preview?state=failed", headers=PARTIAL)
    assert numbers(linked)[0] == "3"


def test_a_set_that_has_changed_is_shown_anew_before_anything_happens(picks, editor, base, failed):
    form, picked = picks(*failed)
    shown = form.send(editor, to=f"{base}/bulk/retry/preview", **picked)
    failed[0].order.state = "running"
    session().flush()
    answer = form_with(shown, "Retry 3 work orders").send(editor, htmx=True)
    assert (answer.status_code, operations()) == (409, [])
    assert "It was 3, now it is 2." in answer.text
    assert form_with(answer, "Retry 2 work orders").send(editor).status_code == 303


def test_10_2_retry_from_a_step_lets_choose_among_the_steps_of_the_one_workflow(
    picks, editor, base, flow, failed
):
    form, picked = picks(*failed)
    where = f"{base}/bulk/retry_from_job/preview"
    asked = form.send(editor, to=where, htmx=True, **picked)
    assert re.findall(r"<option value=\"[^\"]+\">(\w+)</option>", asked.text) == ["First", "Second", "Third"]
    assert "Retry 3 work orders" not in offers(asked)
    shown = form_with(asked, "Show what happens").send(editor, htmx=True, job_id=str(flow.jobs["Second"].id))
    assert "Each runs again from “Second”" in shown.text
    assert form_with(shown, "Retry 3 work orders").send(editor).status_code == 303
    assert operations()[0].arguments["job_id"] == str(flow.jobs["Second"].id)


def test_10_5_retry_from_a_step_needs_work_orders_of_one_workflow(picks, editor, base, cast, flow, failed):
    other = happen(make_workflow(cast.project, "Other"), state="failed")
    form, picked = picks(*failed, other)
    answer = form.send(editor, to=f"{base}/bulk/retry_from_job/preview", htmx=True, **picked)
    assert "a step belongs to one workflow" in answer.text
    forced = form.send(
        editor, to=f"{base}/bulk/retry_from_job/preview", job_id=str(flow.jobs["First"].id), **picked
    )
    assert forced.status_code == 422
    assert "spans several workflows" in forced.text


def test_12_4_cancel_takes_those_that_wait(picks, editor, base, flow, failed):
    waiting = happen(flow, state="pending")
    form, picked = picks(*failed, waiting)
    answer = form.send(editor, to=f"{base}/bulk/cancel/preview", **picked)
    assert numbers(answer)[0] == "1"
    assert form_with(answer, "Cancel the runs of 1 work order").send(editor).status_code == 303


def test_where_nothing_can_be_done_there_is_no_button(picks, editor, base, failed):
    form, picked = picks(*failed)
    answer = form.send(editor, to=f"{base}/bulk/cancel/preview", **picked)
    assert "None of these work orders can be cancelled." in answer.text
    assert not [label for label in offers(answer) if label.startswith("Cancel the runs")]


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize(
    ("who", "status"), [("viewer", 403), ("stranger", 404), ("superuser", 404), ("admin", 200)]
)
def test_18_84_who_may_not_sees_no_preview_and_starts_nothing(
    app, cast, base, failed, queue, deed, who, status
):
    client = logged_in(app, getattr(cast, who))
    assert preview(client, base, deed, pick=str(failed[0].id)).status_code == status
    if status != 200:
        known = dict(forms_of(client.get("/projects"))[0].fields)["csrf_token"]
        answer = client.post(f"{base}/bulk/{deed}", data={"csrf_token": known, "token": "x"})
        assert (answer.status_code, operations()) == (status, [])


def test_a_token_is_worth_nothing_to_a_viewer_or_in_another_project(app, picks, cast, editor, base, failed):
    form, picked = picks(*failed)
    shown = form.send(editor, to=f"{base}/bulk/retry/preview", **picked)
    token = dict(form_with(shown, "Retry 3 work orders").fields)["token"]
    other = make_project("elsewhere", members={cast.editor: "editor"})
    known = dict(forms_of(editor.get("/projects"))[0].fields)["csrf_token"]
    sent = {"csrf_token": known, "token": token}
    assert editor.post(f"/projects/{other.id}/history/bulk/retry", data=sent).status_code == 422
    viewer = logged_in(app, cast.viewer)
    sent["csrf_token"] = dict(forms_of(viewer.get("/projects"))[0].fields)["csrf_token"]
    assert viewer.post(f"{base}/bulk/retry", data=sent).status_code == 403
    assert operations() == []


def test_the_ids_of_other_projects_are_left_out_and_untouched(editor, base, failed):
    foreign = happen(make_workflow(make_project("elsewhere")), state="failed")
    answer = preview(editor, base, pick=[str(failed[0].id), str(foreign.id), str(uuid.uuid4())])
    assert numbers(answer)[0] == "1"
    assert "It is not in this project." in answer.text
    assert session().scalar(sa.select(sa.func.count()).select_from(Run)) == 4


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "Choose at least one work order."),
        ({"pick": "nonsense"}, "not the id of a work order"),
        ({"scope": "filter", "state": "purple"}, "One of these states does not exist."),
        ({"pick": [str(uuid.uuid4()) for _ in range(1001)]}, "at most 1,000"),
    ],
)
def test_what_cannot_be_read_is_422(editor, base, data, words):
    answer = preview(editor, base, **data)
    assert answer.status_code == 422
    assert words in answer.text


def test_an_unknown_deed_is_not_there(editor, base, failed):
    assert preview(editor, base, "delete", pick=str(failed[0].id)).status_code == 404
    assert editor.get(f"{base}/bulk/delete/preview").status_code == 404


@pytest.mark.parametrize("bad", ["", "forged", "a\x00b", "x" * 5000])
def test_a_forged_token_is_422_in_words(editor, base, bad):
    known = dict(forms_of(editor.get("/projects"))[0].fields)["csrf_token"]
    answer = editor.post(f"{base}/bulk/retry", data={"csrf_token": known, "token": bad}, headers=PARTIAL)
    assert answer.status_code == 422
    assert "no longer good" in answer.text


def test_a_bad_job_is_422(editor, base, failed):
    for bad in ("x", str(uuid.uuid4())):
        answer = preview(editor, base, "retry_from_job", pick=str(failed[0].id), job_id=bad)
        assert answer.status_code == 422


def test_two_picked_rows_are_compared_by_their_newest_runs(browser, base, cast, flow, failed):
    form = form_with(browser.get(base), "Compare")
    answer = form.send(browser, pick=[str(order.id) for order in failed[:2]])
    assert answer.status_code == 303
    assert {str(order.run.id) for order in failed[:2]} <= set(re.split("[=&?]", answer.location))
    assert browser.get(answer.location).status_code == 200


def test_not_two_or_without_runs_or_of_another_project_are_not_compared(browser, base, flow, failed):
    form = form_with(browser.get(base), "Compare")
    rejected = happen(flow, state="rejected")
    foreign = happen(make_workflow(make_project("elsewhere")))
    for others, status in (([], 422), ([*failed[1:]], 422), ([rejected], 422), ([foreign], 404)):
        picked = [str(order.id) for order in (failed[0], *others)]
        assert form.send(browser, pick=picked).status_code == status
