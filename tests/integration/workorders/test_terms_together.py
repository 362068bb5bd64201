"""Several terms, each with its place, join with AND; negated ones leave out (workorders §9.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core.db import session
from portal.workorders import SearchField, SearchFilters, Sort, words
from portal.workorders.indexing import index_due
from portal.workorders.inputs import Term
from portal.workorders.listing import Wanted
from portal.workorders.search import all_keys_sql
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow
from tests.support.past import happen

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def terms(*given: str) -> tuple[Term, ...]:
    """Terms as `log:timeout`, negated with a leading minus."""
    pieces = [text.removeprefix("-").partition(":") for text in given]
    return tuple(
        Term(field=SearchField(field), text=text, negated=whole.startswith("-"))
        for whole, (field, _, text) in zip(given, pieces, strict=True)
    )


def searched(cast: Cast, *given: str, **filters: object) -> set[object]:
    """What pages of two find; the total and what an export lists must agree."""
    while index_due():
        pass
    chosen = SearchFilters.model_validate({"terms": terms(*given), **filters})
    rows, cursor = [], None
    while True:
        page = workorders.search(cast.project, chosen, cursor, size=2)
        rows += [row.id for row in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert len(rows) == len(set(rows)) == workorders.count(cast.project, chosen).count
    listed = all_keys_sql(Wanted(cast.project.id, cast.project.number, chosen))
    every = [row.id for row in session().execute(sa.text(listed[0]), listed[1])] if listed else []
    assert every == rows
    return set(rows)


def test_terms_of_two_places_must_both_be_found(cast: Cast, flow: MadeWorkflow) -> None:
    both = happen(flow, logs=["timeout at last"], body={"who": "Bukayo Saka"}).id
    happen(flow, logs=["timeout"], body={"who": "Declan"})
    happen(flow, logs=["fine"], body={"who": "Bukayo Saka"})
    assert searched(cast, "log:timeout", "body:Bukayo Sa") == {both}


def test_two_terms_of_one_place_need_not_be_neighbours(cast: Cast, flow: MadeWorkflow) -> None:
    both = happen(flow, logs=["tin", "big drum"]).id
    happen(flow, logs=["tin"])
    assert searched(cast, "log:tin", "log:dru") == {both}
    assert searched(cast, "log:tin dru") == set()


@pytest.mark.parametrize("near", [(100, 400), (2, 3)])
@pytest.mark.parametrize("sort", list(Sort))
def test_terms_are_found_in_all_periods_and_orders(
    cast: Cast, flow: MadeWorkflow, sort: Sort, near: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "NEAR", near)
    made = set()
    for days in range(0, 300, 20):
        told = ["tin drum"] + (["again"] if days % 60 else [])
        happened = happen(flow, logs=told, name=f"drum {days}", at=NOW - timedelta(days=days))
        made |= {happened.id} if days % 60 else set()
    assert searched(cast, "log:tin", "log:again", sort=sort) == made
    assert searched(cast, "name:drum", "log:again", "-log:trumpet", sort=sort) == made
    assert made & searched(cast, "log:tin", "-log:again", sort=sort) == set()


def test_a_negated_term_leaves_out_what_holds_it_anywhere(cast: Cast, flow: MadeWorkflow) -> None:
    quiet = happen(flow, logs=["done"], body={"a": "plum"}).id
    loud = happen(flow, logs=["retry", "done"], body={"a": "plum"}, name="loud").id
    assert searched(cast, "log:done", "-log:retr") == {quiet}
    assert searched(cast, "-log:retry") == {quiet}
    assert searched(cast, "-name:LOU") == {quiet}
    assert searched(cast, "-body:plum") == set()
    assert searched(cast, "-log:!!!") == {quiet, loud}


@pytest.mark.parametrize("kind", ["order", "run", "step"])
def test_ids_join_and_are_left_out(cast: Cast, flow: MadeWorkflow, kind: str) -> None:
    wanted = happen(flow, logs=["plum"], steps=[{"a": 1}], at=NOW)
    other = happen(flow, logs=["plum"], steps=[{"a": 1}], at=NOW - timedelta(days=90)).id
    id_ = {"order": wanted.id, "run": wanted.run.id, "step": wanted.steps[0].id}[kind]
    for part in (str(id_), id_.hex[-8:], id_.hex[:12]):
        assert searched(cast, f"id:{part}", "log:plum") == {wanted.id}
        assert searched(cast, f"-id:{part}") == {other}
        assert searched(cast, f"id:{part}", q="plum") == {wanted.id}
    assert searched(cast, "id:xyz") == set()
    assert searched(cast, "-id:xyz") == {wanted.id, other}


def test_names_join_and_the_plain_term_leads(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, logs=["plum"], name="50%").id
    other = happen(flow, logs=["plum"], name="50").id
    happen(flow, logs=["pear"], name="150%")
    assert searched(cast, "name:50%", q="plum") == {wanted}
    assert searched(cast, "-name:50%", q="plum") == {other}
    assert searched(cast, "name:50", "-name:50%", states=["success"]) == {other}


def test_a_term_without_words_finds_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    happen(flow, logs=["plum"])
    assert searched(cast, "log:&|!") == set()
    assert searched(cast, "log:plum", "body:***") == set()


def test_counting_stops_at_fifty_with_terms_alone(cast: Cast, flow: MadeWorkflow) -> None:
    for number in range(51):
        happen(flow, name=f"plum {number}")
    for given in ("name:plum", "-log:x"):
        found = workorders.count(cast.project, SearchFilters(terms=terms(given)))
        assert found == workorders.Total(50, True)


def test_each_term_shows_where_it_was_found(cast: Cast, flow: MadeWorkflow) -> None:
    happen(flow, logs=["a tin drum", "again"], body={"who": "Bukayo Saka"}, name="clinic")
    while index_due():
        pass
    given = terms("log:tin", "log:again", "body:Buk", "name:lin", "-log:never")
    chosen = SearchFilters(terms=given, q="drum")
    (row,) = workorders.search(cast.project, chosen).items
    marked = {(piece.field, *(text for text, match in piece.segments if match)) for piece in row.evidence}
    assert marked == {
        ("log", "drum"),
        ("log", "tin"),
        ("log", "again"),
        ("body", "Bukayo"),
        ("name", "lin"),
    }
