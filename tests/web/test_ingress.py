"""Webhooks: what arrives, what is kept of it, every way of being refused (projects-and-workflows §3.9)."""

from __future__ import annotations

import json
import uuid

import pytest
import sqlalchemy as sa

from portal.core import limits
from portal.core.db import session
from portal.dataclips.models import Dataclip, DataclipBody
from portal.workflows.models import TriggerType
from portal.workorders.models import Run, Workorder
from tests.support.clients import OwnContextClient
from tests.support.factories import make_project, make_workflow


@pytest.fixture
def project(db_session):
    return make_project("clinic")


@pytest.fixture
def flow(project):
    return make_workflow(project)


@pytest.fixture
def caller(app, db_session):
    """A program: no cookie, no token."""
    return OwnContextClient(app, app.response_class, use_cookies=False)


@pytest.fixture
def post(caller, flow):
    return lambda body=None, path="", **more: caller.post(
        f"/i/{flow.trigger.id}{path}", **({"json": body if body is not None else {"patient": "P-1"}} | more)
    )


@pytest.fixture
def send(caller, flow):
    """Post bytes as they are."""
    return lambda data, kind="application/json", path="": caller.post(
        f"/i/{flow.trigger.id}{path}", data=data, content_type=kind
    )


def counts() -> tuple[int, ...]:
    return tuple(
        session().scalar(sa.select(sa.func.count()).select_from(table))
        for table in (Workorder, Run, Dataclip)
    )


def stored(answer) -> tuple[Dataclip, DataclipBody]:
    order = session().get_one(Workorder, uuid.UUID(answer.json["work_order_id"]))
    return session().get_one(Dataclip, order.dataclip_id), session().get_one(DataclipBody, order.dataclip_id)


def test_json_becomes_a_work_order_with_one_run_and_one_dataclip(post):
    answer = post({"patient": "P-1", "n": [1, None, True]})
    assert answer.status_code == 200
    assert list(answer.json) == ["work_order_id"]
    assert answer.headers["x-meta-work-order-id"] == answer.json["work_order_id"]
    assert session().get_one(Run, uuid.UUID(answer.headers["x-meta-run-id"])).state == "available"
    clip, content = stored(answer)
    assert (clip.type, content.body) == ("http_request", {"patient": "P-1", "n": [1, None, True]})
    assert counts() == (1, 1, 1)


def test_the_request_is_kept_without_cookies_and_proxy_passwords(post):
    headers = {"Cookie": "portal=secret", "Proxy-Authorization": "Basic secret", "X-Site": "north"}
    _, content = stored(post(path="/Patient/7?page=2", headers=headers))
    kept = content.request
    assert kept["method"] == "POST"
    assert kept["path"][0] == "i"
    assert kept["path"][2:] == ["Patient", "7"]
    assert kept["query_params"] == {"page": "2"}
    assert kept["headers"]["cookie"] == kept["headers"]["proxy-authorization"] == "[REDACTED]"
    assert kept["headers"]["x-site"] == "north"
    assert "secret" not in json.dumps(kept)


def test_numbers_keep_every_digit(send):
    answer = send(b'{"big": 123456789012345678901234567890, "exact": 0.10}')
    _, content = stored(answer)
    text = session().scalar(
        sa.text("SELECT body::text FROM dataclip_bodies WHERE dataclip_id = :id"), {"id": content.dataclip_id}
    )
    assert text == '{"big": 123456789012345678901234567890, "exact": 0.10}'


def test_nothing_at_all_is_an_empty_object(caller, flow):
    assert stored(caller.post(f"/i/{flow.trigger.id}"))[1].body == {}


def test_a_form_becomes_an_object_of_its_fields(caller, flow):
    answer = caller.post(f"/i/{flow.trigger.id}", data={"name": "Ann Example", "ward": "3"})
    assert stored(answer)[1].body == {"name": "Ann Example", "ward": "3"}


def test_no_token_and_no_session_are_asked_for(post):
    answer = post()
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_get_says_that_it_is_there_and_makes_nothing(caller, flow):
    answer = caller.get(f"/i/{flow.trigger.id}")
    assert answer.status_code == 200
    assert "POST" in answer.json["message"]
    assert counts() == (0, 0, 0)


