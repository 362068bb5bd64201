"""Work orders, runs and log lines as programs read them (workorders §15)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from portal.core import clock
from portal.workorders import api_lists
from portal.workorders.models import LogLevel, Workorder
from tests.support.factories import make_project, make_workflow
from tests.support.past import happen, log

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


def ids(answer):
    assert answer.status_code == 200, answer.json
    return [resource["id"] for resource in answer.json["data"]]


def at(minutes):
    return START + timedelta(minutes=minutes)


def named(*things):
    return [str(thing.id) for thing in things]


@pytest.fixture
def orders(flow):
    """Three work orders, one minute apart, the newest first."""
    return [happen(flow, at=at(minute), state="failed", error_type="TypeError") for minute in (2, 1, 0)]


def test_a_work_order_has_exactly_the_promised_shape(viewer, orders, settings):
    answer = viewer.get(f"/api/work_orders/{orders[0].id}")
    address = f"{settings.address}/api/work_orders/{orders[0].id}"
    assert answer.json == {
        "data": {
            "type": "work_orders",
            "id": str(orders[0].id),
            "attributes": {
                "state": "failed",
                "last_activity": "2026-11-01T12:02:00Z",
                "inserted_at": "2026-11-01T12:02:00Z",
                "updated_at": orders[0].order.updated_at.isoformat().replace("+00:00", "Z"),
            },
            "relationships": {},
            "links": {"self": address},
        },
        "included": [],
        "links": {"self": address},
    }
    assert answer.mimetype == "application/json"


def test_a_run_has_exactly_the_promised_shape(viewer, orders):
    answer = viewer.get(f"/api/runs/{orders[0].run.id}").json["data"]
    assert answer["type"] == "runs"
    assert answer["attributes"] == {
        "state": "failed",
        "started_at": "2026-11-01T12:02:00Z",
        "finished_at": "2026-11-01T12:02:00Z",
        "priority": 1,
        "error_type": "TypeError",
    }


def test_a_log_line_names_its_run_and_step_and_its_own_address(viewer, flow):
    happened = happen(flow, logs=["hello"], steps=[{"a": 1}])
    found = viewer.get("/api/log_lines").json["data"]
    assert [line["attributes"]["message"] for line in found] == ["hello"]
    assert found[0]["attributes"]["run_id"] == str(happened.run.id)
    assert found[0]["attributes"] | {"run_id": "", "timestamp": ""} == {
        "message": "hello",
        "level": "info",
        "source": None,
        "timestamp": "",
        "run_id": "",
        "step_id": None,
    }
    path = urlsplit(found[0]["links"]["self"]).path
    assert viewer.get(path).json["data"] == found[0]
    assert viewer.get(path.rsplit("/", 1)[0] + f"/{2**70}").status_code == 404


def test_work_orders_come_by_last_activity_and_runs_by_their_making(viewer, flow, db_session):
    old = happen(flow, at=at(9), received=at(0))
    new = happen(flow, at=at(5), received=at(5))
    assert ids(viewer.get("/api/work_orders")) == named(old, new)
    old.run.inserted_at = at(0)
    db_session.flush()
    assert ids(viewer.get("/api/runs")) == named(new.run, old.run)


def test_a_page_tells_its_place_and_its_neighbours_and_keeps_other_parameters(viewer, orders):
    answer = viewer.get("/api/work_orders?page_size=1&page=2&x=a%26b")
    assert answer.json["meta"] == {
        "total_entries": 3,
        "total_pages": 3,
        "page_number": 2,
        "page_size": 1,
        "total_entries_capped": False,
    }
    links = {name: parse_qs(urlsplit(link).query) for name, link in answer.json["links"].items()}
    pages = {name: query.pop("page") for name, query in links.items()}
    assert pages == {"self": ["2"], "first": ["1"], "last": ["3"], "next": ["3"], "prev": ["1"]}
    assert all(query == {"page_size": ["1"], "x": ["a&b"]} for query in links.values())
    assert ids(answer) == named(orders[1])


def test_there_is_nothing_before_the_first_page_nor_behind_the_last(viewer, orders):
    only = viewer.get("/api/work_orders").json
    assert (only["links"]["prev"], only["links"]["next"]) == (None, None)
    assert only["meta"]["page_size"] == 10
    first = viewer.get("/api/work_orders?page_size=2").json["links"]
    assert first["prev"] is None
    assert first["next"] is not None


def test_the_links_lead_through_all_pages_once(viewer, orders):
    seen, link = [], "/api/work_orders?page_size=2"
    while link:
        answer = viewer.get(link)
        seen += ids(answer)
        link = answer.json["links"]["next"]
    assert seen == named(*orders)


def test_a_page_past_the_end_is_the_last_one(viewer, orders):
    answer = viewer.get("/api/work_orders?page_size=2&page=99")
    assert ids(answer) == named(orders[2])
    assert answer.json["meta"]["page_number"] == 2


def test_an_empty_list_has_one_page(viewer):
    answer = viewer.get("/api/work_orders").json
    assert (answer["data"], answer["meta"]["total_pages"], answer["meta"]["total_entries"]) == ([], 1, 0)


def test_more_than_a_hundred_a_page_are_taken_as_a_hundred(viewer, orders):
    assert viewer.get("/api/work_orders?page_size=5000").json["meta"]["page_size"] == 100


def test_lists_end_at_the_cap_and_say_so(viewer, orders, monkeypatch):
    monkeypatch.setattr(api_lists, "MOST_ENTRIES", 2)
    answer = viewer.get("/api/work_orders?page_size=3").json
    assert answer["meta"]["total_entries"] == 2
    assert answer["meta"]["total_entries_capped"] is True
    assert [resource["id"] for resource in answer["data"]] == named(*orders[:2])


@pytest.mark.parametrize("path", ["work_orders", "runs"])
def test_lists_hold_only_projects_that_one_is_a_member_of(program, cast, flow, path):
    """Neither support access nor being superuser counts here."""
    mine = happen(flow)
    foreign = make_workflow(make_project(allow_support_access=True))
    theirs = happen(foreign)
    cast.stranger.support_user = True
    expected = named(mine) if path == "work_orders" else named(mine.run)
    assert ids(program(cast.viewer).get(f"/api/{path}")) == expected
    for user in (cast.stranger, cast.superuser):
        assert ids(program(user).get(f"/api/{path}")) == []
    query = f"/api/{path}?project_id={foreign.workflow.project_id}"
    assert ids(program(cast.viewer).get(query)) == []
    single = theirs.id if path == "work_orders" else theirs.run.id
    assert program(cast.viewer).get(f"/api/{path}/{single}").status_code == 404
    assert program(cast.stranger).get(f"/api/{path}/{single}").status_code == 200


def test_sandboxes_that_one_is_a_member_of_count_too(program, cast, db_session):
    from portal.projects.models import Role

    child = make_project(parent_id=cast.project.id, members={cast.viewer: Role.VIEWER})
    order = happen(make_workflow(child))
    assert ids(program(cast.viewer).get("/api/work_orders")) == named(order)


def test_a_project_that_winds_down_shows_nothing(viewer, cast, orders, db_session):
    cast.project.scheduled_deletion = clock.now()
    db_session.flush()
    assert ids(viewer.get("/api/work_orders")) == []
    assert viewer.get(f"/api/work_orders/{orders[0].id}").status_code == 403
    assert viewer.get(f"/api/projects/{cast.project.id}/work_orders").status_code == 403


def test_a_project_that_asks_for_a_second_factor_shows_nothing_without(viewer, cast, orders, db_session):
    cast.project.requires_mfa = True
    db_session.flush()
    assert ids(viewer.get("/api/runs")) == []
    assert viewer.get(f"/api/runs/{orders[0].run.id}").status_code == 403
    cast.viewer.mfa_enabled = True
    db_session.flush()
    assert len(ids(viewer.get("/api/runs"))) == 3


@pytest.mark.parametrize("path", ["work_orders", "runs"])
def test_the_project_in_the_path_wins_over_the_one_in_the_query(viewer, cast, orders, path):
    other = make_project()
    answer = viewer.get(f"/api/projects/{cast.project.id}/{path}?project_id={other.id}")
    assert len(ids(answer)) == 3


@pytest.mark.parametrize("path", ["work_orders", "runs"])
def test_a_list_of_workflows_wins_over_a_single_one(viewer, cast, flow, path):
    second, third = make_workflow(cast.project), make_workflow(cast.project)
    for number, made in enumerate((flow, second, third)):
        happen(made, at=at(number))
    query = f"/api/{path}?workflow_id={flow.id}"
    assert len(ids(viewer.get(query))) == 1
    assert len(ids(viewer.get(f"{query}&workflow_ids={second.id}&workflow_ids={third.id}"))) == 2
    assert len(ids(viewer.get(f"{query}&workflow_ids={second.id},{third.id}"))) == 2
    assert len(ids(viewer.get(f"{query}&workflow_ids="))) == 3


@pytest.mark.parametrize("path", ["work_orders", "runs"])
def test_dates_are_inclusive_at_both_ends(viewer, orders, path):
    assert len(ids(viewer.get(f"/api/{path}?inserted_after=2026-11-01T12:01:00Z"))) == 2
    assert len(ids(viewer.get(f"/api/{path}?inserted_before=2026-11-01T13:01:00%2B01:00"))) == 2
    both = "inserted_after=2026-11-01T12:01:00Z&inserted_before=2026-11-01T12:01:00Z"
    assert len(ids(viewer.get(f"/api/{path}?{both}"))) == 1


@pytest.mark.parametrize("path", ["work_orders", "runs"])
def test_updates_can_be_followed(viewer, orders, path, db_session):
    for happened, minute in zip(orders, (30, 20, 10), strict=True):
        for row in (happened.order, happened.run):
            row.updated_at = at(minute)
    db_session.flush()
    assert len(ids(viewer.get(f"/api/{path}?updated_after={at(20):%Y-%m-%dT%H:%M:%SZ}"))) == 2
    assert len(ids(viewer.get(f"/api/{path}?updated_before={at(10):%Y-%m-%dT%H:%M:%SZ}"))) == 1


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("work_orders?inserted_after=yesterday", "inserted_after"),
        ("work_orders?updated_before=2026-11-01", "updated_before"),
        ("runs?inserted_before=2026-11-01T12:00:00", "inserted_before"),
        ("runs?updated_after=1761998400", "updated_after"),
        ("log_lines?timestamp_after=2026-13-01T00:00:00Z", "timestamp_after"),
        ("log_lines?timestamp_before=", "timestamp_before"),
        ("work_orders?page=0", "page"),
        ("work_orders?page=two", "page"),
        ("runs?page_size=-1", "page_size"),
        ("runs?workflow_id=x", "workflow_id"),
        ("log_lines?run_id=x", "run_id"),
    ],
)
def test_what_cannot_be_read_is_refused_under_its_name(viewer, query, name):
    answer = viewer.get(f"/api/{query}")
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [name]


def test_a_list_of_workflows_with_a_bad_id_is_refused_under_its_name(viewer):
    answer = viewer.get(f"/api/runs?workflow_ids={uuid.uuid4()}&workflow_ids=x")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["workflow_ids"])


@pytest.mark.parametrize("path", ["work_orders/x", "runs/1", "projects/x/runs", "log_lines/x/1", "nothing"])
def test_a_malformed_id_in_the_path_is_not_found(viewer, path):
    answer = viewer.get(f"/api/{path}")
    assert (answer.status_code, answer.json["error"]) == (404, "not_found")


def test_runs_of_one_work_order(viewer, flow):
    wanted = happen(flow, runs=3)
    happen(flow)
    assert ids(viewer.get(f"/api/runs?work_order_id={wanted.id}")) == named(*reversed(wanted.runs))


def lines(answer):
    assert answer.status_code == 200, answer.json
    return [resource["attributes"]["message"] for resource in answer.json["data"]]


def test_the_newest_lines_come_first_whatever_their_run(viewer, flow):
    early, late = happen(flow, at=at(0)), happen(flow, at=at(1))
    for run, minute, text in ((early.run, 5, "b"), (late.run, 3, "a"), (early.run, 9, "c")):
        with clock.frozen_at(at(minute)):
            log(run, [text])
    assert lines(viewer.get("/api/log_lines")) == ["c", "b", "a"]
    assert lines(viewer.get("/api/log_lines?page_size=1&page=2")) == ["b"]
    assert lines(viewer.get(f"/api/log_lines?run_id={late.run.id}")) == ["a"]
    assert lines(viewer.get(f"/api/log_lines?work_order_id={early.id}")) == ["c", "b"]
    between = "timestamp_after=2026-11-01T12:04:00Z&timestamp_before=2026-11-01T12:05:00Z"
    assert lines(viewer.get(f"/api/log_lines?{between}")) == ["b"]


def test_lines_of_a_level_and_an_unknown_level_is_ignored(viewer, flow):
    happened = happen(flow, logs=["fine"])
    log(happened.run, ["broken"], level=LogLevel.ERROR)
    assert lines(viewer.get("/api/log_lines?level=error")) == ["broken"]
    assert len(lines(viewer.get("/api/log_lines?level=loud"))) == 2


def test_lines_of_a_job_of_a_workflow_and_of_a_project(viewer, cast, flow):
    happened = happen(flow, steps=[{}, {}])
    second = list(flow.jobs.values())[1]
    log(happened.run, ["first"], step=happened.steps[0])
    log(happened.run, ["second"], step=happened.steps[1])
    other = happen(make_workflow(cast.project), logs=["other"])
    assert lines(viewer.get(f"/api/log_lines?job_id={second.id}")) == ["second"]
    assert lines(viewer.get(f"/api/log_lines?workflow_id={other.order.workflow_id}")) == ["other"]
    assert len(lines(viewer.get(f"/api/log_lines?project_id={cast.project.id}"))) == 3
    assert lines(viewer.get(f"/api/log_lines?job_id={uuid.uuid4()}")) == []


def test_lines_of_foreign_runs_are_not_there(viewer):
    theirs = happen(make_workflow(make_project()), logs=["secret"])
    assert lines(viewer.get(f"/api/log_lines?run_id={theirs.run.id}")) == []
    assert lines(viewer.get("/api/log_lines")) == []
    assert viewer.get(f"/api/log_lines/{theirs.run.id}/1").status_code == 404


def test_only_the_newest_runs_are_read_for_lines_and_an_end_in_time_leads_further_back(
    viewer, flow, monkeypatch
):
    monkeypatch.setattr(api_lists, "MOST_RUNS", 1)
    for minute, text in ((0, "old"), (60, "new")):
        with clock.frozen_at(at(minute)):
            happen(flow, logs=[text])
    newest = viewer.get("/api/log_lines")
    assert lines(newest) == ["new"]
    assert newest.json["meta"]["total_entries_capped"] is True
    assert lines(viewer.get("/api/log_lines?timestamp_before=2026-11-01T12:30:00Z")) == ["old"]


def test_a_run_with_very_many_lines_is_read_alone_but_whole(viewer, flow, monkeypatch):
    monkeypatch.setattr(api_lists, "MOST_LINES", 2)
    happen(flow, at=at(0), logs=["old"])
    happen(flow, at=at(1), logs=["a", "b", "c"])
    assert sorted(lines(viewer.get("/api/log_lines"))) == ["a", "b", "c"]


def test_a_long_list_of_anything_is_two_statements(viewer, flow, db_session):
    """The cost of a page does not grow with its rows."""
    import sqlalchemy as sa

    for number in range(5):
        happen(flow, at=at(number), logs=["x"])
    told = []
    sa.event.listen(db_session.connection(), "before_cursor_execute", lambda *given: told.append(given[2]))
    for path in ("work_orders", "runs", "log_lines"):
        told.clear()
        viewer.get(f"/api/{path}?page_size=5")
        history = [text for text in told if "work_orders" in text or "runs" in text or "log_lines" in text]
        assert len(history) <= 3, history


def test_lines_are_read_from_their_runs_alone(flow, cast, db_session):
    """No join with all lines, whatever the planner thinks of their number."""
    import json

    import sqlalchemy as sa

    happened = [happen(flow, logs=["x"] * 5) for _ in range(3)]
    told = []
    connection = db_session.connection()
    sa.event.listen(connection, "before_cursor_execute", lambda *given: told.append(given[2:4]))
    api_lists.list_lines(api_lists.LinesAmong(api_lists.Among([cast.project.id])))
    for statement, values in [each for each in told if "log_lines" in each[0]]:
        plan = json.dumps(
            connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
        )
        assert "Hash Join" not in plan
        assert "Merge Join" not in plan
        assert "ANY" in plan
    assert len(happened) == 3


def test_no_order_of_another_project_is_counted(db_session, cast, flow):
    happen(flow)
    assert api_lists.list_workorders(api_lists.Among([])).total == 0
    assert db_session.query(Workorder).count() == 1
