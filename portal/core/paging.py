"""Paging by key: a page knows its rows and the signed cursor of the next one.

No offsets and no page numbers: page 400 costs what page 1 costs. The cursor is
opaque and signed, so nobody can ask for an order that no index serves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from itsdangerous import BadData, URLSafeSerializer

from portal.core.errors import Invalid
from portal.core.text import N_

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows in order, and the cursor of what follows (None at the end)."""

    items: Sequence[T]
    next_cursor: str | None = None
    notices: Sequence[str] = field(default_factory=tuple)

    def map(self, change: Callable[[Sequence[T]], Sequence[U]]) -> Page[U]:
        """The same page with its rows replaced by `change(rows)`."""
        return Page(change(self.items), self.next_cursor, self.notices)


_serializer = URLSafeSerializer("not configured", salt="cursor")


def configure(secret_key: str) -> None:
    """Give the key that signs cursors. The factory calls this once."""
    global _serializer
    _serializer = URLSafeSerializer(secret_key, salt="cursor")


def encode(scope: str, key: Sequence[Any]) -> str:
    """A cursor for the position `key` (JSON values) in the list called `scope`."""
    return str(_serializer.dumps([scope, *key]))


def decode(scope: str, cursor: str) -> list[Any]:
    """The position inside a cursor made by `encode` with the same scope.

    Raises Invalid on `cursor` for one that was changed or belongs to another list.
    """
    key: list[Any] = []
    try:
        found, *key = _serializer.loads(cursor)
    except (BadData, ValueError, TypeError):
        found = None
    if found != scope:
        raise Invalid({"cursor": [N_("This list has changed. Open it anew.")]})
    return key


def page_of(rows: Sequence[T], size: int, cursor_of: Callable[[T], str]) -> Page[T]:
    """Make a page from `size + 1` rows asked for: the extra row only tells that there is more."""
    shown = rows[:size]
    return Page(shown, cursor_of(shown[-1]) if len(rows) > size else None)
