"""What is wrong with a document, and where.

A reader of a long file wants everything at once: readers note each problem and
go on, and only the caller decides that nothing may be written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

# A hostile file could otherwise answer with more lines than it has itself.
MAX_NOTED = 200
MAX_STEP = 100

_PLAIN_STEP = re.compile(r"[^\s.\[\]\"]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where (`path`, empty for the whole document; `line` from 1), and an English text."""

    path: str
    line: int | None
    message: str

    def __str__(self) -> str:
        line = f" (line {self.line})" if self.line else ""
        return f"{self.path or 'document'}{line}: {self.message}"


class Place(NamedTuple):
    """A spot in a document: path and line (from 1)."""

    path: str
    line: int | None

    def under(self, key: str, line: int | None) -> Place:
        """The entry `key` of the map that stands here."""
        key = key if len(key) <= MAX_STEP else key[:MAX_STEP] + "…"
        step = key if _PLAIN_STEP.fullmatch(key) else '["' + key.replace('"', '\\"') + '"]'
        joint = "." if self.path and not step.startswith("[") else ""
        return Place(f"{self.path}{joint}{step}", line)

    def item(self, index: int, line: int | None) -> Place:
        """The item `index` (from 0) of the list that stands here."""
        return Place(f"{self.path}[{index}]", line)


@dataclass(slots=True)
class Notes:
    """Problems and warnings gathered while a document is read."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, place: Place, message: str) -> None:
        """Note what forbids the import."""
        _note(self.problems, Problem(_shown(place.path), place.line, _shown(message)))

    def warning(self, place: Place, message: str) -> None:
        """Note what the import leaves out or changes."""
        _note(self.warnings, Problem(_shown(place.path), place.line, _shown(message)))


def in_reading_order(noted: list[Problem]) -> tuple[Problem, ...]:
    """By line; those of one line, or without a line, as they were noted."""
    return tuple(sorted(noted, key=lambda problem: problem.line or 0))


def _shown(text: str) -> str:
    """Control characters as escapes: a document's own words reach terminals."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def _note(noted: list[Problem], problem: Problem) -> None:
    if len(noted) < MAX_NOTED:
        noted.append(problem)
    elif len(noted) == MAX_NOTED:
        noted.append(Problem("", None, f"more than {MAX_NOTED} findings; the rest is not shown"))
