"""Run by hand: an earlier input, a kept one, or typed JSON (workorders §5.2, §16)."""

from __future__ import annotations

import re
import uuid

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core.db import session
from portal.dataclips.models import Dataclip, DataclipType
from portal.workorders.models import Run, Workorder
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.forms import PARTIAL, form_with
from tests.support.past import happen, make_clip


@pytest.fixture
def editor(app, cast):
    return logged_in(app, cast.editor)


@pytest.fixture
def url(base):
    return f"{base}/manual"


def newest() -> Run:
    return session().scalars(sa.select(Run).order_by(Run.id.desc()).limit(1)).one()


def count(model) -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(model))


def inputs(answer) -> list[str]:
    return re.findall(r'name="input" value="([^"]+)"', answer.text)


def test_the_dialog_offers_each_job_and_the_history_leads_to_it(editor, base, url, cast, flow):
    make_workflow(cast.project, "Other", jobs=("Alone",))
    page = editor.get(url)
    assert re.findall(r'<optgroup label="([^"]+)">', page.text) == ["Other", "Register a visit"]
    assert re.findall(r">(\w+)</option>", page.text) == ["Alone", "First", "Second", "Third"]
    assert f'href="{url}?workflow={flow.id}"' in editor.get(f"{base}?workflow={flow.id}").text
    assert editor.get(url, headers=PARTIAL).text.lstrip().startswith('<div id="manual-start"')


def test_5_2_an_earlier_input_runs_again(editor, url, flow):
    happened = happen(flow, state="failed", body={"visit": 7})
    form = form_with(editor.get(f"{url}?job_id={flow.jobs['First'].id}"), "Run")
    answer = form.send(editor)
    run = newest()
    assert (answer.status_code, answer.location) == (303, f"/projects/{run.project_id}/runs/{run.id}")
    assert (run.dataclip_id, run.starting_job_id) == (happened.order.dataclip_id, flow.jobs["First"].id)
    assert count(Workorder) == 2


def test_each_job_offers_what_it_had_itself(editor, url, flow):
    happened = happen(flow, steps=[{"first": 1}, {"second": 2}])
    found = {
        name: inputs(editor.get(f"{url}?job_id={flow.jobs[name].id}"))
        for name in ("First", "Second", "Third")
    }
    assert str(happened.steps[1].input_dataclip_id) in found["Second"]
    assert str(happened.order.dataclip_id) in found["First"]
    assert found["Third"] == ["new"]


def test_wiped_inputs_are_not_offered(editor, url, flow):
    happened = happen(flow, wiped=True)
    assert str(happened.order.dataclip_id) not in inputs(editor.get(url))


def test_5_2_a_kept_input_is_found_by_its_name_and_runs(editor, url, flow):
    kept = make_clip(flow, {"a": 1}, name="Monday 100% sample", kind=DataclipType.SAVED_INPUT)
    make_clip(flow, {"a": 2}, name="Tuesday")
    found = editor.get(f"{url}?find=100%25+SAM", headers=PARTIAL)
    assert inputs(found) == [str(kept.id), "new"]
    assert form_with(found, "Run").send(editor, htmx=True, input=str(kept.id)).status_code == 204
    assert newest().dataclip_id == kept.id


def test_5_2_typed_json_becomes_a_saved_input_without_configuration(editor, url, cast, flow):
    form = form_with(editor.get(url), "Run")
    answer = form.send(
        editor, htmx=True, input="new", body='{"patient": "P-1", "configuration": {"password": "x"}}'
    )
    run = newest()
    clip = session().get(Dataclip, run.dataclip_id)
    assert answer.headers["HX-Location"] == f"/projects/{cast.project.id}/runs/{run.id}"
    assert clip.type == "saved_input"
    assert (run.created_by_id, run.priority) == (cast.editor.id, 0)
    from portal import dataclips

    assert dataclips.body_text(cast.project.id, clip.id) == '{"patient": "P-1"}'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[1, 2]", "must be a JSON object"),
        ("{broken", "is not valid JSON"),
        ("", "can&#39;t be blank"),
        ('{"a": "\\u0000"}', "holds a character that cannot be stored"),
        ('{"a": 1e999}', "holds a number that is too large"),
        ("[" * 5000, "is nested too deeply"),
    ],
)
@pytest.mark.parametrize("htmx", [True, False])
def test_bad_json_is_422_on_its_field_and_kept(editor, url, flow, body, words, htmx):
    answer = form_with(editor.get(url), "Run").send(editor, htmx=htmx, input="new", body=body)
    assert answer.status_code == 422
    assert words in answer.text
    assert 'href="#field-body"' in answer.text
    assert re.search(r'<textarea[^>]+aria-invalid="true"', answer.text)
    if body:
        assert body[:20].replace('"', "&#34;") in answer.text
    assert count(Workorder) == 0


