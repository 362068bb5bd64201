"""Saved views as people see them: side bar, the form beside the filters, their page (workorders §16, §21)."""

from __future__ import annotations

import html
import json
import re
import uuid

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core import db
from portal.workorders import NewView, SearchFilters
from portal.workorders.view_models import SavedView
from tests.support.clients import logged_in
from tests.support.factories import make_project
from tests.support.past import happen

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
FAILED = SearchFilters(states=("failed",))


@pytest.fixture
def views_url(cast):
    return f"/projects/{cast.project.id}/views"


@pytest.fixture
def saved(cast):
    """`saved(name, who, shared, filters)` is a view of that person."""

    def make(name="Failed ones", who="viewer", *, shared=False, filters=FAILED):
        actor = cast.actor(getattr(cast, who))
        return workorders.create_view(
            cast.project, NewView(name=name, shared=shared, filters=filters), actor=actor
        )

    return make


@pytest.fixture
def post(app, cast, monkeypatch):
    """`post(who, path, **fields)` as htmx sends it, or plain with `plain=True`."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)

    def send(who, path, *, plain=False, **fields):
        client = logged_in(app, getattr(cast, who))
        return client.post(path, data=fields, headers={} if plain else PARTIAL)

    return send


def names(cast, who="viewer"):
    return [view.name for view in workorders.list_views(cast.project.id, cast.actor(getattr(cast, who)))]


def test_the_side_bar_of_a_page_costs_nothing_and_fetches_the_views_by_itself(
    browser, base, views_url, saved
):
    saved("Nobody shall read this yet")
    text = browser.get(base).text
    assert f'hx-get="{views_url}/list"' in text
    assert "load, views-changed from:body" in text
    assert "Nobody shall read this yet" not in text
    assert f'href="{views_url}"' in text, "the way for browsers without script"


def test_the_list_shows_own_and_shared_views_as_links_to_the_history(browser, base, views_url, saved):
    saved("B <own>"), saved("A shared", "editor", shared=True), saved("Another's", "owner")
    answer = browser.get(f"{views_url}/list", headers=PARTIAL)
    found = re.findall(r'<a href="([^"]+)" data-view title="([^"]+)"', answer.text)
    assert [(html.unescape(url), html.unescape(name)) for url, name in found] == [
        (f"{base}?state=failed", "A shared"),
        (f"{base}?state=failed", "B <own>"),
    ]
    assert "<html" not in answer.text
    assert "load," not in answer.text.partition("<ul")[0], "what was fetched does not fetch itself again"


def test_a_viewer_is_offered_to_change_only_own_views(browser, views_url, saved):
    own, shared = saved(), saved("Shared", "editor", shared=True)
    text = browser.get(f"{views_url}/list", headers=PARTIAL).text
    assert f"{views_url}/{own.id}" in text
    assert f"{views_url}/{shared.id}" not in text


def test_numbers_come_in_one_answer_each_for_its_place(browser, views_url, saved, flow, queue):
    happen(flow, state="failed"), happen(flow, state="failed"), happen(flow)
    one, two = saved(), saved("All", filters=SearchFilters())
    text = browser.get(f"{views_url}/counts", headers=PARTIAL).text
    places = re.findall(r'hx-target="#views-count-([0-9a-f-]+)" hx-swap="innerHTML">(\d+)', text)
    assert dict(places) == {str(one.id): "2", str(two.id): "3"}


def test_saving_keeps_the_filters_that_are_shown(post, cast, base, views_url):
    answer = post("viewer", views_url, name=" Mine ", filters="state=failed&q=a%26b")
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<div class="stack" id="views-form"')
    news = json.loads(answer.headers["HX-Trigger"])
    assert "views-changed" in news
    assert "Mine" in news["toast"]["text"]
    (view,) = workorders.list_views(cast.project.id, cast.actor(cast.viewer))
    assert (view.name, view.shared, view.filters.q, view.filters.states) == (
        "Mine",
        False,
        "a&b",
        ("failed",),
    )


def test_a_plain_browser_is_sent_to_the_view(post, base, views_url):
    answer = post("editor", views_url, plain=True, name="For all", shared="true", filters="state=failed")
    assert (answer.status_code, answer.location) == (303, f"{base}?state=failed")


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "be blank"),
        ({}, "be blank"),
        ({"name": "<b>" * 27}, "at most 80"),
        ({"name": "a\x00b"}, "control characters"),
        ({"name": "x", "filters": "state=purple"}, "cannot be read"),
    ],
)
def test_what_cannot_be_kept_is_422_with_what_was_typed(post, cast, views_url, fields, words, plain):
    answer = post("viewer", views_url, plain=plain, **({"filters": "state=lost"} | fields))
    assert answer.status_code == 422
    text = html.unescape(answer.text)
    assert words in text
    assert ("<html" in text) is plain
    assert f'name="filters" value="{fields.get("filters", "state=lost")}"' in text
    if fields.get("name", "").startswith("<"):
        assert html.escape(fields["name"]) in answer.text
    assert names(cast) == []


def test_a_taken_name_offers_to_put_the_filters_into_that_view(post, cast, base, views_url, saved):
    own = saved("Mine")
    answer = post("viewer", views_url, name="mINE", filters="q=malaria")
    assert answer.status_code == 422
    assert "a view of this name already" in answer.text
    assert f'action="{views_url}/{own.id}/filters"' in answer.text
    done = post("viewer", f"{views_url}/{own.id}/filters", plain=True, filters="q=malaria")
    assert (done.status_code, done.location) == (303, f"{base}?q=malaria")


def test_a_viewer_may_not_share(post, cast, views_url, saved):
    own = saved()
    assert post("viewer", views_url, name="x", shared="true").status_code == 403
    assert post("viewer", f"{views_url}/{own.id}/sharing", shared="true").status_code == 403
    assert names(cast, "editor") == []


@pytest.mark.parametrize("deed", ["name", "sharing", "filters", "deletion"])
def test_who_may_do_what_to_a_shared_view(post, cast, views_url, saved, deed):
    shared = saved("Shared", "owner", shared=True)
    path = f"{views_url}/{shared.id}/{deed}"
    assert post("viewer", path, name="x", filters="q=x").status_code == 403
    assert names(cast) == ["Shared"]
    assert post("stranger", path).status_code == 404
    taken_back = deed == "sharing"
    assert post("editor", path, name="x", filters="q=x").status_code == (403 if taken_back else 200)


@pytest.mark.parametrize("deed", ["", "/name", "/sharing", "/filters", "/deletion"])
def test_anothers_own_view_and_those_of_other_projects_are_not_there(
    app, post, cast, browser, views_url, saved, deed
):
    own = saved("Secret", "owner")
    other = make_project("elsewhere", members={cast.editor: "owner"})
    for path in (
        f"{views_url}/{own.id}",
        f"/projects/{other.id}/views/{own.id}",
        f"{views_url}/{uuid.uuid4()}",
    ):
        if deed:
            answer = post("editor", path + deed, name="x", shared="true")
        else:
            answer = logged_in(app, cast.editor).get(path)
        assert answer.status_code == 404
    assert names(cast, "owner") == ["Secret"]


def test_renaming_answers_the_list_and_a_refusal_the_form(post, cast, views_url, saved):
    own, _other = saved("One"), saved("Two")
    answer = post("viewer", f"{views_url}/{own.id}/name", name="Uno")
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<div class="side-views" id="views-list"')
    assert re.search(rf'#views-item-{own.id}"[^>]+autofocus', answer.text), (
        "the focus goes back to the button"
    )
    refused = post("viewer", f"{views_url}/{own.id}/name", name="TWO")
    assert refused.status_code == 422
    assert f'id="views-item-{own.id}"' in refused.text
    assert 'value="TWO"' in refused.text
    assert names(cast) == ["Two", "Uno"]


def test_sharing_and_deleting(post, cast, views_url, saved):
    own = saved(who="editor")
    assert post("editor", f"{views_url}/{own.id}/sharing", shared="true").status_code == 200
    assert names(cast, "viewer") == ["Failed ones"]
    assert post("editor", f"{views_url}/{own.id}/sharing").status_code == 200
    assert names(cast, "viewer") == []
    answer = post("editor", f"{views_url}/{own.id}/deletion", plain=True)
    assert (answer.status_code, answer.location) == (303, views_url)
    assert names(cast, "editor") == []


def test_the_page_of_views_says_their_filters_in_words(browser, views_url, saved, flow):
    saved("Of one workflow", filters=SearchFilters(states=("failed",), workflows=(flow.id,)))
    text = browser.get(views_url).text
    assert re.search(r"State: Failed\s+·\s+Workflow: Register a visit", text)
    assert "you alone" in text


def test_a_view_that_is_no_longer_understood_is_shown_with_a_notice(browser, cast, views_url, saved):
    old = saved("Old")
    db.session().execute(sa.update(SavedView).where(SavedView.id == old.id).values(query="state=purple"))
    saved("Gone", filters=SearchFilters(workflows=(uuid.uuid4(),)))
    page = browser.get(views_url)
    assert page.status_code == 200
    assert "no longer understood" in page.text
    assert "a workflow that is no longer here" in page.text
    assert "no longer understood" in browser.get(f"{views_url}/list", headers=PARTIAL).text


def test_the_form_stands_beside_the_pills_and_only_there(browser, base, flow):
    assert "views-save" not in browser.get(base).text
    text = browser.get(f"{base}?state=failed").text
    assert 'popovertarget="views-save"' in text
    assert 'name="filters" value="state=failed"' in text
    assert "For the whole project" not in text, "viewers cannot share"


def test_a_browser_without_script_can_change_a_view(browser, views_url, saved):
    own = saved()
    page = browser.get(f"{views_url}/{own.id}").text
    for deed in ("name", "deletion"):
        assert f'method="post" action="{views_url}/{own.id}/{deed}"' in page
    assert browser.get(f"{views_url}/list").location == views_url
    assert browser.get(f"{views_url}/counts").location == views_url


def test_every_change_needs_the_token(app, cast, views_url, saved):
    own, client = saved(), logged_in(app, cast.viewer)
    for path in ("", f"/{own.id}/name", f"/{own.id}/deletion"):
        assert client.post(views_url + path, data={"name": "x"}).status_code == 400
