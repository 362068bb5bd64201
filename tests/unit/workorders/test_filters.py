"""Filters as they come from addresses, forms and JSON (workorders §9.1)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portal.workorders.inputs import EVERYWHERE, Pill, SearchField, SearchFilters, Sort, Term, read_filters
from portal.workorders.models import WorkorderState
from tests.unit.workorders.strategies import any_text, filters


def read(*pairs: tuple[str, str]) -> SearchFilters:
    return read_filters(pairs).filters


@given(filters)
def test_an_address_says_all_that_the_filters_say(chosen: SearchFilters) -> None:
    again = read_filters(parse_qsl(chosen.query_string(), keep_blank_values=True))
    assert (again.filters, again.errors, again.ignored) == (chosen, {}, ())


@given(filters)
def test_json_says_all_that_the_filters_say(chosen: SearchFilters) -> None:
    stored = chosen.model_dump(mode="json", exclude_defaults=True)
    assert SearchFilters.model_validate(stored) == chosen


@given(filters)
def test_removing_every_pill_leaves_nothing_but_the_order(chosen: SearchFilters) -> None:
    for _ in range(40):
        if not chosen.pills:
            break
        left = chosen.without(chosen.pills[0])
        assert left.pills != chosen.pills
        chosen = left
    assert chosen.pills == []


names = [
    "has.log",
    "not.id",
    "terms",
    "error",
    "state",
    "workflow",
    "q",
    "in",
    "received_from",
    "active_to",
    "work_order",
    "sort",
    "sort_by",
    "failed",
]


@given(st.lists(st.tuples(st.sampled_from(names) | any_text, any_text), max_size=8))
def test_no_address_is_too_strange_to_read(pairs: list[tuple[str, str]]) -> None:
    read_filters(pairs).filters.query_string().encode()


def test_no_filters_is_the_default_list() -> None:
    assert read() == SearchFilters()
    assert (read().search_in, read().sort, read().pills, read().query_string()) == (
        EVERYWHERE,
        Sort.ACTIVE_DESC,
        [],
        "",
    )


def test_lists_repeat_their_name_or_use_commas() -> None:
    wanted = (WorkorderState.FAILED, WorkorderState.CRASHED, WorkorderState.LOST)
    assert read(("state", "lost,failed"), ("state", "crashed")).states == wanted


def test_the_names_of_the_specification_are_understood() -> None:
    workflow, order = uuid.uuid4(), uuid.uuid4()
    found = SearchFilters.model_validate(
        {
            "status": ["failed"],
            "search_term": " x ",
            "search_fields": ["dataclip_name", "log"],
            "workflow_id": str(workflow),
            "workorder_id": str(order),
            "wo_date_after": "2026-01-01T00:00:00Z",
            "wo_date_before": "2026-01-02T00:00:00Z",
            "date_after": "2026-01-03T00:00:00Z",
            "date_before": "2026-01-04T00:00:00Z",
            "sort_by": "inserted_at",
            "sort_direction": "asc",
        }
    )
    assert found == SearchFilters(
        states=(WorkorderState.FAILED,),
        q="x",
        search_in=(SearchField.LOG, SearchField.NAME),
        workflows=(workflow,),
        work_order=order,
        received_from=datetime(2026, 1, 1, tzinfo=UTC),
        received_to=datetime(2026, 1, 2, tzinfo=UTC),
        active_from=datetime(2026, 1, 3, tzinfo=UTC),
        active_to=datetime(2026, 1, 4, tzinfo=UTC),
        sort=Sort.RECEIVED_ASC,
    )


def test_one_boolean_for_each_choice_counts_only_when_true() -> None:
    found = read(("failed", "true"), ("lost", "false"), ("crashed", "yes"), ("log", "true"), ("q", "x"))
    assert (found.states, found.search_in) == ((WorkorderState.FAILED,), (SearchField.LOG,))
    assert SearchFilters.model_validate({"failed": True, "lost": False}).states == (WorkorderState.FAILED,)


def test_a_sort_needs_both_its_parts() -> None:
    assert read(("sort_by", "inserted_at")).sort is Sort.ACTIVE_DESC
    assert read(("sort_direction", "asc")).sort is Sort.ACTIVE_DESC
    assert read(("sort_by", "inserted_at"), ("sort_direction", "desc")).sort is Sort.RECEIVED_DESC
    assert read(("sort", "-received")).sort is Sort.RECEIVED_DESC


def test_all_states_are_no_filter() -> None:
    assert read(*(("state", str(state)) for state in WorkorderState)).states == ()


def test_an_empty_place_given_is_none_and_an_absent_one_is_all() -> None:
    assert read(("q", "x"), ("in", "")).search_in == ()
    assert read(("q", "x")).search_in == EVERYWHERE
    assert read(("in", ""), ("in", "log"), ("q", "x")).search_in == (SearchField.LOG,)


def test_times_without_a_zone_are_utc_and_bare_dates_whole_days() -> None:
    found = read(
        ("received_from", "2026-03-01"),
        ("received_to", "2026-03-01"),
        ("active_from", "2026-03-01T10:30"),
        ("active_to", "2026-03-01T12:00 02:00"),
    )
    assert found.received_from == datetime(2026, 3, 1, tzinfo=UTC)
    assert found.received_to == datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    assert found.active_from == datetime(2026, 3, 1, 10, 30, tzinfo=UTC)


def test_a_plus_sign_that_became_a_blank_is_still_a_zone() -> None:
    assert read(("active_to", "2026-03-01T12:00 02:00")).active_to == datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "sucess"),
        ("not.state", "sucess"),
        ("workflow", "42"),
        ("not.workflow", "42"),
        ("error", "x" * 201),
        ("error_group", "x"),
        ("started_to", "soon"),
        ("work_order", "x"),
        ("q", "x" * 201),
        ("has.log", "x" * 201),
        ("not.body", "x" * 201),
        ("in", "everywhere"),
        ("received_from", "yesterday"),
        ("active_to", "9999-12-31T23:59:59-12:00"),
        ("sort", "name"),
    ],
)
def test_a_bad_value_is_named_and_left_out(name: str, value: str) -> None:
    found = read_filters([(name, value), ("state", "lost")])
    assert list(found.errors) == [name]
    assert found.filters == SearchFilters(states=() if name == "state" else (WorkorderState.LOST,))
    with pytest.raises(ValidationError):
        SearchFilters.model_validate({name: [value]})


def test_terms_have_a_place_each_and_may_be_negated() -> None:
    found = read(("not.log", "retry"), ("has.body", "Bukayo, Sa"), ("has.log", "true"), ("has.log", " "))
    assert found.terms == (
        Term(field=SearchField.BODY, text="Bukayo, Sa"),
        Term(field=SearchField.LOG, text="true"),
        Term(field=SearchField.LOG, text="retry", negated=True),
    )
    assert found.query_string() == "has.body=Bukayo%2C+Sa&has.log=true&not.log=retry"
    assert found.without(Pill("has.log", "true")).terms == (found.terms[0], found.terms[2])


def test_more_than_ten_terms_are_refused() -> None:
    assert "has.log" in read_filters([("has.log", str(number)) for number in range(11)]).errors


def test_an_end_before_its_beginning_is_named() -> None:
    found = read_filters([("received_from", "2026-02-02"), ("received_to", "2026-02-01")])
    assert found.errors == {"received_to": ["The end lies before the beginning."]}


def test_unknown_names_are_told_but_not_the_cursor() -> None:
    found = read_filters([("colour", "red"), ("cursor", "abc"), ("state", "lost")])
    assert found.ignored == ("colour",)


def test_a_pill_goes_without_the_others() -> None:
    found = read(("state", "failed,lost"), ("q", "x"), ("in", "log"))
    assert found.pills == [Pill("q", "x"), Pill("in", "log"), Pill("state", "failed"), Pill("state", "lost")]
    assert found.without(Pill("state", "lost")).query_string() == "q=x&in=log&state=failed"
    assert found.without(Pill("in", "log")).search_in == EVERYWHERE
    assert found.without(Pill("state", "killed")) == found