def test_what_is_too_large_is_413(editor, url, flow):
    answer = form_with(editor.get(url), "Run").send(
        editor, input="new", body='{"a": "%s"}' % ("x" * 2_000_000)
    )
    assert answer.status_code == 413


def test_the_same_form_sent_twice_makes_one_run(editor, url, flow):
    form = form_with(editor.get(url), "Run")
    answers = [form.send(editor, input="new", body='{"a": 1}') for _ in range(2)]
    assert answers[0].location == answers[1].location
    assert (count(Run), count(Dataclip)) == (1, 1)


def test_after_a_mistake_the_same_form_still_runs(editor, url, flow):
    refused = form_with(editor.get(url), "Run").send(editor, htmx=True, input="new", body="[]")
    assert form_with(refused, "Run").send(editor, input="new", body="{}").status_code == 303


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("stranger", 404), ("superuser", 404)])
def test_16_who_may_not_sees_no_dialog_and_runs_nothing(app, cast, url, base, flow, who, status):
    client = logged_in(app, getattr(cast, who))
    assert client.get(url).status_code == status
    known = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/projects").text)[1]
    sent = {"csrf_token": known, "job_id": str(flow.jobs["First"].id), "input": "new", "body": "{}"}
    assert client.post(url, data=sent).status_code == status
    assert count(Workorder) == 0


def test_a_viewers_history_has_no_button_for_it(browser, base, flow):
    assert "Run by hand" not in browser.get(base).text


def test_jobs_and_inputs_of_other_projects_are_refused_on_their_field(editor, url, flow):
    foreign = make_workflow(make_project("elsewhere"), "Foreign")
    clip = make_clip(foreign, {"secret": 1}, name="foreign input")
    happen(foreign)
    page = editor.get(f"{url}?job_id={foreign.jobs['First'].id}&find=foreign")
    assert "foreign input" not in page.text
    form = form_with(editor.get(url), "Run")
    by_job = form.send(editor, input="new", body="{}", job_id=str(foreign.jobs["First"].id))
    by_clip = form.send(editor, input=str(clip.id))
    assert (by_job.status_code, by_clip.status_code) == (422, 422)
    assert 'href="#field-job_id"' in by_job.text
    assert 'href="#field-input"' in by_clip.text
    assert count(Workorder) == 1


@pytest.mark.parametrize("data", [{"job_id": "x"}, {"input": "x"}, {"input": str(uuid.uuid4())}])
def test_what_cannot_be_read_is_422(editor, url, flow, data):
    assert form_with(editor.get(url), "Run").send(editor, **data).status_code == 422


def test_5_3_a_deleted_workflow_is_not_offered(editor, url, flow):
    form = form_with(editor.get(url), "Run")
    flow.workflow.deleted_at = flow.workflow.inserted_at
    session().flush()
    assert form.send(editor, input="new", body="{}").status_code == 422
    assert "no workflow that could be run" in editor.get(url).text


def test_what_is_offered_stays_bounded(editor, url, cast, flow):
    for number in range(30):
        happen(flow, name=f"clip {number}")
    found = workorders.earlier_inputs(cast.project.id, flow.id, flow.jobs["First"].id)
    assert len(found) == 10
    assert len(inputs(editor.get(url))) == 10 + 20 + 1
