"""Cutting what is typed into the search box into pieces, each with its place (workorders §9.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from portal.core.text import N_

# Small letters only: "TypeError: x" and "12:30" are words; so is "https://…".
_KEY = re.compile(r"(-?)([a-z][a-z_.]*):(?!//)")
_SIGN_OF_KEYS = re.compile(r"(?<![\w.])[a-z][a-z_.]*:(?!//)")
_BARE = re.compile(r"\S+")
_BARE_ITEM = re.compile(r"[^\s,]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
# The keys whose values may be several, with commas between them.
LISTS = ("state", "workflow", "error", "in")

UNCLOSED = N_("The quote that begins here has no end. Put a second one behind the text.")
GLUED = N_("Leave a blank behind the closing quote.")
NOWHERE = N_("Say where it must not be, as in -log:%(text)s, or put it in quotes.")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a piece of the text: characters `start` to `end`, and words for people.

    `message` is English, for translation; `values` stand in it.
    """

    start: int
    end: int
    message: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """One value: its text without quotes, and its place in the whole."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Token:
    """`key:value`, or plain words (key None). Its place is that of all of it; a key has at least one part."""

    key: str | None
    negated: bool
    parts: tuple[Part, ...]
    start: int
    end: int


def has_keys(text: str) -> bool:
    """Whether something in `text` looks like a key; otherwise it is a plain term, every sign of it."""
    return bool(_SIGN_OF_KEYS.search(text))


def tokens(text: str) -> tuple[list[Token], list[Problem]]:
    """The pieces of a text that has keys, in order, and what cannot be read."""
    found: list[Token] = []
    problems: list[Problem] = []
    position = 0
    while word := _BARE.search(text, position):
        token = _token(text, word.start(), problems)
        found.append(token)
        position = max(token.end, word.start() + 1)
    return found, problems


def quoted(text: str) -> str:
    """`text` in quotes, as `tokens` reads it back."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _token(text: str, start: int, problems: list[Problem]) -> Token:
    if key := _KEY.match(text, start):
        parts = _parts(text, key.end(), problems, several=key[2] in LISTS)
        return Token(key[2], bool(key[1]), tuple(parts), start, parts[-1].end)
    if text[start] == "-" and start + 1 < len(text) and not text[start + 1].isspace():
        part = _part(text, start + 1, _BARE, problems)
        problems.append(Problem(start, part.end, NOWHERE, {"text": part.text}))
    else:
        part = _part(text, start, _BARE, problems)
    return Token(None, False, (part,), start, part.end)


def _parts(text: str, start: int, problems: list[Problem], *, several: bool) -> list[Part]:
    bare = _BARE_ITEM if several else _BARE
    parts = [_part(text, start, bare, problems)]
    while several and text[parts[-1].end : parts[-1].end + 1] == ",":
        parts.append(_part(text, parts[-1].end + 1, bare, problems))
    return parts


def _part(text: str, start: int, bare: re.Pattern[str], problems: list[Problem]) -> Part:
    if text[start : start + 1] != '"':
        found = bare.match(text, start)
        end = found.end() if found else start
        return Part(text[start:end], start, end)
    closed = _QUOTED.match(text, start)
    if closed is None:
        problems.append(Problem(start, len(text), UNCLOSED))
        return Part(text[start + 1 :], start, len(text))
    end = closed.end()
    rest = bare.match(text, end)
    if rest and rest.end() > end:
        problems.append(Problem(end, rest.end(), GLUED))
        end = rest.end()
    return Part(re.sub(r'\\(["\\])', r"\1", closed[1]), start, end)
