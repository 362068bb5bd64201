"""What programs do: retry, cancel, stop, export, bulk, views, groups; once for each key (workorders §15)."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core import clock
from portal.workorders.models import Run, Workorder
from tests.support.factories import make_project, make_workflow
from tests.support.history import claimed, done_step, finished, received, run_of, started, step_of
from tests.support.past import happen


@pytest.fixture
def base(cast):
    return f"/api/projects/{cast.project.id}"


def once(key="a-key"):
    return {"Idempotency-Key": key}


def runs(db_session):
    return db_session.scalar(sa.select(sa.func.count()).select_from(Run))


def test_a_retry_answers_the_new_run(editor, flow, base):
    created = finished(flow)
    answer = editor.post(f"{base}/work_orders/{created.work_order_id}/retry")
    assert answer.status_code == 201
    run = answer.json["data"]
    assert (run["type"], run["attributes"]["state"], run["attributes"]["priority"]) == (
        "runs",
        "available",
        0,
    )
    assert run["id"] != str(created.run_id)
    assert editor.get(f"/api/runs/{run['id']}").json["data"] == run


def test_the_same_key_twice_makes_one_run_and_one_answer(editor, flow, base, db_session):
    created = finished(flow)
    path = f"{base}/work_orders/{created.work_order_id}/retry"
    first = editor.post(path, headers=once())
    second = editor.post(path, headers=once())
    assert first.json == second.json
    assert (first.status_code, second.status_code) == (201, 201)
    assert runs(db_session) == 2


def test_a_key_used_for_something_else_is_a_conflict(editor, flow, base, db_session):
    one, other = finished(flow), finished(flow)
    assert editor.post(f"{base}/work_orders/{one.work_order_id}/retry", headers=once()).status_code == 201
    assert editor.post(f"{base}/work_orders/{other.work_order_id}/retry", headers=once()).status_code == 409
    assert runs(db_session) == 3


def test_a_key_with_another_body_is_a_conflict(editor, base, flow):
    happen(flow)
    assert editor.post(f"{base}/exports", json={}, headers=once()).status_code == 202
    assert editor.post(f"{base}/exports", json={"format": "zip"}, headers=once()).status_code == 409


def test_a_key_is_only_that_of_its_account(cast, program, flow, base, db_session):
    created = finished(flow)
    path = f"{base}/work_orders/{created.work_order_id}/retry"
    assert program(cast.editor).post(path, headers=once()).status_code == 201
    assert program(cast.owner).post(path, headers=once()).status_code == 409  # it waits by now
    assert runs(db_session) == 2


def test_a_refusal_leaves_the_key_free(editor, flow, base):
    created = started(flow)
    path = f"{base}/work_orders/{created.work_order_id}/retry"
    assert editor.post(path, headers=once()).status_code == 409
    workorders.complete_run(run_of(created).id, state="failed")
    assert editor.post(path, headers=once()).status_code == 201


def test_a_key_that_is_too_long_is_refused_under_its_name(editor, flow, base):
    created = finished(flow)
    path = f"{base}/work_orders/{created.work_order_id}/retry"
    answer = editor.post(path, headers=once("x" * 201))
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["Idempotency-Key"])


def test_a_retry_from_a_step_begins_at_its_job(editor, flow, base, db_session):
    created = started(flow)
    step_id, _ = done_step(flow, created, "Second")
    workorders.complete_run(run_of(created).id, state="failed")
    answer = editor.post(f"{base}/runs/{created.run_id}/steps/{step_id}/retry")
    assert answer.status_code == 201
    made = db_session.get_one(Run, uuid.UUID(answer.json["data"]["id"]))
    assert made.starting_job_id == flow.jobs["Second"].id


def test_a_retry_of_an_erased_input_is_refused_on_its_field(editor, flow, base):
    happened = happen(flow, state="failed", wiped=True)
    answer = editor.post(f"{base}/work_orders/{happened.id}/retry")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["input_dataclip_id"])


def test_cancelling_a_work_order_and_a_run_that_wait(editor, flow, base):
    order, run = received(flow), received(flow)
    answer = editor.post(f"{base}/work_orders/{order.work_order_id}/cancel")
    assert answer.json["data"]["attributes"]["state"] == "cancelled"
    answer = editor.post(f"{base}/runs/{run.run_id}/cancel")
    assert answer.json["data"]["attributes"]["state"] == "cancelled"
    assert editor.post(f"{base}/runs/{run.run_id}/cancel").status_code == 409


def test_stopping_a_run_is_asked_for_and_answered_202(editor, flow, base):
    busy, waiting = claimed(flow), received(flow)
    answer = editor.post(f"{base}/runs/{busy.run_id}/stop")
    assert answer.status_code == 202
    assert workorders.stops_asked([busy.run_id]) == {busy.run_id}
    assert editor.post(f"{base}/runs/{waiting.run_id}/stop").status_code == 409


ACTS = [
    "work_orders/{order}/retry",
    "runs/{run}/steps/{step}/retry",
    "work_orders/{order}/cancel",
    "runs/{run}/cancel",
    "runs/{run}/stop",
]


@pytest.mark.parametrize("act", ACTS)
def test_a_viewer_may_not_act_and_a_stranger_finds_nothing(cast, program, flow, base, act, db_session):
    """workorders §16, §18.84."""
    created = started(flow)
    step = step_of(flow, created, "First")
    path = f"{base}/" + act.format(order=created.work_order_id, run=created.run_id, step=step)
    assert program(cast.viewer).post(path).status_code == 403
    assert program(cast.stranger).post(path).status_code == 404
    assert program().post(path).status_code == 401
    assert (runs(db_session), workorders.stops_asked([created.run_id])) == (1, set())


@pytest.mark.parametrize("act", ACTS)
def test_ids_of_another_project_are_not_found_and_nothing_changes(editor, base, act, db_session):
    flow = make_workflow(make_project())
    created = started(flow)
    step = step_of(flow, created, "First")
    before = db_session.get_one(Workorder, created.work_order_id).updated_at
    path = f"{base}/" + act.format(order=created.work_order_id, run=created.run_id, step=step)
    answer = editor.post(path)
    unknown = editor.post(f"{base}/" + act.format(order=uuid.uuid4(), run=uuid.uuid4(), step=uuid.uuid4()))
    assert (answer.status_code, unknown.status_code) == (404, 404)
    assert answer.json | {"request_id": ""} == unknown.json | {"request_id": ""}
    assert db_session.get_one(Workorder, created.work_order_id, populate_existing=True).updated_at == before
    assert runs(db_session) == 1


# Exports and background work


def test_an_export_is_promised_listed_and_followed(viewer, flow, base):
    happen(flow, state="failed")
    body = {"format": "csv", "columns": ["work_order_id", "state"], "filters": {"states": ["failed"]}}
    answer = viewer.post(f"{base}/exports", json=body)
    assert answer.status_code == 202
    export, operation = answer.json["data"], answer.json["included"][0]
    assert export["attributes"]["status"] == "enqueued"
    assert export["attributes"]["operation_id"] == operation["id"]
    assert viewer.get(f"{base}/exports").json["data"] == [export]
    assert viewer.get(f"{base}/exports/{export['id']}").json["data"] == export
    shown = viewer.get(f"/api/operations/{operation['id']}")
    assert shown.json["data"] == operation
    assert operation["attributes"]["state"] == "queued"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"format": "pdf"}, "format"),
        ({"columns": ["nonsense"]}, "columns"),
        ({"format": "zip", "columns": ["state"]}, "columns"),
        ({"filters": {"states": ["angry"]}}, "filters.states.0"),
        ({"filters": {"received_from": "soon"}}, "filters.received_from"),
        ({"filters": 7}, "filters"),
        ({"colour": "red"}, "colour"),
        ([], ""),
    ],
)
def test_an_export_that_cannot_be_read_is_refused_on_its_field(viewer, base, body, field):
    answer = viewer.post(f"{base}/exports", json=body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert viewer.get(f"{base}/exports").json["data"] == []


def test_an_operation_of_another_project_is_not_there(cast, program, viewer, base, flow):
    operation = viewer.post(f"{base}/exports", json={}).json["included"][0]["id"]
    assert program(cast.stranger).get(f"/api/operations/{operation}").status_code == 404
    assert viewer.get(f"/api/operations/{uuid.uuid4()}").status_code == 404


def test_exports_are_listed_by_cursor(viewer, base, flow):
    for number in range(27):
        with clock.frozen_at(clock.now() + timedelta(seconds=number)):
            viewer.post(f"{base}/exports", json={})
    first = viewer.get(f"{base}/exports").json
    second = viewer.get(first["links"]["next"]).json
    assert (len(first["data"]), len(second["data"]), second["links"]["next"]) == (25, 2, None)
    assert viewer.get(f"{base}/exports?cursor=forged").status_code == 422


# Bulk


def preview(client, base, deed="retry", **body):
    return client.post(f"{base}/bulk/{deed}/preview", json=body or {"filters": {}})


def test_a_bulk_action_is_previewed_then_started_once(editor, flow, base):
    happen(flow, state="failed")
    happen(flow, state="failed", wiped=True)
    shown = preview(editor, base, filters={"states": ["failed"]})
    assert shown.status_code == 200, shown.json
    assert shown.json["data"]["acts_on"] == 1
    assert shown.json["data"]["excluded"] == {"input_wiped": 1}
    token = {"token": shown.json["data"]["token"]}
    first = editor.post(f"{base}/bulk/retry", json=token, headers=once())
    assert first.status_code == 202
    assert first.json["data"]["attributes"]["kind"] == "workorders:bulk"
    assert editor.post(f"{base}/bulk/retry", json=token, headers=once()).json == first.json


def test_a_set_that_changed_is_a_conflict_with_the_new_preview(editor, flow, base, queue):
    created = received(flow)
    token = preview(editor, base, "cancel", ids=[str(created.work_order_id)]).json["data"]["token"]
    other = received(flow)
    workorders.claim_run(created.run_id, "worker-1")
    answer = editor.post(f"{base}/bulk/cancel", json={"token": token}, headers=once())
    assert answer.status_code == 409
    assert answer.json["preview"]["acts_on"] == 0
    assert answer.json["preview"]["excluded"] == {"nothing_waiting": 1}
    assert run_of(other).state == "available"


def test_a_token_of_another_deed_or_none_is_refused(editor, flow, base):
    happen(flow, state="failed")
    token = preview(editor, base).json["data"]["token"]
    for deed, given in (("cancel", token), ("retry", "forged"), ("retry", "")):
        answer = editor.post(f"{base}/bulk/{deed}", json={"token": given})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["token"])
    assert editor.post(f"{base}/bulk/explode", json={"token": token}).status_code == 404


def test_a_viewer_may_not_even_preview(viewer, base):
    assert preview(viewer, base).status_code == 403
    assert viewer.post(f"{base}/bulk/cancel", json={"token": "x"}).status_code == 403


# Saved views


def make_view(client, base, name="Broken", **more):
    return client.post(f"{base}/views", json={"name": name, "filters": {"states": ["failed"]}, **more})


def test_a_view_is_kept_read_changed_and_forgotten(viewer, base):
    made = make_view(viewer, base)
    assert made.status_code == 201
    view = made.json["data"]
    assert view["attributes"]["query"] == "state=failed"
    assert view["attributes"]["filters"]["states"] == ["failed"]
    assert viewer.get(f"{base}/views").json["data"] == [view]
    path = f"{base}/views/{view['id']}"
    changed = viewer.patch(path, json={"name": "Crashed", "filters": {"states": ["crashed"]}})
    assert changed.json["data"]["attributes"]["name"] == "Crashed"
    assert changed.json["data"]["attributes"]["query"] == "state=crashed"
    assert viewer.get(path).json["data"] == changed.json["data"]
    assert (viewer.delete(path).status_code, viewer.delete(path).status_code) == (204, 404)


def test_a_change_of_a_view_happens_whole_or_not_at_all(editor, base):
    make_view(editor, base, "Taken", shared=True)
    path = f"{base}/views/{make_view(editor, base).json['data']['id']}"
    answer = editor.patch(path, json={"shared": True, "name": "Taken", "filters": {}})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["name"])
    kept = editor.get(path).json["data"]["attributes"]
    assert (kept["name"], kept["shared"], kept["query"]) == ("Broken", False, "state=failed")


def test_viewers_keep_views_of_their_own_and_do_not_touch_shared_ones(viewer, editor, base):
    """workorders §16, §21."""
    assert make_view(viewer, base, shared=True).status_code == 403
    own = make_view(viewer, base).json["data"]["id"]
    assert viewer.patch(f"{base}/views/{own}", json={"shared": True}).status_code == 403
    shared = make_view(editor, base, "All", shared=True).json["data"]["id"]
    assert viewer.patch(f"{base}/views/{shared}", json={"name": "Mine"}).status_code == 403
    assert viewer.delete(f"{base}/views/{shared}").status_code == 403
    assert [view["id"] for view in viewer.get(f"{base}/views").json["data"]] == [shared, own]


def test_anothers_own_view_is_not_there(viewer, editor, base):
    theirs = make_view(viewer, base).json["data"]["id"]
    assert editor.get(f"{base}/views/{theirs}").status_code == 404
    assert editor.patch(f"{base}/views/{theirs}", json={"name": "x"}).status_code == 404
    assert editor.delete(f"{base}/views/{theirs}").status_code == 404


# Groups of errors


@pytest.fixture
def group(flow):
    happen(flow, state="failed", error_type="TypeError")
    with clock.frozen_at(clock.now() + timedelta(minutes=1)):
        workorders.sort_failures()


def test_groups_are_listed_shown_and_judged(editor, viewer, base, group):
    listed = viewer.get(f"{base}/error_groups").json["data"]
    assert [found["attributes"]["error_type"] for found in listed] == ["TypeError"]
    path = f"{base}/error_groups/{listed[0]['id']}"
    assert viewer.get(path).json["data"] == listed[0]
    assert viewer.post(f"{path}/state", json={"state": "resolved"}).status_code == 403
    answer = editor.post(f"{path}/state", json={"state": "resolved"})
    assert answer.json["data"]["attributes"]["state"] == "resolved"
    assert viewer.get(f"{base}/error_groups").json["data"] == []
    assert len(viewer.get(f"{base}/error_groups?state=resolved&state=open").json["data"]) == 1
    assert editor.post(f"{path}/state", json={"state": "gone"}).status_code == 422
    assert viewer.get(f"{base}/error_groups/{uuid.uuid4()}").status_code == 404
