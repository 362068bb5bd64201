"""Aligning sequences, and differences between JSON texts (workorders §23)."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portal.workorders.aligning import align
from portal.workorders.json_changes import MOST_CHANGES, Change, changes


def found(before: Any, after: Any) -> list[tuple[str, str, str | None, str | None]]:
    answer = changes(json.dumps(before, sort_keys=True), json.dumps(after, sort_keys=True))
    assert answer is not None
    return [(each.kind, each.path, each.before, each.after) for each in answer.shown]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_every_place_comes_once_and_in_order(left: list[str], right: list[str]) -> None:
    pairs = list(align(left, right))
    assert [i for i, _ in pairs if i is not None] == list(range(len(left)))
    assert [j for _, j in pairs if j is not None] == list(range(len(right)))
    assert (None, None) not in pairs


@given(st.lists(st.integers(), unique=True, min_size=1, max_size=30), st.data())
def test_an_element_put_in_between_is_one_addition(values: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values)))
    more = [*values[:place], "new", *values[place:]]
    pairs = list(align(values, more))
    assert [pair for pair in pairs if None in pair] == [(None, place)]
    assert all(values[i] == more[j] for i, j in pairs if i is not None and j is not None)


def test_long_sequences_are_aligned_in_no_time() -> None:
    dice = random.Random(1)
    unique = list(range(10_000))
    few = [[dice.choice("abc") for _ in range(10_000)] for _ in range(2)]
    same = ["a"] * 10_000
    shuffled = dice.sample(unique, 10_000)
    start = time.process_time()
    for left, right in (
        (unique, shuffled),
        (unique, unique[::-1]),
        few,
        (same, ["a"] * 9_000),
        (same, few[0]),
    ):
        assert len(list(align(left, right))) >= 9_000
    assert time.process_time() - start < 2


def test_equal_texts_differ_in_nothing_whatever_the_order_of_keys() -> None:
    answer = changes('{"a": 1, "b": [2]}', '{"b":[2],"a":1}')
    assert answer is not None
    assert (answer.shown, answer.total) == ((), 0)


def test_each_kind_of_difference_has_its_place() -> None:
    before = {"data": {"name": "Ann", "age": 4, "old": True}, "list": [1, 2, 3]}
    after = {"data": {"name": "Bea", "age": 4, "new key": None}, "list": [1, 3, 4]}
    assert found(before, after) == [
        ("changed", "data.name", '"Ann"', '"Bea"'),
        ("removed", "data.old", "true", None),
        ("added", 'data["new key"]', None, "null"),
        ("removed", "list[1]", "2", None),
        ("added", "list[2]", None, "4"),
    ]


def test_an_element_that_moved_and_changed_says_both_places() -> None:
    before = [{"id": 1}, {"id": 2, "x": 1}, {"id": 3}]
    after = [{"id": 0}, {"id": 1}, {"id": 2, "x": 2}, {"id": 3}]
    assert found(before, after) == [("added", "[0]", None, '{"id": 0}'), ("changed", "[1→2].x", "1", "2")]


def test_numbers_are_compared_to_the_last_digit_and_are_no_texts_nor_truths() -> None:
    long = "12345678901234567890.12345678901234567890"
    assert changes(f"[{long}]", f"[{long}]").total == 0  # type: ignore[union-attr]
    (change,) = changes(f"[{long}]", f"[{long[:-1]}1]").shown  # type: ignore[union-attr]
    assert change == Change("changed", "[0]", long, f"{long[:-1]}1")
    assert [kind for kind, *_ in found({"a": 1, "b": 1, "c": 0}, {"a": "1", "b": True, "c": False})] == [
        "changed"
    ] * 3
    assert changes("9" * 5000, "9" * 5001).total == 1  # type: ignore[union-attr]


def test_the_whole_may_be_of_another_kind() -> None:
    assert found({"a": 1}, [1]) == [("changed", "", '{"a": 1}', "[1]")]
    assert found(None, False) == [("changed", "", "null", "false")]


def test_many_differences_are_counted_and_few_are_shown() -> None:
    answer = changes(json.dumps({str(n): n for n in range(5000)}), "{}")
    assert answer is not None
    assert (len(answer.shown), answer.total) == (MOST_CHANGES, 5000)


def test_long_values_are_cut() -> None:
    ((_, _, before, after),) = found({"a": "x" * 10_000}, {"a": [["y"] * 100] * 1000})
    assert before is not None
    assert after is not None
    assert (len(before), before[-1], len(after), after[-1]) == (300, "…", 300, "…")


def test_what_is_nested_too_deeply_is_not_compared() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert changes(deep, "[]") is None
    assert changes("[" * 200 + "1" + "]" * 200, "[" * 200 + "2" + "]" * 200).total == 1  # type: ignore[union-attr]


def test_arrays_of_ten_thousand_elements_take_no_seconds() -> None:
    rows = [{"id": n, "name": f"p{n}", "v": [n % 7, n % 3], "d": {"x": n % 5}} for n in range(10_000)]
    dice = random.Random(1)
    start = time.process_time()
    one = [*rows[:5000], {**rows[5000], "name": "z"}, *rows[5001:]]
    assert found(rows, one) == [("changed", "[5000].name", '"p5000"', '"z"')]
    assert found(rows, [{"id": -1}, *rows]) == [("added", "[0]", None, '{"id": -1}')]
    for other in (
        [{**row, "name": row["name"] + "x"} for row in rows],  # type: ignore[operator]
        dice.sample(rows, len(rows)),
        [dice.choice("abc") for _ in rows],
    ):
        assert len(found(rows, other)) == MOST_CHANGES
    assert time.process_time() - start < 8


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, json_values)
def test_differences_are_found_exactly_where_values_differ(before: Any, after: Any) -> None:
    same = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    assert (found(before, after) == []) == same == (found(after, before) == [])
