"""Names of saved views, and filters that come as text (workorders §21.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portal import workorders
from portal.workorders import NewView, SearchFilters
from portal.workorders.view_inputs import clean_name, read_query


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("  Failed today ", "Failed today"), ("e\u0301t\u00e9", "été"), ("x" * 80, "x" * 80), ("👩‍⚕️", "👩‍⚕️")],
)
def test_a_name_is_trimmed_and_composed(typed, kept):
    assert clean_name(typed) == kept


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "blank"),
        (" \u200b\u2003", "blank"),
        ("x" * 81, "at most 80"),
        ("two\nlines", "control"),
        ("nul\0", "control"),
        ("\ud800", "control"),
        ("one\u2028two", "control"),
    ],
)
def test_a_name_that_is_none_is_refused_on_its_field(typed, words):
    with pytest.raises(ValidationError, match=words) as refused:
        NewView(name=typed)
    assert refused.value.errors()[0]["loc"] == ("name",)


@given(st.text())
def test_any_text_is_a_name_or_refused(typed):
    try:
        name = clean_name(typed)
    except ValueError:
        return
    assert 1 <= len(name) <= 80
    assert name == clean_name(name)
    name.encode()


def test_filters_come_as_text_or_as_an_object():
    as_text = NewView(name="x", filters="state=failed&q=a%26b")
    as_object = NewView(name="x", filters={"states": ["failed"], "q": "a&b"})
    assert as_text.filters == as_object.filters == SearchFilters(states=("failed",), q="a&b")


def test_filters_that_cannot_be_read_are_refused():
    with pytest.raises(ValidationError) as refused:
        NewView(name="x", filters="state=purple")
    assert refused.value.errors()[0]["loc"] == ("filters",)


def test_stored_filters_come_back_as_they_were():
    filters = workorders.read_filters(
        [("state", "lost"), ("q", "ä & b=1"), ("received_from", "2026-11-01"), ("sort", "inserted_at")]
    ).filters
    assert read_query(filters.query_string()).filters == filters
