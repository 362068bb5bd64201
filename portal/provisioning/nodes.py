"""A YAML document as values that know their lines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: `text` as written (without quotes and escapes), `value` as the core schema reads it."""

    value: str | bool | int | float | None
    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """A map. Keys are texts exactly as written: `off`, `2026-08-27` and `1` are keys like any other."""

    entries: dict[str, Entry]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that has been reported already (an alias, a tagged value); rules pass it by in silence."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a map: line and column of its key (both from 1), and the value."""

    line: int
    column: int
    node: Node


Node = Scalar | Mapping | Sequence | Unreadable
