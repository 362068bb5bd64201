"""Retry and cancel by click: what is offered, who may, what a second click does (workorders §10.5, §12)."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.audit.models import AuditEvent
from portal.core.db import session
from portal.workorders.models import Run
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.forms import PARTIAL, form_with, forms_of, offers
from tests.support.past import happen

RETRY, FROM_HERE, CANCEL, CANCEL_ALL = "Retry", "Retry from here", "Cancel", "Cancel the waiting run"


@pytest.fixture
def editor(app, cast):
    return logged_in(app, cast.editor)


@pytest.fixture
def failed(flow):
    return happen(flow, state="failed", steps=[{"visit": 1}, {"visit": 2}])


@pytest.fixture
def waiting(flow):
    return happen(flow, state="pending")


def opened(client, base, order):
    """The answer that opens a row of the list."""
    return client.get(f"{base}/{order.id}", headers=PARTIAL)


def runs() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(Run))


def toast(answer) -> dict:
    return json.loads(answer.headers["HX-Trigger"])["toast"]


def state_of(order) -> str:
    session().refresh(order.order)
    return str(order.order.state)


@pytest.mark.parametrize(
    "state", ["success", "failed", "crashed", "killed", "exception", "lost", "cancelled"]
)
def test_10_5_what_has_ended_offers_retry(editor, base, flow, state):
    order = happen(flow, state=state, steps=[{}])
    assert offers(opened(editor, base, order)) == [RETRY, FROM_HERE]


def test_10_5_what_waits_offers_cancel_alone(editor, base, flow, waiting):
    assert offers(opened(editor, base, waiting)) == [CANCEL]
    several = happen(flow, state="pending", runs=2)
    assert offers(opened(editor, base, several)) == ["Cancel 2 waiting runs", CANCEL, CANCEL]


def test_10_5_what_was_claimed_or_runs_offers_nothing(editor, base, flow):
    claimed, running = happen(flow, state="pending"), happen(flow, state="running")
    claimed.run.state = "claimed"
    session().flush()
    assert offers(opened(editor, base, claimed)) == offers(opened(editor, base, running)) == []


def test_10_5_rejected_offers_retry(editor, base, flow):
    assert offers(opened(editor, base, happen(flow, state="rejected"))) == [RETRY]


def test_a_viewer_is_offered_nothing(browser, base, failed, waiting):
    assert offers(opened(browser, base, failed)) == offers(opened(browser, base, waiting)) == []


def test_a_wiped_input_disables_retry_and_says_why(editor, base, flow):
    order = happen(flow, state="failed", wiped=True, steps=[None])
    answer = opened(editor, base, order)
    assert offers(answer) == []
    assert "Its input was erased or never kept" in answer.text
    assert "Input erased" in answer.text


def test_a_deleted_workflow_disables_retry_and_says_why(editor, base, flow, failed):
    flow.workflow.deleted_at = failed.order.inserted_at
    session().flush()
    answer = opened(editor, base, failed)
    assert offers(answer) == []
    assert "Its workflow was deleted" in answer.text


def test_retry_answers_the_rows_runs_and_a_toast_that_leads_to_the_new_one(editor, base, cast, failed):
    answer = form_with(opened(editor, base, failed), RETRY).send(editor, htmx=True)
    newest = workorders.runs_of(cast.project.id, [failed.id])[failed.id][0]
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith(f'<div id="workorders-runs-{failed.id}"')
    assert f'id="workorders-run-{newest.id}"' in answer.text
    assert toast(answer)["text"] == f"Run {str(newest.id)[-8:]} enqueued."
    assert toast(answer)["href"] == f"/projects/{cast.project.id}/runs/{newest.id}"
    assert json.loads(answer.headers["HX-Trigger"])["workorder-updated"] == {"target": "body"}
    assert (newest.state, state_of(failed)) == ("available", "pending")


def test_without_script_a_retry_leads_to_the_new_run(editor, base, cast, failed):
    answer = form_with(editor.get(f"{base}/{failed.id}"), RETRY).send(editor)
    newest = workorders.runs_of(cast.project.id, [failed.id])[failed.id][0]
    assert (answer.status_code, answer.location) == (303, f"/projects/{cast.project.id}/runs/{newest.id}")
    assert f"Run {str(newest.id)[-8:]} enqueued." in editor.get(answer.location).text


def test_retry_from_a_step_starts_there(editor, base, cast, flow, failed):
    second = [form for form in forms_of(opened(editor, base, failed)) if FROM_HERE in form.buttons][1]
    assert second.send(editor, htmx=True).status_code == 200
    newest = workorders.runs_of(cast.project.id, [failed.id])[failed.id][0]
    assert session().get(Run, newest.id).starting_job_id == flow.jobs["Second"].id
    assert session().get(Run, newest.id).dataclip_id == failed.steps[1].input_dataclip_id


@pytest.mark.parametrize("button", [RETRY, FROM_HERE])
@pytest.mark.parametrize("htmx", [True, False])
def test_the_same_form_sent_twice_makes_one_run(editor, base, failed, button, htmx):
    form = form_with(editor.get(f"{base}/{failed.id}"), button)
    first, second = form.send(editor, htmx=htmx), form.send(editor, htmx=htmx)
    assert first.status_code == second.status_code == (200 if htmx else 303)
    assert first.headers.get("Location") == second.headers.get("Location")
    assert runs() == 2
    assert session().scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == 1


def test_two_tabs_make_one_run_while_the_first_waits_and_two_by_intent_later(editor, base, cast, failed):
    one, other = (form_with(opened(editor, base, failed), RETRY) for _ in range(2))
    one.send(editor, htmx=True)
    refused = other.send(editor, htmx=True)
    assert (refused.status_code, runs()) == (409, 2)
    assert toast(refused)["level"] == "error"
    assert "waiting or running" in toast(refused)["text"]
    assert offers(refused) == [CANCEL]
    form_with(refused, CANCEL).send(editor, htmx=True)
    assert other.send(editor, htmx=True).status_code == 200
    assert runs() == 3


def test_a_refusal_is_a_page_for_a_browser_without_script(editor, base, failed):
    one, other = (form_with(editor.get(f"{base}/{failed.id}"), RETRY) for _ in range(2))
    one.send(editor)
    answer = other.send(editor)
    assert answer.status_code == 409
    assert "waiting or running" in answer.text


def test_an_input_wiped_meanwhile_is_refused_with_the_reason(editor, base, cast, failed):
    form = form_with(opened(editor, base, failed), RETRY)
    session().execute(sa.text("UPDATE dataclips SET wiped_at = now() WHERE type = 'http_request'"))
    answer = form.send(editor, htmx=True)
    assert (answer.status_code, runs()) == (422, 1)
    assert "erased or never kept" in toast(answer)["text"]
    assert form.send(editor).status_code == 422


def test_12_cancel_from_the_row(editor, base, waiting):
    answer = form_with(opened(editor, base, waiting), CANCEL).send(editor, htmx=True)
    assert (answer.status_code, toast(answer)["text"]) == (200, "1 run cancelled.")
    assert state_of(waiting) == "cancelled"
    assert offers(answer) == [RETRY]


def test_12_cancel_of_the_whole_work_order_from_its_page(editor, base, waiting):
    page = editor.get(f"{base}/{waiting.id}")
    answer = form_with(page, CANCEL_ALL).send(editor, htmx=True)
    assert answer.text.lstrip().startswith('<div class="stack" id="workorders-order"')
    assert state_of(waiting) == "cancelled"
    assert form_with(page, CANCEL_ALL).send(editor).location == f"{base}/{waiting.id}"


def test_12_3_a_run_claimed_first_is_left_alone(editor, base, waiting):
    form = form_with(opened(editor, base, waiting), CANCEL)
    waiting.run.state = "claimed"
    session().flush()
    answer = form.send(editor, htmx=True)
    assert (answer.status_code, offers(answer)) == (409, [])
    assert "no longer waits" in toast(answer)["text"]


def deeds(cast, failed, waiting):
    place = f"/projects/{cast.project.id}"
    return [
        f"{place}/history/{failed.id}/retry",
        f"{place}/runs/{failed.run.id}/steps/{failed.steps[0].id}/retry",
        f"{place}/history/{waiting.id}/cancel",
        f"{place}/runs/{waiting.run.id}/cancel",
    ]


def token(client, base) -> dict[str, str]:
    return {"csrf_token": dict(forms_of(client.get(base))[0].fields)["csrf_token"]}


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("viewer", 403),
        ("stranger", 404),
        ("superuser", 404),
        ("editor", 303),
        ("admin", 303),
        ("owner", 303),
    ],
)
def test_18_84_who_may_not_is_refused_and_nothing_runs(app, cast, base, failed, waiting, who, status):
    client = logged_in(app, getattr(cast, who))
    known = token(client, "/projects")
    answers = [client.post(url, data=known) for url in deeds(cast, failed, waiting)[:1]]
    answers += [client.post(url, data=known) for url in deeds(cast, failed, waiting)[3:]]
    assert [answer.status_code for answer in answers] == [status, status]
    assert (runs(), state_of(waiting)) == ((3, "cancelled") if status == 303 else (2, "pending"))
    if status != 303:
        assert {client.post(url, data=known).status_code for url in deeds(cast, failed, waiting)} == {status}


def test_forged_ids_of_another_project_are_not_found_and_change_nothing(editor, base, cast, failed):
    foreign = make_workflow(make_project("elsewhere"))
    order, queued = happen(foreign, state="failed", steps=[{}]), happen(foreign, state="pending")
    known = token(editor, base)
    mixed = f"/projects/{cast.project.id}/runs/{failed.run.id}/steps/{order.steps[0].id}/retry"
    answers = [editor.post(url, data=known) for url in [*deeds(cast, order, queued), mixed]]
    assert {answer.status_code for answer in answers} == {404}
    assert (runs(), state_of(queued), state_of(order)) == (3, "pending", "failed")


def test_a_key_that_cannot_be_kept_is_refused(editor, base, cast, failed):
    url = f"{base}/{failed.id}/retry"
    known = token(editor, base)
    for bad in ("x" * 201, "a\x00b"):
        assert editor.post(url, data=known | {"once": bad}).status_code == 422
    assert runs() == 1


# The page of a run


def test_the_run_page_offers_retry_and_for_a_chosen_step_retry_from_it(editor, cast, failed):
    url = f"/projects/{cast.project.id}/runs/{failed.run.id}"
    page = editor.get(url)
    assert RETRY in offers(page)
    chosen = editor.get(f"{url}?step={failed.steps[1].id}")
    answer = form_with(chosen, "Retry from this step").send(editor, htmx=True)
    newest = workorders.runs_of(cast.project.id, [failed.id])[failed.id][0]
    assert (answer.status_code, answer.headers["HX-Location"]) == (
        204,
        f"/projects/{cast.project.id}/runs/{newest.id}",
    )
    refused = form_with(page, RETRY).send(editor, htmx=True)
    assert refused.status_code == 409
    assert "waiting or running" in refused.text


def test_the_run_page_offers_cancel_while_the_run_waits(editor, cast, waiting):
    url = f"/projects/{cast.project.id}/runs/{waiting.run.id}"
    page = editor.get(url)
    assert CANCEL in offers(page)
    assert form_with(page, CANCEL).send(editor).location == url
    assert CANCEL not in offers(editor.get(url))
    assert state_of(waiting) == "cancelled"


def test_a_viewers_run_page_offers_nothing_to_do(browser, cast, failed, waiting):
    for order in (failed, waiting):
        page = browser.get(f"/projects/{cast.project.id}/runs/{order.run.id}")
        assert not {RETRY, CANCEL} & set(offers(page))
