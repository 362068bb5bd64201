"""Taking typed fields out of a map of a document, and noting each that does not fit.

Every taker answers None for an absent, `null` or unfit field; a problem has been
noted in the last case, so callers never note it twice.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from portal.core.text import N_
from portal.provisioning.nodes import Mapping, Node, Scalar, Sequence, Unreadable
from portal.provisioning.problems import Notes, Place

BLANK = N_("can't be blank")

Check = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Fields:
    """One map of the document, where it stands, and where to note what is wrong with it."""

    place: Place
    node: Mapping
    notes: Notes

    def at(self, key: str) -> Place:
        """The place of the field `key`; the map's own line when the field is absent."""
        entry = self.node.entries.get(key)
        return self.place.under(key, entry.line if entry else self.place.line)

    def given(self, key: str) -> Node | None:
        """The node of `key`, None when absent, `null`, or reported already."""
        entry = self.node.entries.get(key)
        if entry is None or isinstance(entry.node, Unreadable) or _is_null(entry.node):
            return None
        return entry.node

    def unreadable(self, key: str) -> bool:
        """Whether `key` holds something that was reported while the YAML was read."""
        entry = self.node.entries.get(key)
        return entry is not None and isinstance(entry.node, Unreadable)

    def problem(self, key: str, message: str) -> None:
        """Note a problem of the field `key`."""
        self.notes.problem(self.at(key), message)

    def warning(self, key: str, message: str) -> None:
        """Note a warning about the field `key`."""
        self.notes.warning(self.at(key), message)

    def text(self, key: str, *checks: Check, trim: bool = False) -> str | None:
        """A text that passes all `checks` (each answers a message or None)."""
        node = self.given(key)
        if node is None:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.problem(key, _not_text(node))
            return None
        value = node.value.strip() if trim else node.value
        for check in checks:
            if message := check(value):
                self.problem(key, message)
                return None
        return value

    def required_text(self, key: str, *checks: Check, trim: bool = False) -> str | None:
        """As `text`, and an absent or blank one is a problem."""
        if self.given(key) is None:
            if not self.unreadable(key):
                self.problem(key, BLANK)
            return None
        return self.text(key, _not_blank, *checks, trim=trim)

    def reference(self, key: str) -> str | None:
        """A key of another map: any single value will do, for all keys are text."""
        node = self.given(key)
        if node is None:
            return None
        if isinstance(node, Scalar):
            return node.text
        self.problem(key, N_("must be text"))
        return None

    def choice(self, key: str, choices: Collection[str]) -> str | None:
        """One of `choices`."""
        return self.text(key, lambda value: None if value in choices else _not_one_of(value, choices))

    def boolean(self, key: str, default: bool) -> bool:
        """True or false; `default` when absent or unfit."""
        node = self.given(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self.problem(key, N_("must be true or false"))
        return default

    def whole_number(self, key: str, within: range) -> int | None:
        """A whole number in `within`."""
        node = self.given(key)
        if node is None:
            return None
        if isinstance(node, Scalar) and type(node.value) is int and node.value in within:
            return node.value
        self.problem(key, f"must be a whole number from {within.start} to {within.stop - 1}")
        return None

    def keys_of(self, section: str) -> dict[str, Node]:
        """The entries of the map under `section`, fit or not; empty for anything but a map. Notes nothing."""
        node = self.given(section)
        if not isinstance(node, Mapping):
            return {}
        return {key: entry.node for key, entry in node.entries.items()}

    def map(self, key: str) -> Fields | None:
        """The map under `key`, to take fields from."""
        node = self.given(key)
        if node is None:
            return None
        if isinstance(node, Mapping):
            return Fields(self.at(key), node, self.notes)
        self.problem(key, N_("must be a map"))
        return None

    def records(self, key: str) -> Iterator[tuple[str, int, Fields]]:
        """The entries of the map under `key` that are maps themselves: key, line, fields."""
        outer = self.map(key)
        if outer is None:
            return
        for name, entry in outer.node.entries.items():
            if inner := outer.map(name):
                yield name, entry.line, inner
            elif _is_null(entry.node):
                outer.problem(name, N_("must be a map"))

    def only(self, known: Iterable[str], *, unread: Iterable[str] = ()) -> None:
        """Refuse keys that are not known; warn of those in `unread` that hold something."""
        known, unread = set(known), set(unread)
        for key, entry in self.node.entries.items():
            if key in unread:
                if not _is_empty(entry.node):
                    self.warning(key, N_("is not read yet, and was left out"))
            elif key not in known:
                self.problem(key, _unknown(key, known))


def _not_blank(value: str) -> str | None:
    return None if value.strip() else BLANK


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _is_empty(node: Node) -> bool:
    match node:
        case Mapping():
            return not node.entries
        case Sequence():
            return not node.items
        case _:
            return _is_null(node)


def _not_text(node: Node) -> str:
    if isinstance(node, Scalar):
        return f"must be text; write it in quotes: '{node.text[:40]}'"
    return N_("must be text")


def _not_one_of(value: str, choices: Collection[str]) -> str:
    return f"must be one of {', '.join(choices)}; not {value[:40]!r}"


def _unknown(key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key[:40], known, n=1)
    return f"is not a known key; did you mean {near[0]}?" if near else N_("is not a known key")
