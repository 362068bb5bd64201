"""Saved views: whose they are, what they may be called, how many there may be (workorders §21)."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from portal import accounts, workorders
from portal.audit.models import AuditEvent
from portal.core import broker, cache, db
from portal.core.errors import Invalid, NotAllowed, NotFound
from portal.workorders import NewView, SearchFilters, ViewRename, view_counts, views
from portal.workorders.view_models import SavedView
from tests.support.factories import make_project, make_user, make_workflow
from tests.support.history import refusals
from tests.support.past import happen

FAILED = SearchFilters(states=("failed",))


@pytest.fixture
def keep(cast):
    """`keep(name, who, shared)` saves a view as that person."""

    def save(name="Failed", who="viewer", *, shared=False, filters=FAILED):
        new = NewView(name=name, shared=shared, filters=filters)
        return workorders.create_view(cast.project, new, actor=cast.actor(getattr(cast, who)))

    return save


@pytest.fixture
def seen(cast):
    return lambda who: [
        view.name for view in workorders.list_views(cast.project.id, cast.actor(getattr(cast, who)))
    ]


def entries(view_id):
    found = db.session().scalars(
        sa.select(AuditEvent).where(AuditEvent.item_id == view_id).order_by(AuditEvent.inserted_at)
    )
    return [(entry.event, entry.changes) for entry in found]


def test_one_sees_ones_own_views_and_the_shared_ones_by_name(keep, seen):
    keep("b own"), keep("A shared", "editor", shared=True), keep("c editor's", "editor")
    assert seen("viewer") == ["A shared", "b own"]
    assert seen("editor") == ["A shared", "c editor's"]
    assert seen("owner") == ["A shared"]


def test_a_view_keeps_its_filters_and_says_who_made_it(keep, cast):
    filters = SearchFilters(states=("failed",), q="a & b", sort="inserted_at")
    made = keep(filters=filters)
    found = workorders.get_view(cast.project.id, made.id, cast.actor(cast.viewer))
    assert (found.filters, found.mine, found.shared, found.outdated) == (filters, True, False, False)
    assert found.maker == cast.viewer.name


def test_what_is_no_longer_understood_is_named_and_left_out(keep, cast):
    made = keep()
    db.session().execute(
        sa.update(SavedView)
        .values(query="state=failed&state=purple&colour=blue&q=x")
        .where(SavedView.id == made.id)
    )
    found = workorders.get_view(cast.project.id, made.id, cast.actor(cast.viewer))
    assert found.outdated
    assert set(found.read.errors) == {"state"}
    assert found.read.ignored == ("colour",)
    assert found.filters == SearchFilters(q="x")


@pytest.mark.parametrize("shared", [False, True])
def test_a_name_is_taken_in_any_case_and_only_among_its_own_kind(keep, shared):
    keep("Ärger", "editor", shared=shared)
    again = lambda: keep("äRGER", "editor", shared=shared)  # noqa: E731
    assert refusals(again) == {"name": [views.TAKEN]}
    keep("ärger", "editor", shared=not shared)
    if not shared:
        keep("ärger", "viewer")


def test_renaming_to_a_taken_name_is_refused_and_changes_nothing(keep, cast):
    keep("One"), (two := keep("Two"))
    actor = cast.actor(cast.viewer)

    def rename(name):
        return workorders.rename_view(cast.project.id, two.id, ViewRename(name=name), actor=actor)

    assert refusals(lambda: rename("ONE")) == {"name": [views.TAKEN]}
    assert workorders.get_view(cast.project.id, two.id, actor).name == "Two"
    assert rename("TWO").name == "TWO"
    assert [event for event, _ in entries(two.id)] == ["created", "renamed"]


def test_another_persons_own_view_is_not_there(keep, cast):
    own = keep(who="editor")
    project, actor = cast.project.id, cast.actor(cast.owner)
    deeds = (
        lambda: workorders.get_view(project, own.id, actor),
        lambda: workorders.rename_view(project, own.id, ViewRename(name="x"), actor=actor),
        lambda: workorders.share_view(project, own.id, shared=True, actor=actor),
        lambda: workorders.change_view(project, own.id, SearchFilters(), actor=actor),
        lambda: workorders.delete_view(project, own.id, actor=actor),
    )
    for deed in deeds:
        with pytest.raises(NotFound):
            deed()
    assert [event for event, _ in entries(own.id)] == ["created"]


def test_a_view_of_another_project_is_not_there(keep, cast):
    own, other = keep(), make_project("elsewhere")
    actor = cast.actor(cast.viewer)
    with pytest.raises(NotFound):
        workorders.delete_view(other.id, own.id, actor=actor)
    with pytest.raises(NotFound):
        workorders.get_view(other.id, own.id, actor)
    assert workorders.list_views(other.id, actor) == []


def test_sharing_and_taking_back_are_told_and_only_its_maker_takes_back(keep, seen, cast):
    own, editor = keep(who="editor"), cast.actor(cast.editor)
    workorders.share_view(cast.project.id, own.id, shared=True, actor=editor)
    assert seen("viewer") == ["Failed"]
    with pytest.raises(NotAllowed):
        workorders.share_view(cast.project.id, own.id, shared=False, actor=cast.actor(cast.owner))
    workorders.share_view(cast.project.id, own.id, shared=False, actor=editor)
    assert seen("viewer") == []
    assert [event for event, _ in entries(own.id)] == ["created", "shared", "shared"]


def test_sharing_under_a_name_that_is_taken_there_is_refused(keep, cast):
    keep("Failed", "owner", shared=True)
    own = keep("failed", "editor")
    deed = lambda: workorders.share_view(  # noqa: E731
        cast.project.id, own.id, shared=True, actor=cast.actor(cast.editor)
    )
    assert refusals(deed) == {"name": [views.TAKEN]}


def test_filters_are_replaced_and_views_deleted_with_their_entries(keep, seen, cast):
    own, actor = keep(), cast.actor(cast.viewer)
    changed = workorders.change_view(cast.project.id, own.id, SearchFilters(q="malaria"), actor=actor)
    assert changed.filters.q == "malaria"
    workorders.delete_view(cast.project.id, own.id, actor=actor)
    assert seen("viewer") == []
    found = entries(own.id)
    assert [event for event, _ in found] == ["created", "filters_changed", "deleted"]
    assert found[1][1] == {"before": {"query": "state=failed"}, "after": {"query": "q=malaria"}}


@pytest.mark.parametrize("shared", [False, True])
def test_more_than_fifty_of_a_kind_are_refused(keep, shared, monkeypatch):
    limit = "MOST_SHARED" if shared else "MOST_OWN"
    monkeypatch.setattr(views, limit, 2)
    keep("1", "editor", shared=shared), keep("2", "editor", shared=shared)
    words = views.TOO_MANY_SHARED if shared else views.TOO_MANY_OWN
    assert refusals(lambda: keep("3", "editor", shared=shared)) == {"name": [words]}
    keep("3", "editor", shared=not shared)


def test_two_people_at_once_cannot_both_have_a_name_or_the_last_place(committed, at_once, monkeypatch):
    project = make_project()
    people = [accounts.actor_of(make_user()) for _ in range(4)]
    db.session().commit()
    monkeypatch.setattr(views, "MOST_SHARED", 3)

    def save(number, name):
        try:
            with_project = db.session().get(type(project), project.id)
            return workorders.create_view(
                with_project, NewView(name=name, shared=True), actor=people[number]
            ).name
        except Invalid as refused:
            return next(iter(refused.fields["name"]))

    same = at_once(lambda number: save(number, "The same" if number % 2 else "THE SAME"))
    assert sorted(answer == views.TAKEN for answer in same) == [False, True, True, True]
    places = at_once(lambda number: save(number, f"Number {number}"))
    assert sorted(answer == views.TOO_MANY_SHARED for answer in places) == [False, False, True, True]


# Counts


@pytest.fixture
def past(cast, queue):
    flow = make_workflow(cast.project)
    for state in ("failed", "failed", "success"):
        happen(flow, state=state)
    return flow


def counted(cast, *given):
    return list(workorders.count_views(cast.project, given).values())


def test_each_view_is_counted_and_equal_ones_once(keep, cast, past):
    found = counted(cast, keep("a"), keep("b", filters=SearchFilters()), keep("c"))
    assert [(total.count, total.more) for total in found] == [(2, False), (3, False), (2, False)]
    happen(past, state="failed")
    assert counted(cast, keep("d"))[0].count == 2, "kept for some seconds"
    broker.client().flushdb()
    assert counted(cast, keep("e"))[0].count == 3


def test_counting_stops_at_its_cap(keep, cast, past, monkeypatch):
    monkeypatch.setattr(view_counts, "MOST_COUNTED", 2)
    (found,) = counted(cast, keep(filters=SearchFilters()))
    assert (found.count, found.more) == (2, True)


def test_a_view_that_takes_too_long_has_no_number_and_does_not_hold_up_the_page(
    keep, cast, past, monkeypatch
):
    monkeypatch.setattr(
        view_counts, "find_keys", lambda _wanted: db.session().execute(sa.text("SELECT pg_sleep(9)"))
    )
    monkeypatch.setattr(view_counts, "SECONDS", 0.05)
    assert counted(cast, keep("a"), keep("b", filters=SearchFilters())) == [None, None]
    assert db.session().scalar(sa.text("SELECT 1")) == 1


def test_without_the_broker_views_are_counted_all_the_same(keep, cast, past, monkeypatch):
    address = broker.url()
    broker.configure("redis://127.0.0.1:1")
    try:
        assert counted(cast, keep())[0].count == 2
        assert cache.kept(f"x{uuid.uuid4()}", 5, lambda: [1]) == [1]
    finally:
        broker.configure(address)
