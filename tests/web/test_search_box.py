"""The search box of the history: its language, its mistakes, its suggestions (workorders §9.6)."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.workorders.indexing import index_due
from portal.workorders.names import ADDRESS, TERMS
from tests.support.clients import logged_in
from tests.support.factories import make_workflow
from tests.support.past import happen
from tests.unit.workorders.strategies import any_text, typed

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
TYPING = PARTIAL | {"HX-Source": "input#field-q"}


@pytest.fixture
def box(browser, base):
    """`box(text)` is the answer to what is typed into the box."""
    return lambda text, more="", **headers: browser.get(f"{base}?query={quote(text)}{more}", headers=headers)


def query_of(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(html.unescape(url)).query)


def shown(answer) -> str:
    """What the box holds."""
    return html.unescape(re.search(r'name="query" value="([^"]*)"', answer.text)[1])


def test_what_is_typed_becomes_an_address_with_pills_and_the_box_keeps_the_free_text(browser, box, flow):
    wanted = happen(flow, state="failed", name="a clinic")
    happen(flow, state="success", name="a clinic too"), happen(flow, state="failed")
    answer = box("state:failed clinic")
    assert answer.status_code == 303
    assert query_of(answer.location) == [("q", "clinic"), ("state", "failed")]
    page = browser.get(answer.location)
    assert re.findall(r'id="workorders-row-([0-9a-f-]{36})"', page.text) == [str(wanted.id)]
    assert re.findall(r'<a class="pill" .*?<b>(.*?)</b>', page.text) == ["clinic", "Failed"]
    assert shown(page) == "clinic"
    assert 'data-copy-text="state:failed clinic"' in page.text


def test_what_is_typed_joins_what_is_chosen(box):
    answer = box("state:failed in:log tin", "&state=lost&in=id&in=body&q=old")
    assert query_of(answer.location) == [("q", "tin"), ("in", "log"), ("state", "failed"), ("state", "lost")]


def test_plain_text_stays_as_it_was(box):
    text = 'TypeError: "x" is https://example.org -not 12:30'
    assert query_of(box(text).location) == [("q", text)]


def test_a_workflow_is_meant_by_its_name_and_days_by_the_readers_zone(browser, box, cast):
    made = make_workflow(cast.project, "Stock sync")
    browser.set_cookie("tz", "Africa/Nairobi")
    answer = box('workflow:"stock SYNC" received:2026-11-20')
    assert query_of(answer.location) == [
        ("workflow", str(made.id)),
        ("received_from", "2026-11-19T21:00:00Z"),
        ("received_to", "2026-11-20T20:59:59.999999Z"),
    ]
    text = html.unescape(browser.get(answer.location).text)
    assert 'data-copy-text="workflow:"Stock sync" received:2026-11-20..2026-11-20"' in text


@pytest.mark.parametrize(
    ("text", "wrong", "words"),
    [
        ("state:purple <b>", "purple", 'There is no state "purple"'),
        ('log:"tin', '"tin', "has no end"),
        ("colour:red", "colour:", 'There is no key "colour:"'),
        ("started:>", ">", "is not a date"),
        ("x workflow:nowhere", "nowhere", "No workflow of this project is called"),
    ],
)
def test_a_mistake_is_422_and_marked_where_it_stands(box, flow, text, wrong, words):
    happen(flow)
    for answer in (box(text), box(text, **PARTIAL), box(text, **TYPING)):
        assert answer.status_code == 422
        assert re.findall(r'<mark class="wrong">(.*?)</mark>', html.unescape(answer.text)) == [wrong]
        assert words in html.unescape(answer.text)
        assert "workorders-row-" not in answer.text
    assert shown(box(text)) == text
    assert box(text, **TYPING).text.lstrip().startswith('<div id="workorders-problems"')


def test_while_somebody_types_the_results_come_and_the_last_mistake_goes(box, base, flow):
    happen(flow, state="failed")
    answer = box("state:failed", **TYPING)
    assert answer.headers["HX-Replace-Url"] == f"{base}?state=failed"
    assert answer.text.lstrip().startswith('<div id="workorders-results"')
    assert '<hx-partial hx-target="#workorders-problems"' in answer.text


def test_once_sent_the_whole_panel_shows_what_became_of_the_text(box, base):
    answer = box("state:failed plum", **PARTIAL)
    assert answer.headers["HX-Retarget"] == "#workorders-panel"
    assert answer.headers["HX-Push-Url"] == f"{base}?q=plum&state=failed"
    assert shown(answer) == "plum"
    assert "HX-Retarget" not in box("plum", **PARTIAL).headers


def test_each_pill_can_be_turned_to_leave_out(browser, base, flow):
    happen(flow, state="failed"), happen(flow, state="lost")
    text = browser.get(f"{base}?state=failed&not.log=x").text
    turned = re.findall(r'<a class="pill-turn" href="([^"]+)"', text)
    assert [sorted(query_of(url)) for url in turned] == [
        [("has.log", "x"), ("state", "failed")],
        [("not.log", "x"), ("not.state", "failed")],
    ]
    assert "Not state: <b>Failed" in browser.get(html.unescape(turned[-1])).text


def test_each_term_is_shown_with_its_place(browser, base, flow):
    happen(flow, logs=["a tin drum"], body={"who": "Bukayo"})
    while index_due():
        pass
    answer = browser.get(f"{base}?has.log=tin&has.body=buk&not.log=never")
    assert "<mark>tin</mark>" in answer.text
    assert "<mark>Bukayo</mark>" in answer.text


def offered(browser, base, text: str) -> list[str]:
    answer = browser.get(f"{base}/suggestions?query={quote(text)}", headers=PARTIAL)
    assert answer.status_code == 200
    return [html.unescape(value) for value in re.findall(r'<option value="([^"]*)"', answer.text)]


def test_keys_and_values_are_offered_while_somebody_types(browser, base, cast, flow):
    make_workflow(cast.project, "Stock sync")
    happen(flow, state="failed", error_type="TypeError"), happen(flow, error_type="Range, x")
    assert offered(browser, base, "plum st") == ["plum state:", "plum started:"]
    assert offered(browser, base, "-wo") == ["-workflow:"]
    assert offered(browser, base, "state:failed,cr") == ["state:failed,crashed"]
    assert offered(browser, base, "-state:l") == ["-state:lost"]
    assert offered(browser, base, "workflow:sto") == ['workflow:"Stock sync"']
    assert offered(browser, base, 'x workflow:"stock') == ['x workflow:"Stock sync"']
    assert offered(browser, base, "error:") == ['error:"Range, x"', "error:TypeError"]
    assert offered(browser, base, "sort:-i") == ["sort:-inserted_at"]
    assert offered(browser, base, "received:")[1].startswith("received:>=")
    assert offered(browser, base, "") == offered(browser, base, "state:failed ") == []


def test_types_of_error_are_offered_alone(browser, base, flow):
    happen(flow, error_type="TypeError")
    answer = browser.get(f"{base}/suggestions?of=error", headers=PARTIAL)
    assert '<option value="TypeError">' in answer.text


@pytest.mark.parametrize("who", ["stranger", "superuser"])
def test_nothing_is_offered_to_strangers(app, cast, base, who):
    assert logged_in(app, getattr(cast, who)).get(f"{base}/suggestions?query=error:").status_code == 404


NAMES = [*ADDRESS.values(), *TERMS, "query", "cursor", "status", "failed", "sort_by", "colour", "shown", "of"]
HEAVY = ["x" * 10_000, "\x00", "\ud800", "\\", "&|!:*()<->", "'", "%_", "a\\", "🐘", "state:failed " * 900]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pairs=st.lists(st.tuples(st.sampled_from(NAMES), any_text | typed | st.sampled_from(HEAVY)), max_size=5)
)
def test_no_address_is_a_server_error(browser, base, pairs):
    query = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in pairs)
    answer = browser.get(f"{base}?{query}", headers=PARTIAL)
    assert answer.status_code in (200, 422)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=any_text | typed | st.sampled_from(HEAVY))
def test_no_text_in_the_box_is_a_server_error(browser, base, text):
    sent = quote(text, errors="surrogatepass")
    answer = browser.get(f"{base}?query={sent}", headers=TYPING)
    assert answer.status_code in (200, 422)
    assert ('class="wrong"' in answer.text) == (answer.status_code == 422)
    assert browser.get(f"{base}/suggestions?query={sent}", headers=PARTIAL).status_code == 200
