"""The pages of error groups: list, one group, what people say of it (workorders §22)."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.db import session
from portal.workorders import GroupState
from portal.workorders.group_models import ErrorGroup
from portal.workorders.models import LogLevel, Workorder
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.past import happen, log

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def fail(flow, text="Patient 7 is not known", **more):
    made = happen(flow, **({"state": "failed", "error_type": "AdaptorError"} | more))
    log(made.run, [text], level=LogLevel.ERROR)
    return made


def sort_all():
    with clock.frozen_at(clock.now() + timedelta(minutes=1)):
        return workorders.sort_failures()


@pytest.fixture
def place(cast):
    return f"/projects/{cast.project.id}/errors"


@pytest.fixture
def group(flow):
    """A group of two runs of the flow."""
    fail(flow)
    fail(flow, "Patient 8 is not known")
    sort_all()
    return session().scalars(sa.select(ErrorGroup)).one()


@pytest.fixture
def editor(app, cast):
    return logged_in(app, cast.editor)


def post(client, path, data, **more):
    """Send a form with the client's own token."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/projects").text)[1]
    return client.post(path, data={"csrf_token": token, **data}, **more)


def state_of(group):
    return session().scalar(sa.select(ErrorGroup.state).where(ErrorGroup.id == group.id))


def rows(text):
    return re.findall(r'<tr id="error-groups-row-([0-9a-f-]+)"', text)


def test_the_list_shows_what_failed_how_often_and_when(browser, place, group):
    page = browser.get(place)
    assert page.status_code == 200
    assert rows(page.text) == [str(group.id)]
    for text in ("AdaptorError", "Patient &lt;number&gt; is not known", "Register a visit", "<polyline"):
        assert text in page.text
    assert "AdaptorError: 2 in 30 days, at most 2 on one day" in page.text
    assert 'aria-current="page"' in page.text


def test_htmx_gets_the_list_alone(browser, place, group):
    fragment = browser.get(place, headers=PARTIAL).text
    assert fragment.lstrip().startswith('<section class="panel" id="error-groups-list"')
    assert "<html" not in fragment


def test_states_and_workflows_filter(browser, place, group, cast):
    other = make_workflow(cast.project, "Other")
    assert rows(browser.get(f"{place}?state=resolved").text) == []
    assert "Nothing is resolved" in browser.get(f"{place}?state=resolved").text
    assert rows(browser.get(f"{place}?workflow={group.workflow_id}&sort=count").text) == [str(group.id)]
    found = browser.get(f"{place}?workflow={other.id}").text
    assert rows(found) == []
    assert "This workflow has no such errors." in found
    assert rows(browser.get(f"{place}?workflow=").text) == [str(group.id)]


def test_without_errors_the_page_says_so(browser, place):
    assert "No open errors" in browser.get(place).text


@pytest.mark.parametrize("query", ["state=broken", "workflow=x", "sort=up", "state=%00", "workflow=%F0"])
def test_a_bad_filter_is_refused_on_its_field(browser, place, group, query):
    page = browser.get(f"{place}?{query}")
    assert page.status_code == 422
    assert f"#field-{query.partition('=')[0]}" in page.text
    assert "Nothing was looked for" in page.text


def test_a_forged_cursor_is_refused(browser, place, group):
    assert browser.get(f"{place}?cursor=forged").status_code == 422


def test_unknown_names_are_noticed(browser, place, group):
    assert "Not understood, and left out: colour" in browser.get(f"{place}?colour=red").text


