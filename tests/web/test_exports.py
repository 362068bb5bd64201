"""Exports: asking for one, the list, the file (workorders §13, §16)."""

from __future__ import annotations

import csv
import html
import io
import re
import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import operations
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.db import session
from portal.operations import jobs
from portal.projects.models import FileStatus, ProjectFile
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.past import happen

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def flow(cast):
    return make_workflow(cast.project, "Register a visit")


@pytest.fixture
def browser(app, cast, queue):
    return logged_in(app, cast.viewer)


@pytest.fixture
def place(cast):
    return f"/projects/{cast.project.id}"


@pytest.fixture
def ask(browser, place):
    """`ask({filters})` posts the form that the history page of these filters holds."""

    def post(query="", **headers):
        page = browser.get(f"{place}/history?{query}", follow_redirects=True).text
        form = page[page.index('id="workorders-export-form"') :]
        fields = re.findall(r'name="([^"]+)" value="([^"]*)"', form[: form.index("</form>")])
        data = [(name, html.unescape(value)) for name, value in fields]
        from werkzeug.datastructures import MultiDict

        return browser.post(f"{place}/history/exports", data=MultiDict(data), headers=headers)

    return post


def only_file() -> ProjectFile:
    found = session().scalars(sa.select(ProjectFile)).one()
    session().refresh(found)
    return found


def work() -> ProjectFile:
    """Do what a worker would, and answer the file."""
    jobs.work(str(only_file().operation_id))
    session().expire_all()
    return only_file()


def test_an_export_holds_exactly_the_rows_of_its_filters(browser, place, ask, flow):
    wanted = [happen(flow, state="failed", at=clock.now() - timedelta(minutes=n)) for n in range(3)]
    happen(flow, state="success")
    answer = ask(f"state=failed&workflow={flow.id}")
    assert (answer.status_code, answer.location) == (303, f"{place}/exports")
    file = work()
    assert file.status == FileStatus.COMPLETED
    got = browser.get(f"{place}/files/{file.id}/content")
    assert got.mimetype == "text/csv"
    assert file.name in got.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(got.text)))
    assert [row["work_order_id"] for row in rows] == [str(each.id) for each in wanted]
    assert {row["state"] for row in rows} == {"failed"}


def test_the_request_is_in_the_audit_with_its_filters(ask, flow, cast):
    ask("state=failed")
    entry = session().scalars(sa.select(AuditEvent).where(AuditEvent.item_type == "history_export")).one()
    assert entry.item_id == cast.project.id
    assert entry.actor_id == cast.viewer.id


def test_with_script_the_page_shows_how_far_it_is_until_the_file_is_there(browser, place, ask, flow):
    happen(flow)
    answer = ask(**PARTIAL)
    file = only_file()
    assert answer.status_code == 202
    assert answer.text.lstrip().startswith(f'<div class="alert" id="files-started-{file.id}"')
    assert "every 1s" in answer.text
    look = f"{place}/exports/{file.id}"
    first = browser.get(look, headers=PARTIAL)
    version = first.headers["HX-PTag"]
    assert browser.get(look, headers=PARTIAL | {"HX-PTag": version}).status_code == 304
    work()
    last = browser.get(look, headers=PARTIAL | {"HX-PTag": version})
    assert "The export is ready." in last.text
    assert f"/files/{file.id}/content" in last.text
    assert "hx-trigger" not in last.text
    assert browser.get(look).location == f"{place}/exports"


def test_the_list_looks_again_only_while_something_is_under_way(browser, place, ask, flow):
    happen(flow)
    ask("state=success")
    page, fragment = browser.get(f"{place}/exports"), browser.get(f"{place}/exports", headers=PARTIAL)
    assert "every 2s" in page.text
    assert fragment.text.lstrip().startswith('<section class="panel" id="files-list"')
    assert 'id="files-list"' in page.text
    assert "Waiting for a worker" in page.text
    assert "State: Success" in page.text
    version = fragment.headers["HX-PTag"]
    assert browser.get(f"{place}/exports", headers=PARTIAL | {"HX-PTag": version}).status_code == 304
    work()
    done = browser.get(f"{place}/exports", headers=PARTIAL | {"HX-PTag": version})
    assert "every 2s" not in done.text
    assert "1 row · " in done.text


def test_a_failed_export_says_why_and_can_be_asked_for_again(browser, place, ask, flow):
    ask("state=failed")
    operation = session().get_one(operations.Operation, only_file().operation_id)
    operation.state, operation.error = operations.OperationState.FAILED, "There is no room left."
    only_file().status = FileStatus.FAILED
    session().flush()
    text = browser.get(f"{place}/exports").text
    assert "There is no room left." in text
    again = text[text.index(f'action="{place}/history/exports"') :]
    assert 'name="state" value="failed"' in again[: again.index("</form>")]


def test_a_project_without_exports_says_how_to_make_one(browser, place):
    text = browser.get(f"{place}/exports").text
    assert "No exports yet" in text
    assert f'href="{place}/history"' in text


def test_the_list_goes_on_by_load_more(browser, place, cast):
    for number in range(30):
        session().add(ProjectFile(project_id=cast.project.id, name=f"{number}.csv"))
    session().flush()
    page = browser.get(f"{place}/exports").text
    url = html.unescape(re.search(r'href="([^"]+)" rel="next"', page)[1])
    more = browser.get(url, headers=PARTIAL).text
    names = re.findall(r'id="files-row-([^"]+)"', page + more)
    assert len(names) == len(set(names)) == 30
    assert "<table" not in more
    assert browser.get(f"{place}/exports?cursor=abc").status_code == 422


def test_filters_that_cannot_be_read_start_nothing(browser, place, ask, flow):
    page = browser.get(f"{place}/history").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    answer = browser.post(f"{place}/history/exports", data={"csrf_token": token, "state": "purple"})
    assert answer.status_code == 422
    assert session().scalar(sa.select(sa.func.count()).select_from(ProjectFile)) == 0


def test_without_a_token_nothing_starts(browser, place, flow):
    assert browser.post(f"{place}/history/exports").status_code == 400
    assert session().scalar(sa.select(sa.func.count()).select_from(ProjectFile)) == 0


def test_a_file_that_is_not_ready_or_gone_is_not_found(browser, place, ask, flow):
    ask()
    assert browser.get(f"{place}/files/{only_file().id}/content").status_code == 404
    file = work()
    file.path = f"exports/{uuid.uuid4()}/{uuid.uuid4()}.csv"
    session().flush()
    answer = browser.get(f"{place}/files/{file.id}/content")
    assert answer.status_code == 404
    assert "no longer stored" in answer.text


def test_strangers_and_other_projects_see_nothing(app, cast, place, ask, flow, browser):
    ask()
    file = work()
    stranger = logged_in(app, cast.stranger)
    for path in ("exports", f"exports/{file.id}", f"files/{file.id}/content"):
        assert stranger.get(f"{place}/{path}", headers=PARTIAL).status_code == 404
    other = make_project("elsewhere", members={cast.viewer: "viewer"})
    for path in (f"exports/{file.id}", f"files/{file.id}/content"):
        assert browser.get(f"/projects/{other.id}/{path}", headers=PARTIAL).status_code == 404
    assert str(file.id) not in browser.get(f"/projects/{other.id}/exports").text
