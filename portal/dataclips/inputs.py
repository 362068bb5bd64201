"""What may become a dataclip's body or request (dataclips-and-accounts §1.3, §1.12).

Bodies are kept as the text that came: PostgreSQL parses it into jsonb itself, so
integers and decimals of any length survive. Here the text is only judged, in such a
way that the database never has to refuse it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from portal.core.errors import Invalid, TooLarge
from portal.core.limits import limits
from portal.core.text import N_

MAX_DEPTH = 200
MAX_NAME = 255
MAX_NUMBER = 4000  # characters; the database's numeric type and Python's integers end not far above

BLANK = N_("can't be blank")
NOT_JSON = N_("is not valid JSON")
NOT_OBJECT = N_("must be a JSON object")
TOO_DEEP = N_("is nested too deeply")
BAD_CHARACTER = N_("holds a character that cannot be stored (NUL or half a surrogate pair)")
BAD_NUMBER = N_("holds a number that is too large")
NAME_TOO_LONG = N_("should be at most 255 character(s)")
CONTROL_CHARACTERS = N_("can't contain control characters")

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def body_text(body: object) -> str:
    """The JSON text to store for `body`: text as it came, or any other value written as JSON.

    Raises Invalid on `body` for what is not a JSON object or cannot be stored, TooLarge
    when it is longer than `limits().dataclip_bytes`.
    """
    text = body if isinstance(body, str) else _written(body, "body")
    return _judged(text, "body")


def request_text(request: object | None) -> str | None:
    """The JSON text to store for the `request` of something that arrived; None stays None.

    Raises as `body_text`, on `request`.
    """
    return None if request is None else _judged(_written(request, "request"), "request")


def clean_name(name: str | None) -> str | None:
    """A label as it is stored: trimmed, blank is None (§1.6.3).

    Raises Invalid on `name` above 255 characters or for control characters.
    """
    trimmed = (name or "").strip()
    if len(trimmed) > MAX_NAME:
        raise Invalid({"name": [NAME_TOO_LONG]})
    if _CONTROL.search(trimmed) or _UNSTORABLE.search(trimmed):
        raise Invalid({"name": [CONTROL_CHARACTERS]})
    return trimmed or None


def _written(value: object, field: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise Invalid({field: [TOO_DEEP if deep else NOT_JSON]}) from error


def _judged(text: str, field: str) -> str:
    if not text.strip():
        raise Invalid({field: [BLANK]})
    _refuse_long(text, field)
    if _depth(text) > MAX_DEPTH:
        raise Invalid({field: [TOO_DEEP]})
    value = _parsed(text, field)
    if not isinstance(value, dict):
        raise Invalid({field: [NOT_OBJECT]})
    # Unstorable characters hide behind escapes only: raw ones did not pass the two checks above.
    if "\\u" in text and any(_UNSTORABLE.search(string) for string in _strings(value)):
        raise Invalid({field: [BAD_CHARACTER]})
    return text


def _refuse_long(text: str, field: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise Invalid({field: [BAD_CHARACTER]}) from error
    if size > limits().dataclip_bytes:
        raise TooLarge


def _parsed(text: str, field: str) -> Any:
    def number(digits: str) -> float:
        if len(digits) > MAX_NUMBER or not -308 <= _exponent(digits) <= 308:
            raise Invalid({field: [BAD_NUMBER]})
        return 0.0

    def integer(digits: str) -> int:
        if len(digits) > MAX_NUMBER:
            raise Invalid({field: [BAD_NUMBER]})
        return 0

    def constant(_word: str) -> None:
        raise Invalid({field: [NOT_JSON]})

    try:
        return json.loads(text, parse_float=number, parse_int=integer, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Invalid({field: [NOT_JSON]}) from error


def _exponent(digits: str) -> int:
    """The written exponent: `1e999` would be a number of a thousand digits once it is stored."""
    _, _, exponent = digits.lower().partition("e")
    return int(exponent or 0)


def _depth(text: str) -> int:
    """How deep brackets nest, without parsing: the parser itself gives up on very deep text."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return 0
    turns = (1 if bracket in "[{" else -1 for bracket in _BRACKET.findall(_STRING.sub("", text)))
    return max(accumulate(turns), default=0)


def _strings(value: object) -> Iterator[str]:
    """Every key and every string inside a JSON value."""
    if isinstance(value, str):
        yield value
        return
    parts: Iterable[object] = ()
    if isinstance(value, dict):
        yield from value
        parts = value.values()
    elif isinstance(value, list):
        parts = value
    for part in parts:
        yield from _strings(part)
