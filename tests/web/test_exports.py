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
from werkzeug.datastructures import MultiDict

from portal import operations, workorders
from portal.audit.models import AuditEvent
from portal.core import clock, links
from portal.core.db import session
from portal.operations import jobs
from portal.projects.models import FileStatus, ProjectFile
from tests.support.archives import verified
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.past import happen

EXPORT_FORM = 'id="workorders-export-form"'
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
    """`ask({filters})` opens the form of these filters and sends it as it stands, or with `changes`."""

    def post(query="", changes=(), **headers):
        history = browser.get(f"{place}/history?{query}", follow_redirects=True).text
        filters = MultiDict(fields_of(history, EXPORT_FORM))
        opened = browser.get(f"{place}/history/exports/new", query_string=filters)
        data = fields_of(opened.text, 'id="exports-form"')
        names = {name for name, _ in changes}
        data = [(name, value) for name, value in data if name not in names]
        data += [pair for pair in changes if pair[1] is not None]
        return browser.post(f"{place}/history/exports", data=MultiDict(data), headers=headers)

    return post


def fields_of(page: str, start: str) -> list[tuple[str, str]]:
    """What a browser would send of the form that begins with `start`."""
    form = page[page.index(start) :]
    inputs = re.findall(r"<input[^>]*>", form[: form.index("</form>")])
    sent = [one for one in inputs if 'type="hidden"' in one or " checked" in one]
    return [
        (re.search(r'name="([^"]+)"', one)[1], html.unescape(re.search(r'value="([^"]*)"', one)[1]))
        for one in sent
    ]


def bare(browser, place, **headers):
    """A post without form and columns: what the button of one click sent."""
    token = fields_of(browser.get(f"{place}/history/exports/new").text, 'id="exports-form"')[0]
    return browser.post(f"{place}/history/exports", data=MultiDict([token]), headers=headers)


def signed(file: ProjectFile) -> str:
    return f"/projects/{file.project_id}/files/{file.id}/content?signature={links.sign(str(file.id))}"


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
    got = browser.get(signed(file))
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


def test_a_bare_post_shows_how_far_it_is_until_the_file_is_there(browser, place, flow):
    happen(flow)
    answer = bare(browser, place, **PARTIAL)
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
    operation.state = operations.OperationState.FAILED
    file = only_file()
    file.status, file.error = FileStatus.FAILED, "There is no room left."
    session().flush()
    text = browser.get(f"{place}/exports").text
    assert "There is no room left." in text
    address = f"{place}/exports/{file.id}/attempts"
    answer = browser.post(address, data=dict(fields_of(text, f'action="{address}"')))
    assert (answer.status_code, answer.location) == (303, f"{place}/exports")
    assert (only_file().status, only_file().error) == (FileStatus.ENQUEUED, None)
    assert work().status == FileStatus.COMPLETED


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
    assert browser.get(signed(only_file())).status_code == 404
    file = work()
    file.path = f"exports/{uuid.uuid4()}/{uuid.uuid4()}.csv"
    session().flush()
    answer = browser.get(signed(file))
    assert answer.status_code == 404
    assert "no longer stored" in answer.text


def test_strangers_and_other_projects_see_nothing(app, cast, place, ask, flow, browser):
    ask()
    file = work()
    stranger = logged_in(app, cast.stranger)
    content = f"files/{file.id}/content?signature={links.sign(str(file.id))}"
    for path in ("exports", f"exports/{file.id}", f"files/{file.id}/content", content):
        assert stranger.get(f"{place}/{path}", headers=PARTIAL).status_code == 404
    other = make_project("elsewhere", members={cast.viewer: "viewer"})
    for path in (f"exports/{file.id}", f"files/{file.id}/content", content):
        assert browser.get(f"/projects/{other.id}/{path}", headers=PARTIAL).status_code == 404
    assert str(file.id) not in browser.get(f"/projects/{other.id}/exports").text


def events() -> list[str]:
    asked = sa.select(AuditEvent).where(AuditEvent.item_type == "history_export").order_by(AuditEvent.id)
    return [each.event for each in session().scalars(asked)]


def test_the_form_says_what_would_be_exported_with_all_columns_ticked(browser, place, flow):
    for _ in range(3):
        happen(flow, state="failed")
    happen(flow)
    page = browser.get(f"{place}/history/exports/new?state=failed").text
    assert "<strong>3 work orders</strong>" in page
    assert "State: <b>Failed</b>" in page
    ticked = [value for name, value in fields_of(page, 'id="exports-form"') if name == "columns"]
    assert ticked == list(workorders.CSV_COLUMNS)
    part = browser.get(f"{place}/history/exports/new", headers=PARTIAL).text
    assert part.lstrip().startswith('<form id="exports-form"')
    assert "the whole history" in part
    assert browser.get(f"{place}/history/exports/new?state=purple").status_code == 422


