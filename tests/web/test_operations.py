"""Background work as people see it: polled while it runs, steered by those who may."""

from __future__ import annotations

import uuid

import pytest

from portal import operations
from portal.operations import running
from tests.support.clients import logged_in
from tests.support.processes import end_lease

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def log_in(app):
    return lambda user: logged_in(app, user)


@pytest.fixture
def operation(cast, queue):
    return operations.start(
        "test:unknown", project_id=cast.project.id, actor=cast.actor(cast.editor), arguments={}
    )


@pytest.fixture
def url(operation):
    return f"/projects/{operation.project_id}/operations/{operation.id}"


def fragment(client, url, **headers):
    return client.get(url, headers=PARTIAL | headers)


def test_an_unfinished_operation_asks_again_each_second(cast, log_in, operation, url):
    turn = running.claim(operation.id)
    turn.advance(done=1200, total=4800, message="Writing rows.")
    answer = fragment(log_in(cast.viewer), url)
    assert answer.status_code == 200
    text = answer.text
    assert f'id="operations-progress-{operation.id}"' in text
    assert 'hx-trigger="every 1s"' in text
    assert 'max="4800" value="1200"' in text
    assert "Writing rows." in text
    assert "<html" not in text


def test_nothing_is_sent_again_until_something_has_changed(cast, log_in, operation, url):
    client = log_in(cast.viewer)
    version = fragment(client, url).headers["HX-PTag"]
    assert fragment(client, url, **{"HX-PTag": version}).status_code == 304
    running.claim(operation.id).advance(done=1)
    again = fragment(client, url, **{"HX-PTag": version})
    assert again.status_code == 200
    assert again.headers["HX-PTag"] != version


def test_a_finished_operation_carries_no_trigger(cast, log_in, operation, url):
    running.claim(operation.id).finish(result={"rows": 3}, message="Ready.")
    text = fragment(log_in(cast.viewer), url).text
    assert "Ready." in text
    assert "hx-trigger" not in text
    assert "<form" not in text


def test_a_lost_worker_is_said_so(cast, log_in, operation, url):
    running.claim(operation.id)
    end_lease(operation.id)
    assert "no sign of life" in fragment(log_in(cast.viewer), url).text


def test_a_failure_tells_its_reason_and_offers_to_try_again(cast, log_in, operation, url):
    _fail(operation)
    text = fragment(log_in(cast.editor), url).text
    assert "The disk is full." in text
    assert str(operation.id) in text
    assert f'action="{url}/attempts"' in text
    assert 'role="alert"' in text
    assert f'action="{url}/attempts"' not in fragment(log_in(cast.viewer), url).text


def _fail(operation):
    from portal.operations.commands import end_unhappily

    end_unhappily(operation, operations.OperationState.FAILED, "The disk is full.")


@pytest.mark.parametrize(
    ("who", "status"), [("editor", 200), ("admin", 200), ("owner", 200), ("viewer", 403)]
)
def test_who_started_it_and_keepers_may_cancel(cast, log_in, operation, url, who, status):
    answer = post(log_in(getattr(cast, who)), f"{url}/cancellation")
    assert answer.status_code == status
    assert (operations.get(operation.project_id, operation.id).operation.state == "cancelled") is (
        status == 200
    )


def post(client, url, headers=PARTIAL):
    with client.session_transaction() as session:
        session["csrf_token"] = "raw"
    client.application.config["WTF_CSRF_ENABLED"] = False
    try:
        return client.post(url, headers=headers)
    finally:
        client.application.config["WTF_CSRF_ENABLED"] = True


def test_cancelling_answers_the_fragment_and_tells_the_other_parts(cast, log_in, operation, url):
    answer = post(log_in(cast.editor), f"{url}/cancellation")
    assert "Cancelled." in answer.text
    assert "operation-changed" in answer.headers["HX-Trigger"]


def test_a_plain_browser_is_sent_to_the_page(cast, log_in, operation, url):
    answer = post(log_in(cast.editor), f"{url}/cancellation", headers={})
    assert (answer.status_code, answer.headers["Location"]) == (303, url)


def test_trying_again_queues_a_failed_one_and_refuses_others(cast, log_in, operation, url):
    client = log_in(cast.editor)
    assert post(client, f"{url}/attempts").status_code == 409
    _fail(operation)
    assert post(client, f"{url}/attempts").status_code == 200
    assert operations.get(operation.project_id, operation.id).operation.state == "queued"


@pytest.mark.parametrize("path", ["", "/cancellation", "/attempts"])
def test_strangers_and_other_projects_find_nothing(cast, log_in, operation, url, path):
    reach = fragment if not path else post
    assert reach(log_in(cast.stranger), url + path).status_code == 404
    foreign = f"/projects/{cast.project.id}/operations/{uuid.uuid4()}"
    assert reach(log_in(cast.owner), foreign + path).status_code == 404


def test_changing_needs_the_token_of_the_form(cast, log_in, operation, url):
    assert log_in(cast.editor).post(f"{url}/cancellation").status_code == 400
    assert operations.get(operation.project_id, operation.id).operation.state == "queued"


def test_the_tray_counts_what_is_under_way(cast, log_in, operation):
    tray = f"/projects/{cast.project.id}/operations/tray"
    client = log_in(cast.viewer)
    text = fragment(client, tray).text
    assert 'class="count">1<' in text
    assert "every 5s" in text
    running.claim(operation.id).finish()
    text = fragment(client, tray).text
    assert "count" not in text
    assert "every" not in text


def test_the_list_and_the_page_show_the_same_fragment(cast, log_in, operation, url):
    client = log_in(cast.viewer)
    piece = f'id="operations-progress-{operation.id}"'
    for address in (url, f"/projects/{cast.project.id}/operations"):
        whole = client.get(address)
        assert whole.status_code == 200
        assert "<html" in whole.text
        assert piece in whole.text
        assert piece in fragment(client, address).text
