"""What differs between two JSON texts, place by place (workorders §23). Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from portal.workorders.aligning import align

Kind = Literal["added", "removed", "changed"]

# Below so many levels, parts are compared whole: each level looks at all that lies below it.
DEEPEST = 40
MOST_CHANGES = 200
MOST_TEXT = 300
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Number(NamedTuple):
    """A number as it is written: no digit is lost, and 1 differs from "1" and from true."""

    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `path` as `data.visits[3].name`; `[3→4]` where an element moved; "" is the whole.

    `before` and `after` are JSON texts of at most 300 characters, None on the side that has nothing.
    """

    kind: Kind
    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The first differences, and how many there are in all."""

    shown: tuple[Change, ...]
    total: int


def changes(before: str, after: str) -> Changes | None:
    """The differences between two JSON texts; None when one is nested too deeply to be compared.

    Keys of an object have no order; elements of an array do, and an element put in between
    counts once. At most 200 are answered, all are counted.
    """
    found = _Found()
    try:
        _compare(found, "", _read(before), _read(after), 0)
    except RecursionError:
        return None
    return Changes(tuple(found.shown), found.total)


class _Found:
    def __init__(self) -> None:
        self.shown: list[Change] = []
        self.total = 0

    def add(self, kind: Kind, path: str, before: Any = None, after: Any = None) -> None:
        self.total += 1
        if self.total > MOST_CHANGES:
            return
        old = None if kind == "added" else _text(before)
        new = None if kind == "removed" else _text(after)
        self.shown.append(Change(kind, path, old, new))


def _read(text: str) -> Any:
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=Number)


def _compare(found: _Found, path: str, before: Any, after: Any, depth: int) -> None:
    if type(before) is type(after) and before == after:
        return
    if depth < DEEPEST and isinstance(before, dict) and isinstance(after, dict):
        _objects(found, path, before, after, depth + 1)
    elif depth < DEEPEST and isinstance(before, list) and isinstance(after, list):
        _arrays(found, path, before, after, depth + 1)
    else:
        found.add("changed", path, before, after)


def _objects(found: _Found, path: str, before: dict[str, Any], after: dict[str, Any], depth: int) -> None:
    for key in {**before, **after}:
        place = path + _step(key, first=not path)
        if key not in after:
            found.add("removed", place, before[key])
        elif key not in before:
            found.add("added", place, after=after[key])
        else:
            _compare(found, place, before[key], after[key], depth)


def _arrays(found: _Found, path: str, before: list[Any], after: list[Any], depth: int) -> None:
    # The database writes keys in one order, so equal elements have equal texts.
    for i, j in align([repr(each) for each in before], [repr(each) for each in after]):
        if j is None and i is not None:
            found.add("removed", f"{path}[{i}]", before[i])
        elif i is None and j is not None:
            found.add("added", f"{path}[{j}]", after=after[j])
        elif i is not None and j is not None:
            place = f"[{i}]" if i == j else f"[{i}→{j}]"
            _compare(found, path + place, before[i], after[j], depth)


def _step(key: str, *, first: bool) -> str:
    if _PLAIN.match(key):
        return key if first else f".{key}"
    return f"[{json.dumps(key, ensure_ascii=False)}]"


def _text(value: Any) -> str:
    """The value as JSON, cut; stops writing once there is enough."""
    parts: list[str] = []
    length = 0
    for part in _written(value):
        parts.append(part)
        length += len(part)
        if length > MOST_TEXT:
            return "".join(parts)[: MOST_TEXT - 1] + "…"
    return "".join(parts)


def _written(value: Any) -> Any:
    if isinstance(value, Number):
        yield value.text
    elif isinstance(value, dict):
        yield "{"
        for place, (key, each) in enumerate(value.items()):
            yield f"{', ' if place else ''}{json.dumps(key, ensure_ascii=False)}: "
            yield from _written(each)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for place, each in enumerate(value):
            yield ", " if place else ""
            yield from _written(each)
        yield "]"
    else:
        yield json.dumps(value, ensure_ascii=False)
