"""Who asks, and how /api refuses: always as JSON (workorders §15, dataclips-and-accounts §5.4)."""

from __future__ import annotations

import pytest

from portal import accounts
from portal.accounts.models import UserToken
from portal.core.errors import PortalError
from portal.factory import create_app
from tests.support.clients import logged_in
from tests.support.past import happen

LIST = "/api/work_orders"


def refused(answer, status, error):
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert answer.json["error"] == error
    assert answer.json["message"]
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    return answer


@pytest.mark.parametrize(
    "given", ["Bearer wrong", "Bearer", "Bearer ", "Basic dGVzdA==", "", "Bearer \u00fc", "bearer  x y"]
)
def test_a_bad_token_is_401_and_says_how_to_come(program, db_session, given):
    answer = program().get(LIST, headers={"Authorization": given})
    assert refused(answer, 401, "not_signed_in").headers["WWW-Authenticate"] == "Bearer"


def test_no_token_is_401(program, db_session):
    assert refused(program().get(LIST), 401, "not_signed_in").headers["WWW-Authenticate"] == "Bearer"


def test_a_cookie_counts_for_nothing(app, cast):
    browser = logged_in(app, cast.owner)
    assert browser.get("/projects").status_code == 200
    assert refused(browser.get(LIST), 401, "not_signed_in")


def test_a_token_counts_under_api_alone(program, cast):
    client = program(cast.owner)
    assert client.get(LIST).status_code == 200
    assert client.get("/projects").status_code == 303


def test_the_word_bearer_may_be_written_in_any_case(program, cast):
    client = program()
    token = accounts.create_token(cast.viewer)[1]
    assert client.get(LIST, headers={"Authorization": f"bearer {token}"}).status_code == 200


def test_a_revoked_token_and_a_blocked_account_are_refused_at_once(program, cast, db_session):
    client = program(cast.viewer)
    accounts.revoke_token(accounts.list_tokens(cast.viewer)[0].id)
    assert client.get(LIST).status_code == 401
    client = program(cast.editor)
    cast.editor.disabled = True
    db_session.flush()
    assert client.get(LIST).status_code == 401


def test_a_new_password_ends_the_tokens(program, cast, db_session):
    """dataclips-and-accounts §5.2."""
    from portal.accounts.passwords import hash_password

    client = program(cast.viewer)
    cast.viewer.hashed_password = hash_password("the old pass phrase")
    db_session.flush()
    new = "quite another phrase"
    form = accounts.NewPassword(
        current_password="the old pass phrase", password=new, password_confirmation=new
    )
    accounts.change_password(cast.viewer.id, form, actor=cast.actor(cast.viewer))
    assert client.get(LIST).status_code == 401


def test_an_account_with_a_one_time_password_is_not_sent_to_a_form(program, cast, db_session):
    cast.viewer.password_is_one_time = True
    db_session.flush()
    assert program(cast.viewer).get(LIST).status_code == 200


def test_bad_tokens_are_counted_and_good_ones_go_on(settings, cast, queue):
    few = create_app(settings.model_copy(update={"login_attempts_per_minute": 2}))
    token = accounts.create_token(cast.viewer)[1]

    def status(path, given):
        with few.app_context():
            return few.test_client().get(path, headers={"Authorization": f"Bearer {given}"}).status_code

    few.extensions["sqlalchemy"]._app_engines[few] = cast_engines(few)
    assert [status(path, "bad") for path in (LIST, "/api/runs", "/api/log_lines")] == [401, 401, 429]
    assert [status(LIST, token) for _ in range(4)] == [200] * 4


def cast_engines(app):
    """The engines of the test's own transaction, for a second application beside the first."""
    from portal.core.db import db

    return next(engines for known, engines in db._app_engines.items() if known is not app)


def test_the_use_of_a_token_is_noted(program, cast, db_session):
    program(cast.viewer).get(LIST)
    assert db_session.query(UserToken).one().last_used_at is not None


def test_what_is_not_there_or_not_possible_is_json(viewer, cast):
    refused(viewer.get("/api/nothing"), 404, "not_found")
    refused(viewer.get("/api/work_orders/"), 404, "not_found")
    answer = viewer.post(LIST)
    refused(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
    refused(viewer.delete(f"/api/projects/{cast.project.id}/runs"), 405, "method_not_allowed")


def test_a_body_of_another_kind_is_415_and_a_huge_one_413(viewer, cast):
    path = f"/api/projects/{cast.project.id}/exports"
    refused(
        viewer.post(path, data="a=1", content_type="application/x-www-form-urlencoded"),
        415,
        "unsupported_media_type",
    )
    refused(viewer.post(path, data="{}", content_type="text/plain"), 415, "unsupported_media_type")
    huge = '{"filters": {"q": "' + "x" * 1_100_000 + '"}}'
    refused(viewer.post(path, data=huge, content_type="application/json"), 413, "request_entity_too_large")


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "7",
        '"x"',
        "null",
        '{"filters": {"q": "\\u0000"}}',
        '{"filters": {"q": "\\ud800"}}',
        '{"\\udfff": 1}',
        '{"filters": {"q": NaN}}',
        "[" * 100_000,
        '{"filters": {"states": ' + "9" * 5000 + "}}",
        b"\xff\xfe",
    ],
    ids=range(12),
)
def test_a_body_that_is_no_good_json_is_422(viewer, cast, body):
    path = f"/api/projects/{cast.project.id}/exports"
    answer = viewer.post(path, data=body, content_type="application/json")
    assert list(refused(answer, 422, "invalid").json["errors"]) == [""]


@pytest.mark.parametrize(
    "filters",
    [
        {"states": {"a": 1}},
        {"states": [["failed"]]},
        {"failed": [{}]},
        {"q": {"x": []}},
        {"workflows": 5},
        {"received_from": [1, 2]},
        {"sort": []},
        {"sort_by": {}, "sort_direction": 3},
        {"in": None},
        {"error_group": False},
        {"terms": [1]},
    ],
)
def test_filters_of_any_shape_never_break_the_portal(viewer, cast, filters):
    answer = viewer.post(f"/api/projects/{cast.project.id}/exports", json={"filters": filters})
    assert answer.status_code in (202, 422), answer.json


def test_a_defect_tells_nothing_of_the_inside(viewer, flow, monkeypatch):
    happen(flow)

    def broken(*_args, **_more):
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr("portal.workorders.list_workorders", broken)
    answer = refused(viewer.get(LIST), 500, "error")
    assert "secret" not in answer.text


@pytest.mark.parametrize("kind", PortalError.__subclasses__())
def test_every_kind_of_error_is_json(viewer, kind, monkeypatch):
    def raising(*_args, **_more):
        raise kind({"page": ["no"]} if kind.__name__ == "Invalid" else None)

    monkeypatch.setattr("portal.workorders.list_workorders", raising)
    refused(viewer.get(LIST), kind.status, kind.code)


def test_no_answer_of_the_api_is_kept_by_caches_or_sets_a_cookie(viewer):
    answer = viewer.get(LIST)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
