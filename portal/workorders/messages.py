"""Log messages as text that PostgreSQL can hold (workorders §8.5.2, §8.5.3)."""

from __future__ import annotations

import json
import re

# Written out (NUL, bell …), and as JSON escapes, whose backslash is not itself escaped.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPED = re.compile(r"(?<!\\)((?:\\\\)*)\\u00(?:0[0-8bcef]|1[0-9a-f]|7f)", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def text_of(message: object) -> str | None:
    """The text to store for a message of any JSON type; None for null and [null], which are blank.

    Texts stay, numbers and booleans become text, objects compact JSON; the elements of a
    list are joined with one space. Control characters but tab, LF and CR go; half a
    surrogate pair becomes U+FFFD.
    """
    if message is None or message == [None]:
        return None
    parts = message if isinstance(message, list) else [message]
    return clean(" ".join(part if isinstance(part, str) else _json(part) for part in parts))


def clean(text: str) -> str:
    """`text` without the characters that PostgreSQL text cannot hold."""
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _CONTROL.sub("", text)
    return _ESCAPED.sub(r"\1", text) if "\\u00" in text.lower() else text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
