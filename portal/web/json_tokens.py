"""JSON text cut into coloured pieces for the viewer."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Above this many characters the markup would weigh more than the colours help.
MOST_COLOURED = 40_000
_PIECES = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<str>"(?:[^"\\]|\\.)*")'
    r"|(?P<num>-?\d[\d.eE+-]*)|(?P<lit>true|false|null)|(?P<plain>[^\"\w-]+|.)",
    re.DOTALL,
)


def tokens(text: str) -> list[tuple[str, str]] | None:
    """`text` as (kind, piece) pairs that together spell it; kind is key, str, num, lit or "".

    None for a text that is too long to be coloured.
    """
    return list(_tokens(text)) if len(text) <= MOST_COLOURED else None


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for found in _PIECES.finditer(text):
        kind = found.lastgroup or ""
        yield ("" if kind == "plain" else kind), found.group()
