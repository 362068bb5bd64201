"""An open history page that looks again: how many are new, and rows that changed (workorders §17, ux §5)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from portal.core import clock
from tests.support.past import happen

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def news(browser, base, since, **filters):
    when = {"since": since.isoformat(), "seen": since.isoformat(), "new": 0}
    return browser.get(f"{base}/news", query_string=when | filters, headers=PARTIAL)


def test_a_page_that_looks_again_learns_how_many_new_ones_pass_its_filters(browser, base, flow):
    happen(flow, at=NOW, state="failed")
    since = clock.now()
    happen(flow, state="failed"), happen(flow, state="success")
    answer = news(browser, base, since, state="failed")
    assert answer.status_code == 200
    assert "1 new" in answer.text
    assert f'href="{base}?state=failed"' in answer.text


def test_rows_that_changed_are_sent_closed_and_opened_to_be_replaced_in_place(browser, base, flow):
    since = clock.now() - timedelta(seconds=1)
    happened = happen(flow, state="running", received=NOW, at=clock.now())
    answer = news(browser, base, since)
    targets = re.findall(r'<hx-partial hx-target="([^"]+)" hx-swap="outerMorph">', answer.text)
    row = f"#workorders-row-{happened.id}"
    assert targets == [f"{row}:not(:has([aria-expanded=true]))", f"{row}:has([aria-expanded=true])"]
    assert "0 new" not in answer.text
    assert answer.text.count(f'id="workorders-runs-{happened.id}"') == 1


def test_when_nothing_happened_nothing_is_swapped(browser, base, flow):
    happen(flow, at=NOW)
    answer = news(browser, base, clock.now())
    assert (answer.status_code, answer.data) == (204, b"")


def test_a_look_without_its_time_is_refused(browser, base):
    assert browser.get(f"{base}/news", headers=PARTIAL).status_code == 422
    assert browser.get(f"{base}/news?since=2026-11-20", headers=PARTIAL).status_code == 422


def test_a_plain_browser_that_asks_for_news_gets_the_list(browser, base):
    assert browser.get(f"{base}/news?since=x&state=failed").location == f"{base}?state=failed"


def test_an_empty_list_fetches_the_first_ones_by_itself(browser, base, flow):
    since = clock.now() - timedelta(seconds=1)
    happen(flow)
    assert 'hx-trigger="load"' in news(browser, base, since, empty=1).text
    assert 'hx-trigger="load"' not in news(browser, base, since).text
    assert 'name="empty" value="1"' in browser.get(f"{base}?state=lost").text
    assert 'name="empty"' not in browser.get(base).text
