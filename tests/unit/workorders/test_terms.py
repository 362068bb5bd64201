"""What a term means, and how matches are marked (workorders §9.2, §9.3)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.workorders.evidence import LONGEST, START, STOP, mark_id, mark_text, shortened, split_marks
from portal.workorders.terms import bucket_of, id_term, like_pattern, phrase_text, words_query

ID = uuid.UUID("01a1fe20-e65a-7838-9500-ccf88c39f41f")


@pytest.mark.parametrize(
    "term", ["01a1", "01A1FE20-E6", "01a1fe20e65a78389500ccf88c39f41f", str(ID), "0-1a1"]
)
def test_a_beginning_of_four_digits_is_a_range(term: str) -> None:
    found = id_term(term)
    assert found is not None
    assert found.low <= ID <= found.high


@pytest.mark.parametrize("term", ["", "01a", "----", "01a1 fe20", "xyz1", "0" * 33, "12é4"])
def test_what_is_no_id_is_none(term: str) -> None:
    assert id_term(term) is None


def test_a_tail_needs_eight_digits_and_is_no_whole_id() -> None:
    assert [bool(id_term(ID.hex[-size:]).tail) for size in (7, 8, 31, 32)] == [False, True, True, False]


@given(st.uuids(), st.integers(4, 32))
def test_the_marked_digits_are_the_typed_ones(id_: uuid.UUID, size: int) -> None:
    segments = mark_id(id_, id_term(id_.hex[:size]))
    assert "".join(text for text, _ in segments) == str(id_)
    assert segments[0][1]
    assert segments[0][0].replace("-", "") == id_.hex[:size]


def test_a_tail_is_marked_at_the_end() -> None:
    assert mark_id(ID, id_term("00ccf88c39f41f")) == (
        ("01a1fe20-e65a-7838-95", False),
        ("00-ccf88c39f41f", True),
    )
    assert mark_id(ID, id_term("deadbeef")) == ()


def test_signs_of_patterns_are_escaped() -> None:
    assert like_pattern("50%_\\") == "%50\\%\\_\\\\%"


def test_a_phrase_is_quoted_whole() -> None:
    assert phrase_text("it's a \\ & b") == "' it s a \\\\ & b':*"


def test_words_carry_project_and_period() -> None:
    assert words_query(7, [3, 2], ["a", "o'b\\"]) == (
        "('7.3/a':* & '7.3/o''b\\\\':*) | ('7.2/a':* & '7.2/o''b\\\\':*)"
    )


def test_a_period_is_four_weeks() -> None:
    first = datetime.fromtimestamp(700 * 28 * 86_400, UTC)
    assert bucket_of(first) == 700
    assert bucket_of(first - timedelta(microseconds=1)) == 699
    assert bucket_of(first + timedelta(days=28)) == 701


def test_marks_become_segments() -> None:
    snippet = f"one {START}two{STOP}\n three {START}four{STOP}"
    assert split_marks(snippet) == (("one ", False), ("two", True), (" three ", False), ("four", True))


def test_a_snippet_without_marks_shows_nothing() -> None:
    assert shortened(split_marks("nothing here")) == ()


@given(
    st.text(alphabet="ab ", max_size=600),
    st.text(alphabet="xy", min_size=1, max_size=400),
    st.text(max_size=600),
)
def test_a_shortened_snippet_keeps_its_first_match_in_view(before: str, match: str, after: str) -> None:
    segments = shortened(((before, False), (match, True), (after, False)))
    assert sum(len(text) for text, _ in segments) <= LONGEST + 2
    marked = next(text for text, is_match in segments if is_match)
    assert match.startswith(marked.rstrip("…"))


def test_a_name_is_marked_whatever_its_case() -> None:
    assert mark_text("My Test Dataclip", "TEST") == (("My ", False), ("Test", True), (" Dataclip", False))
    assert mark_text("50% off", "%") == (("50", False), ("%", True), (" off", False))
    assert mark_text("none", "x") == ()
