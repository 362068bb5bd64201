"""The history page: what it shows, how it is filtered, what it answers to whom (workorders §9, §16)."""

from __future__ import annotations

import html
import re
import sys
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from portal.workorders.indexing import index_due
from tests.support.clients import logged_in
from tests.support.factories import make_project, make_workflow
from tests.support.past import happen

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def asked(browser, base):
    """`asked(query)` is the answer as text; redirects to the tidy address are followed."""
    return lambda query="", **headers: browser.get(
        f"{base}?{query}" if query else base, headers=headers, follow_redirects=True
    )


def rows_of(answer) -> list[str]:
    return re.findall(r'id="workorders-row-([0-9a-f-]{36})"', answer.text)


def index_everything():
    while index_due():
        pass


def ids(*happened):
    return [str(each.id) for each in happened]


def test_the_list_shows_the_newest_activity_first(asked, flow):
    old, new = happen(flow, at=NOW - timedelta(days=1)), happen(flow, at=NOW)
    answer = asked()
    assert answer.status_code == 200
    assert rows_of(answer) == ids(new, old)
    assert "Register a visit" in answer.text
    assert "2 work orders" in answer.text


def test_page_and_fragment_are_one_rendering_and_caches_keep_them_apart(browser, base, flow):
    happened = happen(flow)
    page, fragment = browser.get(base), browser.get(base, headers=PARTIAL)
    assert 'id="workorders-results"' in page.text
    assert fragment.text.lstrip().startswith('<div id="workorders-results"')
    assert "<html" not in fragment.text
    assert rows_of(page) == rows_of(fragment) == ids(happened)
    for answer in (page, fragment):
        assert {"HX-Request", "HX-Request-Type", "Cookie"} <= set(answer.vary.to_header().split(", "))
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_part_asked_for_with_a_select_is_a_whole_page(browser, base, flow):
    answer = browser.get(base, headers={"HX-Request": "true", "HX-Request-Type": "full"})
    assert 'id="workorders-panel"' in answer.text
    assert "<html" in answer.text


def test_a_fragment_says_its_address_and_its_number(browser, base, flow):
    happen(flow, state="failed")
    answer = browser.get(f"{base}?state=failed&q=&workflow=&active_from=", headers=PARTIAL)
    assert answer.headers["HX-Push-Url"] == f"{base}?state=failed"
    assert answer.headers["X-Announce"] == "1%20work%20order"


def test_typing_replaces_the_address_instead_of_filling_the_browsers_history(browser, base, flow):
    answer = browser.get(f"{base}?q=ma", headers=PARTIAL | {"HX-Source": "input#field-q"})
    assert answer.headers["HX-Replace-Url"] == f"{base}?q=ma"
    assert "HX-Push-Url" not in answer.headers


def test_filters_join_and_are_shown_as_pills_that_remove_them(asked, flow, cast):
    other = make_workflow(cast.project, "Stock <sync>")
    wanted = happen(other, state="failed")
    happen(other), happen(flow, state="failed")
    answer = asked(f"state=failed&workflow={other.id}")
    assert rows_of(answer) == ids(wanted)
    pills = re.findall(r'<a class="pill" href="([^"]+)".*?<b>(.*?)</b>', answer.text)
    assert [label for _, label in pills] == ["Failed", "Stock &lt;sync&gt;"]
    addresses = [dict(parse_qsl(urlsplit(html.unescape(url)).query)) for url, _ in pills]
    assert addresses == [{"workflow": str(other.id)}, {"state": "failed"}]


def test_the_form_keeps_what_was_chosen(asked, flow):
    text = asked(f"state=failed&state=lost&workflow={flow.id}&q=abc&in=log&sort=inserted_at").text
    assert re.findall(r'name="state" value="(\w+)" checked', text) == ["failed", "lost"]
    assert re.findall(r'name="in" value="(\w+)" checked', text) == ["log"]
    assert f'<option value="{flow.id}" selected>' in text
    assert '<option value="inserted_at" selected>' in text
    assert 'name="q" value="abc"' in text


def test_an_untidy_address_leads_to_the_short_one_that_says_the_same(browser, base):
    answer = browser.get(f"{base}?state=failed,lost&q=&workflow=&in=id&in=log&in=body&in=name")
    assert (answer.status_code, answer.location) == (303, f"{base}?state=failed&state=lost")
    assert browser.get(answer.location).status_code == 200


def test_dates_are_read_in_the_readers_zone_and_put_into_the_address_with_an_offset(browser, base, flow):
    inside = happen(flow, at=datetime(2026, 11, 20, 7, 30, tzinfo=UTC))
    happen(flow, at=datetime(2026, 11, 20, 6, 30, tzinfo=UTC))
    browser.set_cookie("tz", "Africa/Nairobi")
    answer = browser.get(f"{base}?active_from=2026-11-20T10:00")
    assert parse_qsl(urlsplit(answer.location).query) == [("active_from", "2026-11-20T07:00:00Z")]
    page = browser.get(answer.location)
    assert rows_of(page) == ids(inside)
    assert 'name="active_from" type="datetime-local" value="2026-11-20T10:00"' in page.text
    assert "Times in Africa/Nairobi" in page.text


