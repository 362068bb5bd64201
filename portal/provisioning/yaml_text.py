"""The text of a YAML document before any scanning: size, encoding, forbidden characters."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BYTES = 1_000_000

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The scanner breaks lines at these as YAML 1.1 did; in YAML 1.2 they are ordinary characters.
_OLD_BREAKS = "\x85\u2028\u2029"
_PRIVATE = range(0xE000, 0xF8FF)


class UnreadableTextError(Exception):
    """The document as a whole cannot be read; `line` from 1, or None."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def decoded(source: bytes | str) -> str:
    """`source` as text without a byte order mark.

    Raises UnreadableTextError for its size, its encoding, or a character that YAML forbids.
    """
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(data) > MAX_BYTES:
        raise UnreadableTextError(None, f"is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UnreadableTextError(line, f"is not UTF-8 text (byte {data[error.start]:#04x})") from None
    if bad := _FORBIDDEN.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise UnreadableTextError(line, f"has a character that YAML does not allow (U+{ord(bad[0]):04X})")
    return text


def joined_surrogates(text: str) -> str | None:
    """`text` with pairs of surrogate escapes made one character each; None when a half is left over."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None


@dataclass(frozen=True, slots=True)
class Breaks:
    """A text whose old line breaks are hidden from the scanner behind characters that it does not use."""

    text: str
    restoring: dict[int, str]

    @classmethod
    def hidden_from_scanner(cls, text: str) -> Breaks:
        """Put unused private characters in place of U+0085, U+2028 and U+2029."""
        found = [mark for mark in _OLD_BREAKS if mark in text]
        if not found:
            return cls(text, {})
        used = set(text)
        unused = (chr(code) for code in _PRIVATE if chr(code) not in used)
        stand_ins = dict(zip(found, unused, strict=False))
        hidden = text.translate({ord(mark): stand_in for mark, stand_in in stand_ins.items()})
        return cls(hidden, {ord(stand_in): mark for mark, stand_in in stand_ins.items()})

    def restored(self, scanned: str) -> str:
        """A scanned value with its own characters back."""
        return scanned.translate(self.restoring) if self.restoring else scanned
