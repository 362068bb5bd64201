"""Which elements of two sequences belong together, in the time that sorting takes. Pure.

What is equal in both and in the same order on both sides becomes an anchor; what lies
between two anchors is paired by place. Equal elements are told apart by counting them,
so long runs of the same value cost no more than any others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

# Places in the left and the right sequence; None where one side has nothing.
Pair = tuple[int | None, int | None]


def align(left: Sequence[Hashable], right: Sequence[Hashable]) -> Iterator[Pair]:
    """Pairs of places, in order: equal elements, then what was put in another's place, removed or added.

    Every place of both sides comes once. n log n for n elements, whatever they are.
    """
    i = j = 0
    for anchor_i, anchor_j in [*_anchors(left, right), (len(left), len(right))]:
        yield from _gap(i, anchor_i, j, anchor_j)
        if anchor_i < len(left):
            yield anchor_i, anchor_j
        i, j = anchor_i + 1, anchor_j + 1


def _gap(i: int, end_i: int, j: int, end_j: int) -> Iterator[Pair]:
    both = min(end_i - i, end_j - j)
    yield from zip(range(i, i + both), range(j, j + both), strict=True)
    yield from ((place, None) for place in range(i + both, end_i))
    yield from ((None, place) for place in range(j + both, end_j))


def _anchors(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The ends that are alike, and between them the most equal elements that keep their order."""
    start, most = 0, min(len(left), len(right))
    while start < most and left[start] == right[start]:
        start += 1
    end = 0
    while end < most - start and left[-1 - end] == right[-1 - end]:
        end += 1
    middle = _in_order(left[start : len(left) - end], right[start : len(right) - end])
    return [
        *((place, place) for place in range(start)),
        *((start + i, start + j) for i, j in middle),
        *((len(left) - place, len(right) - place) for place in range(end, 0, -1)),
    ]


def _in_order(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    places = {key: place for place, key in enumerate(_counted(right))}
    pairs = [(i, places[key]) for i, key in enumerate(_counted(left)) if key in places]
    return _longest_rising(pairs)


def _counted(values: Sequence[Hashable]) -> Iterator[tuple[Hashable, int]]:
    seen: Counter[Hashable] = Counter()
    for value in values:
        seen[value] += 1
        yield value, seen[value]


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of `pairs` whose second numbers rise; the first ones do already."""
    ends: list[int] = []
    at: list[int] = []
    before: list[int | None] = []
    for number, (_i, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        ends[length : length + 1] = [j]
        at[length : length + 1] = [number]
        before.append(at[length - 1] if length else None)
    found = []
    place = at[-1] if at else None
    while place is not None:
        found.append(pairs[place])
        place = before[place]
    return found[::-1]
