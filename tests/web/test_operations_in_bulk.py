"""The page of work on many: pause and resume, results one by one, again for what was left out."""

from __future__ import annotations

import re
import uuid

import pytest

from portal import operations, workorders
from portal.core.db import session
from portal.operations import jobs
from tests.support.bulk import many, new_runs, preview, start
from tests.support.clients import logged_in
from tests.support.factories import make_workflow
from tests.support.past import happen
from tests.web.test_operations import fragment, post


@pytest.fixture
def log_in(app):
    return lambda user: logged_in(app, user)


@pytest.fixture
def flow(cast):
    return make_workflow(cast.project)


@pytest.fixture
def bulk(cast, flow, queue):
    """Three that can be retried, and one that cannot."""
    many(flow, 3)
    happen(flow, state="failed", wiped=True)
    session().commit()
    return start(cast, preview(cast))


@pytest.fixture
def url(bulk):
    return f"/projects/{bulk.project_id}/operations/{bulk.id}"


def test_it_is_paused_and_resumed(cast, log_in, bulk, url):
    client = log_in(cast.editor)
    assert f'action="{url}/pause"' in fragment(client, url).text
    paused = post(client, f"{url}/pause")
    assert paused.status_code == 200
    assert "Paused." in paused.text
    assert "every 1s" not in paused.text
    assert operations.get(bulk.project_id, bulk.id).operation.paused_at is not None
    resumed = post(client, f"{url}/resumption")
    assert f'action="{url}/pause"' in resumed.text
    assert "every 1s" in resumed.text
    assert operations.get(bulk.project_id, bulk.id).operation.paused_at is None


def test_a_plain_browser_pauses_too(cast, log_in, url):
    answer = post(log_in(cast.editor), f"{url}/pause", headers={})
    assert (answer.status_code, answer.headers["Location"]) == (303, url)


@pytest.mark.parametrize("deed", ["pause", "resumption", "again"])
def test_a_viewer_steers_nothing(cast, log_in, bulk, url, deed):
    assert post(log_in(cast.viewer), f"{url}/{deed}").status_code == 403
    assert operations.get(bulk.project_id, bulk.id).operation.paused_at is None


@pytest.mark.parametrize("place", ["", "/items"])
def test_a_stranger_finds_nothing(cast, log_in, url, place):
    assert log_in(cast.stranger).get(url + place).status_code == 404


def test_the_page_lists_what_became_of_each(cast, log_in, bulk, url):
    jobs.work(str(bulk.id))
    text = log_in(cast.viewer).get(url).text
    for run in new_runs(cast):
        assert f"/runs/{run.id}" in text
        assert f"/history/{run.work_order_id}" in text
    assert "Its input was erased or never kept." in text
    assert "state=failed" in text
    assert f'action="{url}/again"' not in text


def test_what_was_left_out_can_be_seen_alone_and_tried_again(cast, log_in, bulk, url):
    jobs.work(str(bulk.id))
    client = log_in(cast.editor)
    text = fragment(client, f"{url}/items?show=left_out").text
    assert text.count("<tr ") == 1
    assert "Its input was erased or never kept." in text
    assert f'action="{url}/again"' in text
    answer = post(client, f"{url}/again", headers={})
    assert answer.status_code == 303
    other = uuid.UUID(answer.headers["Location"].rpartition("/")[2])
    assert other != bulk.id
    assert operations.get(bulk.project_id, other).operation.arguments["again_of"] == str(bulk.id)


def test_more_items_come_by_key(cast, log_in, bulk, url, monkeypatch):
    jobs.work(str(bulk.id))
    real = operations.items
    monkeypatch.setattr(operations, "items", lambda *given: real(*given, size=3))
    client = log_in(cast.viewer)
    whole = fragment(client, f"{url}/items").text
    (link,) = re.findall(r'hx-get="([^"]*cursor[^"]*)"', whole)
    link = link.replace("&amp;", "&")
    more = fragment(client, link).text
    assert more.count("<tr ") == 1
    assert "<section" not in more
    assert "<h1" in client.get(link).text
    assert client.get(f"{url}/items?cursor=forged").status_code == 422


def test_work_of_another_kind_has_no_items(cast, log_in, queue):
    filters = workorders.SearchFilters()
    file = workorders.request_export(cast.project, filters, actor=cast.actor(cast.editor))
    url = f"/projects/{cast.project.id}/operations/{file.operation_id}"
    client = log_in(cast.editor)
    assert client.get(f"{url}/items").status_code == 404
    assert post(client, f"{url}/again").status_code == 404
    assert "operations-items" not in client.get(url).text


def test_the_last_poll_tells_the_rest_of_the_page(cast, log_in, bulk, url):
    client = log_in(cast.editor)
    version = fragment(client, url).headers["HX-PTag"]
    jobs.work(str(bulk.id))
    answer = fragment(client, url, **{"HX-PTag": version})
    assert answer.headers["HX-Trigger"] == "operation-changed"
    assert "every 1s" not in answer.text
    assert "hx-trigger" not in answer.text


def test_a_cancelled_one_can_be_tried_again(cast, log_in, bulk, url):
    client = log_in(cast.editor)
    assert f'action="{url}/attempts"' in post(client, f"{url}/cancellation").text
    assert "every 1s" in post(client, f"{url}/attempts").text