def test_a_bare_day_means_the_whole_day_of_the_reader(browser, base, flow):
    browser.set_cookie("tz", "Africa/Nairobi")
    answer = browser.get(f"{base}?received_from=2026-11-20&received_to=2026-11-20")
    query = dict(parse_qsl(urlsplit(answer.location).query))
    assert query["received_from"] == "2026-11-19T21:00:00Z"
    assert query["received_to"].startswith("2026-11-20T20:59:59.99")


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("state=failed&state=purple", "state", "One of these states does not exist."),
        ("active_from=yesterday", "active_from", "This is not a date."),
        ("workflow=12", "workflow", "not the id of a workflow"),
        (
            "active_from=2026-11-20T10:00Z&active_to=2026-11-19T10:00Z",
            "active_to",
            "The end lies before the beginning.",
        ),
        ("sort=size", "sort", "can be sorted by"),
        ("q=" + "x" * 201, "q", "at most 200 characters"),
    ],
)
def test_what_cannot_be_read_is_422_with_the_field_named_and_values_kept(browser, base, query, field, words):
    page = browser.get(f"{base}?{query}&in=log")
    fragment = browser.get(f"{base}?{query}&in=log", headers=PARTIAL)
    assert page.status_code == fragment.status_code == 422
    assert fragment.text.lstrip().startswith('<section class="panel" id="workorders-panel"')
    for answer in (page, fragment):
        assert words in answer.text
        assert f'href="#field-{field}"' in answer.text
        assert f'id="field-{field}"' in answer.text
        assert re.findall(r'name="in" value="(\w+)" checked', answer.text) == ["log"]
        assert "Nothing was searched" in answer.text
    typed = dict(parse_qsl(query))[field]
    kept = html.escape(typed.removesuffix("Z"))
    assert f'value="{kept}"' in page.text or field in ("state", "workflow", "sort")


def test_names_that_mean_nothing_are_left_out_with_a_notice(asked, flow):
    happened = happen(flow)
    answer = asked("colour=<blue>&crash=1")
    assert rows_of(answer) == ids(happened)
    assert "Not understood, and left out: colour, crash" in answer.text


def test_a_word_of_a_log_is_found_and_shown_marked(asked, flow):
    wanted = happen(flow, logs=["5 < 7 & malaria without a result"])
    happen(flow, logs=["nothing of it"])
    index_everything()
    answer = asked("q=malar&in=log")
    assert rows_of(answer) == ids(wanted)
    assert "<mark>malaria</mark>" in answer.text
    assert "5 &lt; 7 &amp; " in answer.text
    assert f'/runs/{wanted.run.id}">Log</a>:' in answer.text


def test_load_more_goes_on_where_the_page_ended_until_the_last(browser, base, flow):
    happened = [happen(flow, at=NOW - timedelta(minutes=n)) for n in range(60)]
    seen, url, sizes = [], base, []
    while url:
        answer = browser.get(url, headers=PARTIAL)
        seen += rows_of(answer)
        sizes.append(len(rows_of(answer)))
        more = re.search(r'<a class="button" href="([^"]+)" rel="next"', answer.text)
        url = html.unescape(more[1]) if more else None
        if url:
            assert 'hx-target="closest .more-rows"' in answer.text
    assert seen == ids(*happened)
    assert sizes == [25, 25, 10]
    assert "60 of 60" in answer.text
    assert 'id="workorders-results"' not in answer.text


def test_the_link_to_more_is_a_page_for_a_browser_without_script(browser, base, flow):
    happened = [happen(flow, at=NOW - timedelta(minutes=n)) for n in range(30)]
    url = html.unescape(re.search(r'href="([^"]+)" rel="next"', browser.get(base).text)[1])
    page = browser.get(url)
    assert "<html" in page.text
    assert rows_of(page) == ids(*happened[25:])
    assert "Back to the newest" in page.text


def test_a_cursor_that_was_changed_or_belongs_to_other_filters_is_refused(browser, base, flow):
    for number in range(30):
        happen(flow, at=NOW - timedelta(minutes=number))
    url = html.unescape(re.search(r'href="([^"]+)" rel="next"', browser.get(base).text)[1])
    assert browser.get(url + "&state=failed").status_code == 422
    assert browser.get(f"{base}?cursor=abc").status_code == 422


def test_sorting_turns_round_on_the_second_click(asked, flow):
    happen(flow)
    text = asked("sort=-inserted_at").text
    assert re.search(r'aria-sort="descending">\s*<a href="[^"]*sort=inserted_at"', text)
    assert text.count("aria-sort") == 1