def test_the_chosen_columns_are_exported(browser, ask, flow):
    made = happen(flow)
    ask(changes=[("columns", "runs"), ("columns", "work_order_id")])
    assert browser.get(signed(work())).text == f"runs,work_order_id\r\n1,{made.id}\r\n"


def test_no_column_an_unknown_one_and_a_repeated_one_are_marked_on_the_form(ask, flow):
    for columns in ([None], ["password"], ["runs", "runs"]):
        answer = ask(changes=[("columns", name) for name in columns])
        assert answer.status_code == 422
        assert 'id="error-columns"' in answer.text
    assert ask(changes=[("format", "tar")]).status_code == 422
    assert session().scalar(sa.select(sa.func.count()).select_from(ProjectFile)) == 0


def test_without_a_good_signature_a_fresh_link_is_offered(browser, place, ask, flow):
    """workorders §13.10"""
    ask()
    file = work()
    address = f"{place}/files/{file.id}/content"
    with clock.frozen_at(clock.now() - timedelta(hours=24, seconds=1)):
        old = links.sign(str(file.id))
    others = links.sign(str(uuid.uuid4()))
    for signature, status in ((None, 403), ("x", 403), (others, 403), (old, 410), (old[:-1], 403)):
        answer = browser.get(address, query_string={"signature": signature} if signature else None)
        assert answer.status_code == status
        fresh = html.unescape(re.search(r'href="([^"]+signature=[^"]+)"', answer.text)[1])
        assert browser.get(fresh).status_code == 200
    with clock.frozen_at(clock.now() - timedelta(hours=23, minutes=59)):
        still = links.sign(str(file.id))
    assert browser.get(address, query_string={"signature": still}).status_code == 200


def test_a_signed_link_still_needs_the_session(app, ask, flow):
    ask()
    answer = app.test_client().get(signed(work()))
    assert answer.status_code == 303
    assert answer.location.startswith("/login")


def test_18_80_nothing_is_exported_or_downloaded_from_a_project_on_its_way_out(
    browser, place, ask, flow, cast
):
    ask()
    file = work()
    cast.project.scheduled_deletion = clock.now()
    session().flush()
    assert browser.get(signed(file)).status_code == 403
    assert browser.get(f"{place}/history/exports/new").status_code == 403
    assert browser.get(f"{place}/exports").status_code == 403


def test_a_download_is_audited_once_and_can_be_gone_on_with(browser, ask, flow):
    happen(flow)
    ask()
    address = signed(work())
    whole = browser.get(address)
    rest = browser.get(address, headers={"Range": "bytes=100-"})
    assert (rest.status_code, rest.data) == (206, whole.data[100:])
    assert browser.head(address).status_code == 200
    assert events() == ["requested", "downloaded"]


def test_an_export_under_way_can_be_cancelled_and_one_that_ended_removed(browser, place, ask, flow):
    ask()
    file = only_file()
    address = f"{place}/exports/{file.id}"
    token = dict(fields_of(browser.get(f"{place}/exports").text, f'action="{address}/cancellation"'))
    assert browser.post(f"{address}/deletion", data=token).status_code == 409
    answer = browser.post(f"{address}/cancellation", data=token, headers=PARTIAL)
    assert answer.text.lstrip().startswith('<section class="panel" id="files-list"')
    assert "Cancelled" in answer.text
    assert browser.post(f"{address}/deletion", data=token).status_code == 303
    assert session().scalar(sa.select(sa.func.count()).select_from(ProjectFile)) == 0
    assert events() == ["requested", "deleted"]


def test_only_who_asked_and_the_keepers_steer_an_export(app, place, ask, flow, cast):
    ask()
    file = only_file()
    for person, status in ((cast.editor, 403), (cast.stranger, 404), (cast.admin, 303)):
        other = logged_in(app, person)
        page = other.get("/projects", follow_redirects=True).text
        token = {"csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', page)[1]}
        assert other.post(f"{place}/exports/{file.id}/cancellation", data=token).status_code == status
    assert f"/exports/{file.id}/attempts" not in logged_in(app, cast.editor).get(f"{place}/exports").text


def test_a_zip_is_asked_for_and_downloaded(browser, ask, flow):
    made = happen(flow, logs=["a line"], steps=[{"a": 1}])
    ask("state=success", changes=[("format", "zip")])
    file = work()
    got = browser.get(signed(file))
    assert (got.mimetype, got.content_length) == ("application/zip", file.size)
    manifest, rows, entries = verified(io.BytesIO(got.data))
    assert manifest["filters"] == {"states": ["success"]}
    assert [row["id"] for row in rows["work_orders"]] == [str(made.id)]
    assert entries[f"logs/{made.run.id}.txt"] == b"a line"
