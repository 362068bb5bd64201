"""What makes failures alike: the normalised message of an error, and its fingerprint (workorders §22.1).

Pure. What differs from run to run (numbers, ids, quoted values, dates, addresses) becomes a
placeholder such as `<number>`. Patterns are plain alternatives in one pass over a bounded
text; nothing in them can be tried in more ways than the text is long.
"""

from __future__ import annotations

import hashlib
import re

LONGEST = 300
# Of a longer message the beginning decides.
LONGEST_READ = 4_000
MOST_LINES = 3
MOST_PASSES = 20
PLACES = ("date", "email", "id", "number", "text", "url")

_WHOLE = re.compile(
    r"""
    (?P<kept><(?:date|email|id|number|text|url)>)
    |(?P<url>\b[a-z][a-z0-9+.-]{1,15}://[^\s"'<>`]+)
    |(?P<email>(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})
    |(?P<text>"[^"]*"|(?<!\w)'[^']*'(?!\w)|`[^`]*`|“[^”]*”|‘[^’]*’|«[^»]*»)
    |(?P<date>(?<!\d)\d{4}-\d\d-\d\d
            (?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|\ ?[+-]\d\d:?\d\d)?)?(?!\d)
        |(?<!\d)\d\d?[/.]\d\d?[/.](?:\d\d){1,2}(?!\d)
        |(?<!\d)\d\d?:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?!\d))
    |(?P<id>\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b
        |\b0x[0-9a-f]+\b
        |\b(?=[^\W\d]*\d[^\W\d]*\d)\w{8,}\b)
    |(?P<number>\d+(?:[.,]\d+)*)
    """,
    re.IGNORECASE | re.VERBOSE,
)
# `1, 2, 3` and `1, 2` tell of the same trouble.
_REPEATS = re.compile(r"(<(?:date|email|id|number|text|url)>)(?:[\s,;]{1,3}\1)+")
_BLANK = re.compile(r"\s+")
# Frames of a stack, and a worker's last words, say nothing of the trouble when anything else is there.
_NOISE = re.compile(r"\s*(?:at\s|run complete\b)", re.IGNORECASE)


def message_of(error_type: str | None, text: str | None) -> str:
    """The normalised message of a run that failed with `error_type` and last logged the error `text`.

    The beginning `error_type: ` is left out, for people see the type beside it. "" without text.
    """
    message = normalise(text or "")
    before = None
    while error_type and message != before:
        before, message = message, message.removeprefix(f"{error_type}:").strip()
    return message


def normalise(text: str) -> str:
    """`text` with placeholders for what differs from run to run, on one line of 300 characters at most.

    The same for what it answered; never raises.
    """
    found = _essence(text[:LONGEST_READ])
    for _pass in range(MOST_PASSES):
        before, found = found, _once(found)
        if found == before:
            return found
    # Each pass leaves less to replace, but a text made to be tedious shall not keep anybody waiting.
    return "<text>"


def fingerprint(error_type: str | None, message: str) -> str:
    """SHA-256, in hexadecimal, over type and normalised message; no type differs from an empty one."""
    parts = ("0" if error_type is None else "1", error_type or "", message)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _essence(text: str) -> str:
    """The first lines that speak of the trouble; all lines where none does."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join([line for line in lines if not _NOISE.match(line)][:MOST_LINES] or lines)


def _once(text: str) -> str:
    text = _BLANK.sub(" ", _WHOLE.sub(_place, text)).strip()
    return _REPEATS.sub(r"\1", text)[:LONGEST].strip()


def _place(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "kept" else f"<{match.lastgroup}>"
