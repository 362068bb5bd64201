"""Filters on runs and errors, and filters that leave out (workorders §9.1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from portal import workorders
from portal.core.db import session
from portal.workorders import SearchFilters, Sort
from portal.workorders.group_models import ErrorGroup
from portal.workorders.indexing import index_due
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project, make_workflow
from tests.support.past import Happened, happen

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def found(cast: Cast, **filters: object) -> list[object]:
    """The ids of the first page, in order; the total must agree, and JSON must say the same."""
    chosen = SearchFilters.model_validate(filters)
    stored = json.loads(json.dumps(chosen.model_dump(mode="json", exclude_defaults=True)))
    assert SearchFilters.model_validate(stored) == chosen
    ids = [row.id for row in workorders.search(cast.project, chosen).items]
    assert workorders.count(cast.project, chosen).count == len(ids)
    return ids


def retried(happened: Happened, flow: MadeWorkflow, **changes: object) -> None:
    """Give the newest run other values, as a retry that ended otherwise leaves them."""
    for name, value in changes.items():
        setattr(happened.run, name, value)
    session().flush()


@pytest.mark.parametrize("sort", list(Sort))
def test_states_left_out_are_not_found(cast: Cast, flow: MadeWorkflow, sort: Sort) -> None:
    made = {state: happen(flow, state=state).id for state in ("lost", "failed", "success")}
    assert set(found(cast, not_states=["lost"], sort=sort)) == {made["failed"], made["success"]}
    assert found(cast, states=["lost", "failed"], not_states=["lost"], sort=sort) == [made["failed"]]
    assert found(cast, states=["lost"], not_states=["lost"], sort=sort) == []
    assert found(cast, not_states=list(workorders.WorkorderState), sort=sort) == []


@pytest.mark.parametrize("sort", list(Sort))
def test_workflows_left_out_are_not_found(cast: Cast, flow: MadeWorkflow, sort: Sort) -> None:
    other = make_workflow(cast.project)
    here, there = happen(flow).id, happen(other, logs=["anvil"]).id
    assert found(cast, not_workflows=[flow.id], sort=sort) == [there]
    assert found(cast, workflows=[flow.id, other.id], not_workflows=[other.id], sort=sort) == [here]
    assert found(cast, workflows=[flow.id], not_workflows=[flow.id], sort=sort) == []
    index_due()
    assert found(cast, q="anvil", not_workflows=[flow.id], sort=sort) == [there]
    assert found(cast, q="anvil", not_workflows=[other.id], sort=sort) == []


def test_errors_are_those_of_the_newest_run(cast: Cast, flow: MadeWorkflow) -> None:
    typed = happen(flow, state="failed", error_type="TypeError", runs=2, at=NOW).id
    before = NOW - timedelta(hours=1)
    ranged = happen(flow, state="failed", error_type="RangeError, of a kind", at=before).id
    mended = happen(flow, runs=2, error_type="TypeError", at=NOW - timedelta(hours=2))
    retried(mended, flow, error_type=None)
    assert found(cast, errors=["TypeError"]) == [typed]
    assert found(cast, errors=["TypeError", "RangeError, of a kind"]) == [typed, ranged]
    assert found(cast, not_errors=["TypeError"]) == [ranged, mended.id]
    assert found(cast, errors=["typeerror"]) == []
    assert found(cast, errors=["TypeError"], not_errors=["TypeError"]) == []


def test_a_group_finds_every_work_order_with_a_run_in_it(cast: Cast, flow: MadeWorkflow) -> None:
    group = ErrorGroup(
        project_id=cast.project.id,
        workflow_id=flow.id,
        fingerprint="0" * 64,
        message="x",
        first_seen_at=NOW,
        last_seen_at=NOW,
    )
    session().add(group)
    session().flush()
    twice, once, other = happen(flow, runs=2, at=NOW), happen(flow, at=NOW - timedelta(1)), happen(flow)
    for run in (*twice.runs, once.run):
        run.error_group_id = group.id
    session().flush()
    assert found(cast, error_group=group.id) == [twice.id, once.id]
    assert found(cast, error_group=other.id) == []
    elsewhere = SearchFilters(error_group=group.id)
    assert workorders.search(make_project(), elsewhere).items == []


def test_starts_are_those_of_the_newest_run_that_started(cast: Cast, flow: MadeWorkflow) -> None:
    early = happen(flow, at=NOW - timedelta(hours=2)).id
    late = happen(flow, runs=2, at=NOW).id
    waiting = happen(flow, runs=2, at=NOW - timedelta(hours=1))
    retried(waiting, flow, started_at=None, state="available")
    hour = NOW - timedelta(hours=1, minutes=1)
    assert found(cast, started_from=NOW) == [late]
    assert found(cast, started_from=hour, started_to=hour) == [waiting.id]
    assert found(cast, started_to=NOW - timedelta(hours=2)) == [early]
    assert found(cast, started_from=datetime(1, 1, 1, tzinfo=UTC)) == [late, waiting.id, early]
    never = happen(flow, state="rejected").id
    assert never not in found(cast, started_to=datetime(9999, 12, 31, tzinfo=UTC))


def test_filters_of_exports_from_before_still_load() -> None:
    stored = {"states": ["failed"], "q": "anvil", "search_in": ["log"], "active_from": "2026-11-20T12:00:00Z"}
    assert SearchFilters.model_validate(stored) == SearchFilters(
        states=("failed",), q="anvil", search_in=("log",), active_from=NOW
    )