UNKNOWN = "01a1fe35-0000-7000-8000-000000000000"


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [UNKNOWN, "nonsense", "a/b/c", "%00", "x" * 3000])
def test_unknown_addresses_are_404_for_every_verb(caller, db_session, verb, path):
    answer = caller.open(f"/i/{path}", method=verb)
    assert (answer.status_code, answer.json) == (404, {"error": "Webhook not found"})


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_the_trigger_of_a_schedule_is_no_webhook(caller, project, verb):
    timed = make_workflow(project, trigger=TriggerType.CRON)
    answer = caller.open(f"/i/{timed.trigger.id}", method=verb)
    assert (answer.status_code, answer.json) == (404, {"error": "Webhook not found"})


def test_the_trigger_of_a_deleted_workflow_is_no_webhook(post, flow):
    flow.workflow.deleted_at = flow.workflow.inserted_at
    session().flush()
    assert post().status_code == 404


def test_a_disabled_trigger_refuses(caller, project):
    closed = make_workflow(project, enabled=False)
    answer = caller.post(f"/i/{closed.trigger.id}", json={})
    assert answer.status_code == 403
    assert answer.json["error"] == "trigger_disabled"
    assert counts() == (0, 0, 0)


def test_other_verbs_make_nothing(caller, flow):
    for verb in ("PUT", "PATCH", "DELETE"):
        assert caller.open(f"/i/{flow.trigger.id}", method=verb, json={}).status_code == 404
    assert counts() == (0, 0, 0)


@pytest.mark.parametrize("kind", ["text/xml", "text/plain", "multipart/form-data; boundary=x"])
def test_what_is_not_json_is_415(send, kind):
    answer = send(b"<a/>", kind)
    assert (answer.status_code, answer.json) == (415, {"error": "Unsupported Media Type"})
    assert counts() == (0, 0, 0)


def test_a_json_type_of_a_vendor_is_read_as_json(send):
    assert send(b'{"resourceType": "Patient"}', "application/fhir+json").status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"not json",
        b'{"a": NaN}',
        b"\xff\xfe",
        b'{"a": "\\u0000"}',
        b"[1, 2]",
        b'"text"',
        b"{} {}",
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_stored_is_422_and_leaves_nothing(send, data):
    answer = send(data)
    assert answer.status_code == 422
    assert answer.json["error"] == "invalid_request"
    assert answer.json["details"]
    assert counts() == (0, 0, 0)


@pytest.fixture
def small(app):
    before = limits.limits().dataclip_bytes
    limits.configure(dataclip_bytes=1_000)
    yield
    limits.configure(dataclip_bytes=before)


def test_a_body_over_the_limit_is_413_in_plain_text(send, small):
    answer = send(json.dumps({"a": "x" * 2_000}).encode())
    assert (answer.status_code, answer.text, answer.mimetype) == (
        413,
        "Request Entity Too Large",
        "text/plain",
    )
    assert counts() == (0, 0, 0)


def test_a_body_just_under_the_limit_is_stored(send, small):
    assert send(json.dumps({"a": "x" * 900}).encode()).status_code == 200


def test_a_body_larger_than_any_form_may_be_is_stored(send):
    assert send(json.dumps({"a": "x" * 3_000_000}).encode()).status_code == 200


def test_a_path_of_its_own_leads_to_the_trigger_under_its_project(caller, project, flow):
    flow.trigger.custom_path = "intake"
    session().flush()
    assert caller.post(f"/i/{project.id}/intake", json={}).status_code == 200
    assert caller.post(f"/i/{project.id}/intake/more", json={}).status_code == 200
    assert caller.post(f"/i/{uuid.uuid4()}/intake", json={}).status_code == 404
    assert caller.post("/i/intake", json={}).status_code == 404


def test_a_bare_path_from_before_still_answers(caller, flow):
    flow.trigger.custom_path, flow.trigger.bare_path = "intake", True
    session().flush()
    assert caller.post("/i/intake", json={}).status_code == 200


def test_answers_carry_the_security_headers_and_the_requests_id(post):
    answer = post()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-Id"]
