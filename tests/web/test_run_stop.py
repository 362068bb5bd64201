"""Stopping a run from its page (workorders §12.6)."""

import html
import re
import uuid

import pytest

from portal import workorders
from portal.core import clock
from portal.core.db import session
from portal.workorders.models import Run
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.history import claimed, finished, received, started, step_of
from tests.web.test_run_page import PARTIAL, part


@pytest.fixture
def url(cast):
    return lambda run_id, more="": f"/projects/{cast.project.id}/runs/{run_id}{more}"


@pytest.fixture
def editor(app, cast):
    return logged_in(app, cast.editor)


def stop_button(text):
    return re.search(r'<form[^>]*id="runs-stop"', text)


def stop(client, address, **headers):
    """Press the button, or forge its request, with the token that every page holds."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/projects").text)[1]
    return client.post(address, data={"csrf_token": token}, headers=headers)


def asked_at(run_id):
    return session().get(Run, run_id, populate_existing=True).stop_asked_at


def test_a_working_run_has_a_button_that_asks_first(editor, url, flow):
    for made in (claimed, started):
        text = editor.get(url(made(flow).run_id)).text
        assert stop_button(text)
        assert "killed" in html.unescape(re.search(r'hx-confirm="([^"]+)"', text)[1])


def test_what_waits_or_has_ended_has_none(editor, url, flow):
    for made in (received, finished):
        assert not stop_button(editor.get(url(made(flow).run_id)).text)


def test_a_viewer_has_none_and_is_refused(browser, url, flow):
    run_id = started(flow).run_id
    assert not stop_button(browser.get(url(run_id)).text)
    assert stop(browser, url(run_id, "/stop")).status_code == 403
    assert asked_at(run_id) is None


def test_without_script_the_page_comes_back_and_says_until_when(editor, url, flow, cast):
    run_id = started(flow).run_id
    answer = stop(editor, url(run_id, "/stop"))
    assert (answer.status_code, answer.location) == (303, url(run_id))
    text = editor.get(url(run_id)).text
    assert 'data-state="stopping"' in text
    assert f"{cast.editor.first_name} {cast.editor.last_name} asked this run to stop." in text
    deadline = workorders.stop_deadline(asked_at(run_id)).isoformat()
    assert f'datetime="{deadline}"' in text
    assert "&lt;time" not in text
    assert not stop_button(text)


def test_with_htmx_the_head_is_answered_and_the_rest_told(editor, url, flow):
    run_id = started(flow).run_id
    answer = stop(editor, url(run_id, "/stop"), **PARTIAL)
    assert answer.status_code == 200
    assert re.search(r'id="([^"]+)"', answer.text)[1] == "runs-head"
    assert "<html" not in answer.text
    assert 'data-state="stopping"' in answer.text
    assert "run-stop-asked" in answer.headers["HX-Trigger"]


def test_others_who_look_at_the_run_see_it_at_once(browser, editor, url, flow):
    run_id = started(flow).run_id
    before = part(browser, url(run_id, "?view=steps"))
    assert "run-stop-asked from:body" in before.text
    stop(editor, url(run_id, "/stop"))
    after = part(browser, url(run_id, "?view=steps"), **{"HX-PTag": before.headers["HX-PTag"]})
    assert after.status_code == 200
    assert 'data-state="stopping"' in after.text


def test_a_run_that_ended_meanwhile_says_so(editor, url, flow):
    run_id = finished(flow).run_id
    answer = stop(editor, url(run_id, "/stop"))
    assert answer.status_code == 409
    assert "already ended" in answer.text
    assert asked_at(run_id) is None


def test_one_that_waits_says_that_it_can_be_cancelled(editor, url, flow):
    answer = stop(editor, url(received(flow).run_id, "/stop"))
    assert answer.status_code == 409
    assert "Cancel it instead" in answer.text


def test_a_run_that_was_killed_for_it_says_so(editor, url, flow):
    created = started(flow)
    step_of(flow, created, "First")
    run_id = created.run_id
    stop(editor, url(run_id, "/stop"))
    with clock.frozen_at(workorders.stop_deadline(asked_at(run_id))):
        assert workorders.force_stops() == 1
    text = editor.get(url(run_id)).text
    assert "stopped by force" in text
    assert 'data-state="stopping"' not in text


def test_a_run_that_obeyed_is_not_said_to_have_been_cancelled_before_it_began(editor, url, flow):
    run_id = started(flow).run_id
    stop(editor, url(run_id, "/stop"))
    workorders.complete_run(run_id, reason="cancel")
    text = editor.get(url(run_id)).text
    assert "The run was stopped." in text
    assert "before it began" not in text


def test_runs_of_other_projects_are_not_found(editor, url, cast):
    foreign = started(make_workflow(make_project("elsewhere"))).run_id
    for run_id in (foreign, uuid.uuid4(), "nonsense"):
        assert stop(editor, url(run_id, "/stop")).status_code == 404
    assert asked_at(foreign) is None
