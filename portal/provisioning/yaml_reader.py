"""Reading YAML from strangers: the core schema of YAML 1.2, every node with its line.

The library scans; this module decides. It takes the library's stream of events
rather than its objects, because only so do lines survive, does `off` stay text,
and can a bomb be refused before it is built. Refused: anchors and aliases, tags,
merge keys, repeated keys, several documents, more than 1 MB, more than 64 levels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from portal.provisioning.nodes import Entry, Mapping, Node, Scalar, Sequence, Unreadable
from portal.provisioning.problems import Notes, Place, Problem
from portal.provisioning.yaml_text import Breaks, UnreadableTextError, decoded, joined_surrogates

MAX_DEPTH = 64
# A thousand jobs have about 15,000; this many are read in two seconds.
MAX_NODES = 50_000

# What the library lets slip on broken input besides its own errors (an escape above
# U+10FFFF, the end of the buffer inside an indicator).
LIBRARY_SLIPS = (AttributeError, AssertionError, IndexError, KeyError, OverflowError, TypeError, ValueError)

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?[0-9]{1,40}", re.ASCII)
_BASED = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,4})?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class YamlReading:
    """The document's root, or None when it could not be read; and every problem met on the way."""

    root: Node | None
    problems: tuple[Problem, ...]


def read_yaml(source: bytes | str) -> YamlReading:
    """Read one YAML document of at most 1 MB. Never raises for any content of `source`."""
    notes = Notes()
    try:
        text = decoded(source)
        breaks = Breaks.hidden_from_scanner(text)
        return YamlReading(_Composer(breaks, notes).document(), tuple(notes.problems))
    except UnreadableTextError as fault:
        notes.problem(Place("", fault.line), fault.message)
    except MarkedYAMLError as error:
        notes.problem(Place("", _line_of(error)), f"is not valid YAML: {_reason(error)}")
    except YAMLError:
        notes.problem(Place("", None), "is not valid YAML")
    return YamlReading(None, tuple(notes.problems))


def core_value(text: str) -> str | bool | int | float | None:
    """What the core schema reads in an unquoted scalar (projects-and-workflows §5)."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return float(text.replace(".", "", 1)) if _SPECIAL.fullmatch(text) else text


class _Composer:
    """Builds nodes from the library's events, noting what is refused."""

    def __init__(self, breaks: Breaks, notes: Notes) -> None:
        self.breaks = breaks
        self.notes = notes
        self.events = self._counted(YAML(typ="safe", pure=True).parse(breaks.text))

    def document(self) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in self.events:
            match type(event).__name__:
                case "DocumentStartEvent":
                    documents += 1
                    if documents > 1:
                        raise UnreadableTextError(_line(event), "holds several documents; only one is read")
                    self._directives(event)
                    root = self._node(next(self.events), Place("", _line(event)), 1)
        return root

    def _counted(self, events: Iterator[Any]) -> Iterator[Any]:
        line, count = 1, 0
        try:
            for event in events:
                line, count = _line(event), count + 1
                if count > MAX_NODES:
                    break
                yield event
        except LIBRARY_SLIPS:
            raise UnreadableTextError(line, "is not valid YAML from here on") from None
        if count > MAX_NODES:
            raise UnreadableTextError(line, f"has more than {MAX_NODES:,} values")

    def _directives(self, event: Any) -> None:
        if event.tags or (event.version and tuple(event.version) != (1, 2)):
            self.notes.problem(Place("", _line(event)), "uses a YAML directive; only %YAML 1.2 is read")

    def _node(self, event: Any, place: Place, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise UnreadableTextError(_line(event), f"is nested more than {MAX_DEPTH} levels deep")
        # An empty value has no place of its own; its key's line helps more.
        place = Place(place.path, place.line or _line(event))
        kind = type(event).__name__
        if kind == "AliasEvent":
            self.notes.problem(place, "is a YAML alias (*); write the value out")
            return Unreadable(_line(event), _column(event))
        if event.anchor is not None:
            self.notes.problem(place, "has a YAML anchor (&); remove it")
        node = self._content(kind, event, place, depth)
        if event.ctag is not None:
            self.notes.problem(place, "has a YAML tag (!); remove it")
            return Unreadable(_line(event), _column(event))
        return node

    def _content(self, kind: str, event: Any, place: Place, depth: int) -> Node:
        if kind == "MappingStartEvent":
            return self._mapping(event, place, depth)
        if kind == "SequenceStartEvent":
            return self._sequence(event, place, depth)
        return self._scalar(event, place)

    def _scalar(self, event: Any, place: Place) -> Node:
        text = joined_surrogates(self.breaks.restored(event.value))
        if text is None:
            self.notes.problem(place, "has half a character (an unpaired surrogate escape)")
            return Unreadable(_line(event), _column(event))
        if "\0" in text:
            self.notes.problem(place, "has a NUL character")
            return Unreadable(_line(event), _column(event))
        value = core_value(text) if event.implicit[0] and event.style is None else text
        return Scalar(value, text, _line(event), _column(event))

    def _sequence(self, start: Any, place: Place, depth: int) -> Sequence:
        items: list[Node] = []
        for event in self.events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            items.append(self._node(event, place.item(len(items), None), depth + 1))
        return Sequence(tuple(items), _line(start), _column(start))

    def _mapping(self, start: Any, place: Place, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        for event in self.events:
            if type(event).__name__ == "MappingEndEvent":
                break
            key = self._key(event, place, depth)
            under = place.under(key, _line(event)) if key is not None else place
            node = self._node(next(self.events), under, depth + 1)
            if key is not None and self._is_new(key, entries, under):
                entries[key] = Entry(_line(event), _column(event), node)
        return Mapping(entries, _line(start), _column(start))

    def _key(self, event: Any, place: Place, depth: int) -> str | None:
        node = self._node(event, place, depth + 1)
        if isinstance(node, Scalar):
            if node.text == "<<" and event.style is None:
                where = Place(place.path, node.line)
                self.notes.problem(where, "has a YAML merge key (<<); write the entries out")
                return None
            return node.text
        if not isinstance(node, Unreadable):
            self.notes.problem(Place(place.path, node.line), "has a key that is not text")
        return None

    def _is_new(self, key: str, entries: dict[str, Entry], place: Place) -> bool:
        if key not in entries:
            return True
        self.notes.problem(place, f"appears twice; the first stands in line {entries[key].line}")
        return False


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _column(event: Any) -> int:
    return int(event.start_mark.column) + 1


def _line_of(error: MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return int(mark.line) + 1 if mark is not None else None


def _reason(error: MarkedYAMLError) -> str:
    reason = str(error.problem or error.context or "unexpected text")
    mark = error.problem_mark or error.context_mark
    return f"{reason} (column {mark.column + 1})" if mark is not None else reason
