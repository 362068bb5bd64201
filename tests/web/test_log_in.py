"""Log-in and out, as a browser without script does it (dataclips-and-accounts §5.2, reliability §4)."""

from __future__ import annotations

import re

import pytest

from portal import accounts
from portal.accounts.passwords import hash_password
from tests.support.factories import make_user

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def hashed():
    return hash_password(PASSWORD)


@pytest.fixture
def person(db_session, hashed):
    return make_user("Ada.Tester@example.org", hashed_password=hashed)


def token_of(html: str) -> str:
    return re.search(r'name="csrf_token" value="([^"]+)"', html).group(1)


def submit(client, email, password, **more):
    page = client.get("/login").get_data(as_text=True)
    return client.post(
        "/login", data={"csrf_token": token_of(page), "email": email, "password": password} | more
    )


def test_the_right_password_leads_to_the_projects(client, person):
    answer = submit(client, "ada.tester@EXAMPLE.org", PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/projects")
    assert client.get("/projects").status_code == 200


@pytest.mark.parametrize(
    ("email", "password"), [("ada.tester@example.org", "wrong"), ("nobody@example.org", PASSWORD)]
)
def test_a_wrong_password_and_an_unknown_address_look_the_same(client, person, email, password):
    answer = submit(client, email, password)
    html = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "The e-mail or the password is wrong." in html
    assert f'value="{email}"' in html
    assert PASSWORD not in html


def test_a_blocked_account_cannot_log_in(client, person, db_session):
    person.disabled = True
    db_session.flush()
    assert submit(client, person.email, PASSWORD).status_code == 422


def test_log_in_gives_a_new_session_that_shares_nothing_with_the_one_before(client, person):
    page = client.get("/login").get_data(as_text=True)
    with client.session_transaction() as before:
        before["planted"] = "by somebody else"
    with client.session_transaction() as before:
        old_token = before["csrf_token"]
    client.post("/login", data={"csrf_token": token_of(page), "email": person.email, "password": PASSWORD})
    with client.session_transaction() as after:
        assert "planted" not in after
        assert after.get("csrf_token") != old_token


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/projects?x=1", "/projects?x=1"),
        ("https://elsewhere.example/", "/projects"),
        ("//elsewhere.example/", "/projects"),
        ("/\\elsewhere.example", "/projects"),
        ("javascript:alert(1)", "/projects"),
    ],
)
def test_log_in_goes_on_only_to_pages_of_this_site(client, person, target, leads_to):
    assert submit(client, person.email, PASSWORD, next=target).location == leads_to


def test_without_a_token_nothing_happens(client, person):
    assert client.post("/login", data={"email": person.email, "password": PASSWORD}).status_code == 400


def test_a_request_from_another_site_is_refused(client, person):
    token = token_of(client.get("/login").get_data(as_text=True))
    answer = client.post(
        "/login",
        data={"csrf_token": token, "email": person.email, "password": PASSWORD},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403


def test_log_out_ends_the_session_in_the_database_too(client, person, log_in):
    browser = log_in(person)
    with browser.session_transaction() as session:
        token = session["_user_id"]
    page = browser.get("/projects").get_data(as_text=True)
    assert browser.post("/logout", data={"csrf_token": token_of(page)}).status_code == 303
    assert accounts.user_of_session(token) is None
    assert browser.get("/projects").status_code == 303


def test_the_cookie_cannot_be_read_by_scripts_and_stays_on_this_site(client, person):
    cookie = submit(client, person.email, PASSWORD).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_log_ins_are_counted_per_account_and_per_address(client, person, queue, app, monkeypatch):
    monkeypatch.setitem(app.config, "LOGIN_ATTEMPTS", 3)
    codes = [submit(client, person.email, "wrong").status_code for _ in range(4)]
    assert codes == [422, 422, 422, 429]
    assert "Retry-After" in submit(client, person.email, PASSWORD).headers or codes[-1] == 429


def test_one_time_password_must_be_replaced_before_anything_else(db_session, hashed, log_in):
    browser = log_in(make_user(hashed_password=hashed, password_is_one_time=True))
    assert browser.get("/projects").location == "/account/password"
    token = token_of(browser.get("/account/password").get_data(as_text=True))
    short = browser.post(
        "/account/password",
        data={
            "csrf_token": token,
            "current_password": PASSWORD,
            "password": "short",
            "password_confirmation": "short",
        },
    )
    assert short.status_code == 422
    assert "must have 12 to 72 characters" in short.get_data(as_text=True)
    new = "another long password"
    done = browser.post(
        "/account/password",
        data={
            "csrf_token": token,
            "current_password": PASSWORD,
            "password": new,
            "password_confirmation": new,
        },
    )
    assert (done.status_code, done.location) == (303, "/projects")
    assert browser.get("/projects").status_code == 200


@pytest.mark.parametrize(
    ("password", "right"),
    [("a" * 11, False), ("a" * 12, True), ("é" * 36, True), ("é" * 37, False), ("a" * 12 + "\0", False)],
)
def test_passwords_have_12_to_72_characters_and_bytes_and_no_nul(password, right):
    """dataclips-and-accounts §7.47."""
    if right:
        assert accounts.passwords.verify_password(hash_password(password), password)
    else:
        with pytest.raises(accounts.passwords.Invalid):
            hash_password(password)


def test_only_whole_pages_renew_the_cookie_so_that_late_parts_undo_no_message(client, person):
    submit(client, person.email, PASSWORD)
    part = {"HX-Request": "true", "HX-Request-Type": "partial"}
    assert "Set-Cookie" in client.get("/projects").headers
    assert "Set-Cookie" not in client.get("/projects", headers=part).headers