def test_more_groups_come_by_a_link(browser, place, flow):
    for number in range(27):
        fail(flow, "trouble " + "abc"[number // 9] * (number % 9 + 1))
    sort_all()
    first = browser.get(place).text
    link = re.search(r'href="([^"]+cursor=[^"]+)"', first)[1].replace("&amp;", "&")
    more = browser.get(link, headers=PARTIAL).text
    assert more.lstrip().startswith("<tbody>")
    assert (len(rows(first)), len(rows(more))) == (25, 2)
    assert set(rows(first)).isdisjoint(rows(more))
    assert "error-groups-live" in first
    assert "error-groups-live" not in more
    assert "Back to the beginning" in browser.get(link).text


def test_the_page_of_a_group_has_facts_trend_and_runs(browser, place, group, cast):
    page = browser.get(f"{place}/{group.id}")
    assert page.status_code == 200
    assert "Patient &lt;number&gt; is not known" in page.text
    assert page.text.count("/runs/") >= 2
    assert f"/projects/{cast.project.id}/history?error_group={group.id}" in page.text
    assert "Show as table" in page.text
    assert browser.get(f"{place}/{group.id}", headers=PARTIAL).text.lstrip().startswith('<div class="stack"')


def test_viewers_read_and_change_nothing(browser, place, group):
    page = browser.get(f"{place}/{group.id}").text
    assert "Resolve" not in page
    assert "Retry this group" not in page
    answer = post(browser, f"{place}/{group.id}/state", {"state": "resolved"})
    assert (answer.status_code, state_of(group)) == (403, GroupState.OPEN)


def test_an_editor_resolves_and_comes_back_to_the_group(editor, place, group, cast):
    assert "Resolve" in editor.get(f"{place}/{group.id}").text
    answer = post(editor, f"{place}/{group.id}/state", {"state": "resolved"})
    assert (answer.status_code, answer.location) == (303, f"{place}/{group.id}")
    page = editor.get(answer.location).text
    assert "Reopen" in page
    assert "They open again by themselves" in page
    entry = session().scalars(sa.select(AuditEvent).where(AuditEvent.item_id == group.id)).one()
    assert (entry.event, entry.actor_id, entry.project_id) == ("resolved", cast.editor.id, cast.project.id)


def test_htmx_gets_a_toast_that_undoes_and_the_group_anew(editor, place, group):
    answer = post(editor, f"{place}/{group.id}/state", {"state": "ignored"}, headers=PARTIAL).text
    assert state_of(group) is GroupState.IGNORED
    assert answer.lstrip().startswith('<div class="toast"')
    assert f'hx-target="#error-groups-row-{group.id}"' in answer
    undo = re.search(r'name="state" value="(\w+)"', answer)[1]
    assert undo == "open"
    again = post(editor, f"{place}/{group.id}/state", {"state": undo}, headers=PARTIAL).text
    assert state_of(group) is GroupState.OPEN
    assert 'data-state="open"' in again


@pytest.mark.parametrize("data", [{}, {"state": ""}, {"state": "gone"}, {"state": "\x00"}])
def test_a_state_that_there_is_not_is_refused(editor, place, group, data):
    assert post(editor, f"{place}/{group.id}/state", data).status_code == 422
    assert state_of(group) is GroupState.OPEN


def test_another_projects_group_is_not_there(app, cast, place, group):
    other = make_project(members={cast.editor: "editor"})
    client, foreign = logged_in(app, cast.editor), f"/projects/{other.id}/errors"
    assert client.get(f"{foreign}/{group.id}").status_code == 404
    assert post(client, f"{foreign}/{group.id}/state", {"state": "resolved"}).status_code == 404
    assert client.get(f"{foreign}/{uuid.uuid4()}").status_code == 404
    assert client.get(f"{foreign}/not-an-id").status_code == 404
    assert rows(client.get(f"{foreign}?workflow={group.workflow_id}").text) == []
    assert state_of(group) is GroupState.OPEN


def test_retrying_a_group_leads_to_the_preview_of_what_still_stands_failed(editor, place, group, flow, cast):
    page = editor.get(f"{place}/{group.id}").text
    link = re.search(r'href="([^"]+/bulk/retry/preview[^"]+)"', page)[1].replace("&amp;", "&")
    assert f"error_group={group.id}" in link
    assert "Retry 2 work orders" in editor.get(link).text
    made = session().scalars(sa.select(Workorder).where(Workorder.workflow_id == flow.id)).first()
    made.state = "success"
    session().flush()
    assert "Retry 1 work order" in editor.get(link).text


def test_a_failed_run_leads_to_its_group(browser, place, flow, cast):
    made = fail(flow)
    address = f"/projects/{cast.project.id}/runs/{made.run.id}"
    assert "All runs with this error" not in browser.get(address).text
    sort_all()
    group_id = session().scalar(sa.select(ErrorGroup.id))
    assert f'href="{place}/{group_id}"' in browser.get(address).text


def test_strangers_find_nothing(app, cast, place, group):
    stranger = logged_in(app, cast.stranger)
    assert [stranger.get(path).status_code for path in (place, f"{place}/{group.id}")] == [404, 404]


def test_what_was_logged_is_shown_as_text(browser, place, flow):
    fail(flow, "<script>alert(1)</script> & more", error_type="<b>Type</b>")
    sort_all()
    text = browser.get(place).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&lt;number&gt;)" in text
    assert "<b>Type" not in text
