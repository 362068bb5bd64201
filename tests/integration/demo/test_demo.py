"""The demo: every state, the same history for the same seed, searchable, and never loaded twice."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from portal import accounts, demo, projects, workorders
from portal.core import clock
from portal.core.errors import Conflict
from portal.demo.plans import make_plans
from portal.workorders import SearchField, SearchFilters
from portal.workorders.models import WorkorderState

NOW = datetime(2026, 11, 19, 16, 40, tzinfo=UTC)
COUNT = 150


@pytest.fixture
def owner(committed: sa.orm.Session) -> accounts.User:
    new = accounts.NewUser(
        email="owner@example.org", first_name="Test", last_name="Owner", password="a long pass phrase"
    )
    return accounts.create_user(new, role=accounts.AccountRole.SUPERUSER)


@pytest.fixture
def loaded(owner: accounts.User) -> demo.Loaded:
    with clock.frozen_at(NOW):
        return demo.load(owner, work_orders=COUNT)


def test_the_demo_shows_every_state_and_keeps_its_number(
    committed: sa.orm.Session, loaded: demo.Loaded
) -> None:
    found = Counter(committed.scalars(sa.text("SELECT state FROM work_orders")))
    assert set(found) == {state.value for state in WorkorderState}
    assert found.total() == loaded.work_orders == COUNT


def test_the_demo_lies_within_ninety_days_and_nothing_is_in_the_future(
    committed: sa.orm.Session, loaded: demo.Loaded
) -> None:
    row = committed.execute(
        sa.text(
            "SELECT min(inserted_at), max(last_activity), bool_and(last_activity >= inserted_at)"
            " FROM work_orders"
        )
    ).one()
    assert (NOW - row[0]).days <= 90
    assert row[1] <= NOW
    assert row[2]


def test_the_demo_has_retries_with_carried_steps_names_and_erased_inputs(
    committed: sa.orm.Session, loaded: demo.Loaded
) -> None:
    def exists(query: str) -> bool:
        return bool(committed.scalar(sa.text(f"SELECT EXISTS ({query})")))

    assert exists("SELECT FROM runs GROUP BY work_order_id HAVING count(*) > 1")
    assert exists("SELECT FROM run_steps GROUP BY step_id HAVING count(*) > 1")
    assert exists("SELECT FROM dataclips WHERE name IS NOT NULL")
    assert exists("SELECT FROM log_lines WHERE message LIKE '%connection timeout%'")
    assert exists("SELECT FROM steps WHERE exit_reason = 'lost'")


def test_what_still_runs_in_the_demo_is_not_called_lost_later(
    committed: sa.orm.Session, loaded: demo.Loaded
) -> None:
    with clock.frozen_at(datetime(2027, 6, 1, tzinfo=UTC)):
        assert workorders.mark_lost() == 0


def test_the_demo_is_searchable_at_once(loaded: demo.Loaded) -> None:
    filters = SearchFilters(q="connection timeout", search_in=(SearchField.LOG,))
    with clock.frozen_at(NOW):
        pages = [workorders.search(project, filters) for project in projects.list_all()]
    assert any(page.items for page in pages)
    assert loaded.indexed_runs >= COUNT


def test_loading_the_demo_again_is_refused_and_changes_nothing(
    committed: sa.orm.Session, owner: accounts.User, loaded: demo.Loaded
) -> None:
    with pytest.raises(Conflict):
        demo.load(owner, work_orders=20)
    assert committed.scalar(sa.text("SELECT count(*) FROM work_orders")) == COUNT


def test_the_same_seed_plans_the_same_history_and_another_seed_another() -> None:
    assert make_plans(400, 7, NOW) == make_plans(400, 7, NOW)
    assert make_plans(400, 7, NOW) != make_plans(400, 8, NOW)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 40, 333])
def test_any_number_of_work_orders_can_be_planned(count: int) -> None:
    plans = make_plans(count, 1, NOW)
    assert len(plans) == count
    assert [plan.at for plan in plans] == sorted(plan.at for plan in plans)


def test_each_project_has_shared_views_that_find_something(
    committed: sa.orm.Session, owner: accounts.User, loaded: demo.Loaded
) -> None:
    actor = accounts.actor_of(owner)
    found = {}
    for membership in projects.list_for(actor):
        project = projects.get(membership.id)
        views = workorders.list_views(project.id, actor)
        assert [view.name for view in views] == ["Needs attention", "Time-outs", "Under way"]
        assert all(view.shared and not view.outdated for view in views)
        for view in views:
            found[view.name] = found.get(view.name, 0) + workorders.count(project, view.filters).count
    assert min(found.values()) > 0
