"""What every answer carries, and what errors look like to each kind of caller."""

from __future__ import annotations

import json

import pytest
from flask import Blueprint
from pydantic import BaseModel, Field
from sqlalchemy import text

from portal.core import errors
from portal.core.db import session
from portal.factory import create_app
from portal.web import forms, public
from portal.web.headers import CSP


@pytest.fixture(scope="module")
def faulty(settings):
    """The portal with one more page, which fails as it is told."""
    app = create_app(settings)
    bp = Blueprint("faulty", __name__)

    @bp.get("/faulty/<kind>")
    @bp.get("/api/faulty/<kind>", endpoint="api")
    @public("exists in tests alone")
    def view(kind):
        if kind == "slow":
            session().execute(text("SET LOCAL statement_timeout = 10"))
            session().execute(text("SELECT pg_sleep(1)"))
        raise {
            "invalid": errors.Invalid({"name": ["is taken"]}),
            "many": errors.TooMany(retry_after=7),
            "defect": ZeroDivisionError("secret inside"),
            "conflict": errors.Conflict(),
        }[kind]

    app.register_blueprint(bp)
    return app.test_client()


@pytest.mark.parametrize(
    ("kind", "status"), [("invalid", 422), ("many", 429), ("defect", 500), ("conflict", 409), ("slow", 503)]
)
def test_errors_are_a_page_an_alert_or_json(faulty, kind, status):
    page = faulty.get(f"/faulty/{kind}")
    alert = faulty.get(f"/faulty/{kind}", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    program = faulty.get(f"/api/faulty/{kind}")
    assert {page.status_code, alert.status_code, program.status_code} == {status}
    assert "<html" in page.get_data(as_text=True)
    assert "<html" not in alert.get_data(as_text=True)
    assert "alert" in alert.get_data(as_text=True)
    assert json.loads(program.data)["request_id"] == program.headers["X-Request-Id"]
    for answer in (page, alert, program):
        assert "secret inside" not in answer.get_data(as_text=True)
        assert "pg_sleep" not in answer.get_data(as_text=True)


def test_an_error_page_shows_the_id_that_the_log_has(faulty):
    answer = faulty.get("/faulty/defect", headers={"X-Request-Id": "from-the-proxy-1"})
    assert answer.headers["X-Request-Id"] == "from-the-proxy-1"
    assert "from-the-proxy-1" in answer.get_data(as_text=True)


def test_an_id_that_a_proxy_made_up_badly_is_replaced(faulty):
    assert (
        faulty.get("/faulty/defect", headers={"X-Request-Id": "<script>"}).headers["X-Request-Id"]
        != "<script>"
    )


def test_too_many_says_when_to_come_back(faulty):
    assert faulty.get("/faulty/many").headers["Retry-After"] == "7"


def test_every_page_carries_the_policy_and_is_not_kept(client, db_session):
    answer = client.get("/login")
    assert answer.headers["Content-Security-Policy"] == CSP
    assert "unsafe" not in CSP
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert {"HX-Request", "HX-Request-Type", "Cookie"} <= {
        name.strip() for name in answer.headers["Vary"].split(",")
    }


def test_static_files_are_kept_for_ever_under_the_hash_of_their_content(app, client):
    address = app.jinja_env.globals["asset"]("app.js")
    answer = client.get(address)
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["Cache-Control"]


def test_unknown_addresses_are_404(client, db_session):
    assert client.get("/no/such/page").status_code == 404


def test_health_is_public_and_tells_whether_the_database_answers(client, db_session):
    assert client.get("/health/live").json == {"status": "alive"}
    assert client.get("/health/ready").json == {"status": "ready"}


class Sample(BaseModel):
    name: str = Field(min_length=3)
    tags: list[str] = []


def test_a_form_keeps_what_was_typed_beside_its_errors(app):
    with app.test_request_context(
        "/", method="POST", data={"name": "x", "tags": ["a", "b"], "password": "p"}
    ):
        form = forms.read(Sample)
    assert not form.ok
    assert form.values == {"name": "x", "tags": ["a", "b"]}
    assert form.errors == {"name": ["must have at least 3 characters"]}


def test_a_refusal_by_the_context_lands_on_its_field(app):
    def refuse():
        raise errors.Invalid({"name": ["is taken"]})

    with app.test_request_context("/", method="POST", data={"name": "long enough"}):
        form = forms.read(Sample)
        assert form.attempt(refuse) is None
    assert form.errors == {"name": ["is taken"]}
