"""The language of the search box (workorders §9.6)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.workflows import WorkflowName
from portal.workorders.inputs import SearchFilters, read_filters
from portal.workorders.query_text import read_query
from portal.workorders.query_writing import write_query
from tests.unit.workorders.strategies import any_text, filters, moments, typed

INTAKE, STOCK, OLD = (uuid.UUID(int=number) for number in (1, 2, 3))
KNOWN = [
    WorkflowName(INTAKE, "Intake", False),
    WorkflowName(STOCK, 'Stock, "sync"', False),
    WorkflowName(OLD, "intake", True),
    WorkflowName(uuid.UUID(int=4), "Twice", False),
    WorkflowName(uuid.UUID(int=5), "twice", False),
]
NAIROBI = ZoneInfo("Africa/Nairobi")


def understood(text: str, zone=UTC) -> SearchFilters:
    read = read_query(text, workflows=lambda: KNOWN, zone=zone)
    assert read.problems == []
    found = read_filters(read.pairs)
    assert (found.errors, found.ignored) == ({}, ())
    return found.filters


def marked(text: str) -> list[str]:
    """The pieces that are marked as wrong."""
    read = read_query(text, workflows=lambda: KNOWN, zone=UTC)
    for problem in read.problems:
        assert problem.message % problem.values
    return [read.text[problem.start : problem.end] for problem in read.problems]


def test_one_line_says_what_an_address_says() -> None:
    line = (
        'state:failed,crashed workflow:"Intake" log:"timeout" body:"Bukayo Sa" error:TypeError'
        " started:>2026-11-01 received:2026-11-01..2026-11-07 active:<2026-11-05 id:1a2b3c4d name:clinic"
        ' -state:lost -workflow:"stock, \\"SYNC\\"" -log:retry visit of "state: a"'
    )
    assert understood(line).to_query() == [
        ("q", "visit of state: a"),
        ("has.id", "1a2b3c4d"),
        ("has.body", "Bukayo Sa"),
        ("has.log", "timeout"),
        ("has.name", "clinic"),
        ("not.log", "retry"),
        ("state", "failed"),
        ("state", "crashed"),
        ("not.state", "lost"),
        ("workflow", str(INTAKE)),
        ("not.workflow", str(STOCK)),
        ("error", "TypeError"),
        ("received_from", "2026-11-01T00:00:00Z"),
        ("received_to", "2026-11-07T23:59:59.999999Z"),
        ("active_to", "2026-11-04T23:59:59.999999Z"),
        ("started_from", "2026-11-02T00:00:00Z"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "visit",
            '"two words" of',
            "-minus",
            "it's",
            "TypeError: x is not a function",
            "12:30",
            "a, b",
            '5" x',
        ),
        *("https://example.org/a?b=c", "C:\\temp", "Fehler:", "\\", ":", "::", "a :b", "-", '"'),
    ],
)
def test_text_without_a_key_is_a_plain_term_sign_by_sign(text: str) -> None:
    assert understood(text) == SearchFilters(q=text)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ('visit log:"timeout', '"timeout'),
        ('state:failed "timeout', '"timeout'),
        ("colour:red x", "colour:"),
        ("-stat:failed", "-stat:"),
        ("state:purple", "purple"),
        ("state:failed,purple x", "purple"),
        ("state:failed,", "state:failed,"),
        ("state: failed", "state:"),
        ('log:"" x', '""'),
        ("started:>", ">"),
        ("started:soon", "soon"),
        ("started:2026-13-01", "2026-13-01"),
        ("received:..", ".."),
        ("received:2026-11-07..2026-11-01", "2026-11-07..2026-11-01"),
        ("received:>9999-12-31", ">9999-12-31"),
        ("received:<0001-01-01", "<0001-01-01"),
        ("active:2026-11-01 active:2026-11-02", "active:2026-11-02"),
        ("workflow:Intak", "Intak"),
        ("workflow:nowhere", "nowhere"),
        ("workflow:twice", "twice"),
        ("work_order:12", "12"),
        ("-work_order:12", "-work_order:12"),
        ("sort:size", "size"),
        ("in:log,here", "here"),
        ("state:failed -visit", "-visit"),
        ('log:"a"b', "b"),
        (f"log:{'x' * 201}", "x" * 201),
        (f"state:failed {'x ' * 150}y", "x " * 150 + "y"),
        ("log:x " * 400, ("log:x " * 400).strip()),
    ],
)
def test_what_cannot_be_read_is_marked_where_it_stands(text: str, piece: str) -> None:
    assert set(marked(text)) == {piece}


def test_all_that_is_wrong_is_marked_in_order() -> None:
    assert marked("state:purple visit colour:red log:") == ["purple", "colour:", "log:"]


def test_a_workflow_that_stands_wins_over_a_deleted_one_of_the_same_name() -> None:
    assert understood("workflow:INTAKE").workflows == (INTAKE,)
    assert understood(f"workflow:{OLD}").workflows == (OLD,)


def test_days_are_those_of_the_readers_zone() -> None:
    found = understood("received:2026-11-20 active:>=2026-11-20T10:00", NAIROBI)
    assert found.received_from == datetime(2026, 11, 19, 21, tzinfo=UTC)
    assert found.received_to == datetime(2026, 11, 20, 20, 59, 59, 999_999, tzinfo=UTC)
    assert found.active_from == datetime(2026, 11, 20, 7, tzinfo=UTC)


def test_comparisons_leave_the_named_day_out_or_in() -> None:
    day, next_day = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    assert understood("active:>2026-11-01").active_from == next_day
    assert understood("active:>=2026-11-01").active_from == day
    assert understood("active:<2026-11-02").active_to == understood("active:<=2026-11-01").active_to
    both = understood("active:>=2026-11-01 active:<=2026-11-01")
    assert both == understood("active:2026-11-01") == understood("active:2026-11-01..2026-11-01")
    assert understood("active:2026-11-01..").active_to is None


def test_places_and_order_have_keys_too() -> None:
    found = understood("in:log,body sort:-received plum")
    assert found.query_string() == "q=plum&in=body&in=log&sort=-inserted_at"
    assert understood("in:none plum").search_in == ()


def test_filters_are_written_with_names_and_bare_days() -> None:
    line = 'state:failed -workflow:"Stock, \\"sync\\"" log:"a b" received:2026-11-20..2026-11-21 plum'
    names = {each.id: each.name for each in KNOWN}
    assert write_query(understood(line, NAIROBI), names, NAIROBI) == line
    assert write_query(SearchFilters(workflows=(INTAKE,)), names, UTC) == f"workflow:{INTAKE}"


@given(filters, st.sampled_from([UTC, NAIROBI, ZoneInfo("America/Sao_Paulo")]))
def test_what_is_written_is_read_as_the_same_filters(chosen: SearchFilters, zone) -> None:
    names = {id_: f"flow {place}" for place, id_ in enumerate(chosen.workflows)}
    known = [WorkflowName(id_, name, False) for id_, name in names.items()]
    written = write_query(chosen, names, zone)
    read = read_query(written, workflows=lambda: known, zone=zone)
    if len(written) <= 2_000:
        assert read.problems == []
        assert read_filters(read.pairs).filters == chosen


@given(moments, moments)
def test_ranges_of_any_moments_survive(first: datetime, last: datetime) -> None:
    chosen = SearchFilters(active_from=min(first, last), active_to=max(first, last))
    assert understood(write_query(chosen, {}, NAIROBI), NAIROBI) == chosen


@given(any_text | typed)
def test_no_text_is_too_strange_to_read(text: str) -> None:
    read = read_query(text, workflows=lambda: KNOWN, zone=UTC)
    for problem in read.problems:
        assert 0 <= problem.start < problem.end <= len(read.text)
        assert problem.message % problem.values
    read.text.encode()
    found = read_filters(read.pairs)
    assert found.ignored == ()
    if not read.problems:
        assert set(found.errors) <= {"q"}