def test_an_opened_row_shows_its_runs_newest_first_with_their_steps(browser, base, flow):
    happened = happen(flow, state="failed", runs=2, steps=[None, None], error_type="AdaptorError")
    fragment = browser.get(f"{base}/{happened.id}", headers=PARTIAL)
    assert fragment.text.lstrip().startswith(f'<div id="workorders-runs-{happened.id}"')
    assert re.findall(r'id="workorders-run-([0-9a-f-]{36})"', fragment.text) == [
        str(run.id) for run in reversed(happened.runs)
    ]
    for text in ("Attempt 2 of 2", "First", "Second", "AdaptorError"):
        assert text in fragment.text
    page = browser.get(f"{base}/{happened.id}")
    assert f'id="workorders-runs-{happened.id}"' in page.text
    assert "<h1>Work order" in page.text


def test_a_rejected_work_order_says_why_it_has_no_run(browser, base, flow):
    happened = happen(flow, state="rejected")
    assert "the project had reached its limit" in browser.get(f"{base}/{happened.id}").text


def test_a_project_without_work_orders_shows_how_to_make_the_first(asked, flow):
    text = asked().text
    assert "No work orders yet" in text
    assert f"curl -X POST &#39;http://localhost/i/{flow.trigger.id}&#39;" in text.replace("'", "&#39;")


def test_when_nothing_matches_each_filter_can_be_taken_away(asked, flow):
    happen(flow)
    text = asked("state=lost&q=nowhere").text
    assert "Nothing matches" in text
    assert "“State: Lost”" in text
    assert "“Text: nowhere”" in text
    assert "curl" not in text


def test_a_search_that_takes_too_long_says_so_instead_of_showing_nothing(browser, base, flow, monkeypatch):
    soon = sa.text("SELECT set_config('statement_timeout', '1ms', true)")
    monkeypatch.setattr(sys.modules["portal.workorders.search"], "_BE_PATIENT", soon)
    for number in range(20):
        happen(flow, logs=[f"malaria number {number} " + "word " * 3000])
    index_everything()
    page, fragment = browser.get(f"{base}?q=malaria"), browser.get(f"{base}?q=malaria", headers=PARTIAL)
    assert (page.status_code, fragment.status_code) == (503, 200)
    for answer in (page, fragment):
        assert "The search took too long" in answer.text
        assert "Nothing matches" not in answer.text


@pytest.mark.parametrize("who", ["stranger", "superuser"])
def test_strangers_learn_nothing(app, cast, base, flow, who):
    happened = happen(flow)
    other = logged_in(app, getattr(cast, who))
    for url in (base, f"{base}/{happened.id}", f"{base}/news?since={NOW.isoformat()}"):
        assert other.get(url).status_code == 404


def test_who_is_not_logged_in_is_sent_to_log_in(client, base):
    assert client.get(base).location.startswith("/login?next=")


def test_the_ids_of_other_projects_are_not_found(browser, base, cast):
    foreign = make_workflow(make_project("elsewhere"))
    happened = happen(foreign)
    assert browser.get(f"{base}/{happened.id}").status_code == 404
    assert rows_of(browser.get(f"{base}?workflow={foreign.id}")) == []
    assert browser.get(f"{base}/{uuid.uuid4()}").status_code == 404
    assert browser.get(f"{base}/not-an-id").status_code == 404


def test_other_verbs_are_refused(browser, base, cast):
    assert browser.delete(base, headers={"X-CSRFToken": "x"}).status_code in (400, 405)


# Cost


class Statements:
    """Counts what is sent to the database."""

    def __init__(self, connection):
        self.seen, self._connection = [], connection

    def __enter__(self):
        event.listen(self._connection, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_):
        event.remove(self._connection, "before_cursor_execute", self._note)

    def _note(self, _connection, _cursor, statement, *_):
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.seen.append(" ".join(statement.split())[:60])


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(browser, base, flow, db_session):
    def cost(url, **headers):
        with Statements(db_session.connection()) as counted:
            assert browser.get(url, headers=headers).status_code == 200
        return counted.seen

    def costs(one):
        urls = (base, f"{base}?q=malaria", f"{base}/{one.id}")
        return [cost(url) for url in urls]

    one = happen(flow, runs=1, steps=[{"a": 1}], logs=["malaria"], name="malaria 0")
    index_everything()
    browser.get(base)  # the first request of a session also notes that it was used
    few = costs(one)
    for number in range(30):
        happen(
            flow,
            runs=3,
            steps=[{"a": 1}, {"b": 2}],
            logs=["malaria"],
            name=f"malaria {number + 1}",
            state="failed",
        )
    index_everything()
    many = costs(happen(flow, runs=4, steps=[{"a": 1}, {"b": 2}, {"c": 3}]))
    for before, after in zip(few, many, strict=True):
        assert before == after
    assert len(few[0]) <= 9
