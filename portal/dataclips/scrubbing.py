"""Replacing secrets in what is stored, shown or exported (dataclips-and-accounts §1.11). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import AnyStr
from urllib.parse import quote, quote_plus

STARS = "***"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s",:\[\]{}]+', re.DOTALL)


def scrub(text: AnyStr, secrets: Iterable[str]) -> AnyStr:
    """`text` (bytes: in UTF-8) with every occurrence of a secret replaced by `***`, the longest first.

    A secret also hides as JSON and addresses write it. Inside words and numbers it is
    replaced as well, so what was a bare number may leave JSON that is none. Empty secrets
    hide nothing.
    """
    for form in _forms(secrets):
        if isinstance(text, str):
            text = text.replace(form, STARS)
        else:
            text = text.replace(form.encode("utf-8", "surrogatepass"), STARS.encode())
    return text


def scrubber(secrets: Iterable[str]) -> Callable[[str], str]:
    """`scrub` for many texts with the same secrets, which are looked at once."""
    forms = _forms(secrets)

    def hide(text: str) -> str:
        for form in forms:
            text = text.replace(form, STARS)
        return text

    return hide


def mended(text: str) -> str:
    """Scrubbed JSON text in which what was a bare number is a text, so that it can be parsed again."""
    return _TOKEN.sub(lambda found: f'"{found[0]}"' if _is_bare(found[0]) else found[0], text)


def _is_bare(token: str) -> bool:
    return STARS in token and not token.startswith('"')


def _forms(secrets: Iterable[str]) -> list[str]:
    found = {form for secret in secrets if secret for form in _spellings(secret)}
    return sorted(found, key=lambda form: (-len(form), form))


def _spellings(secret: str) -> Iterator[str]:
    """The secret as it is; inside a JSON string, with and without escapes for letters; in an address."""
    yield secret
    if secret.isalnum() and secret.isascii():
        return
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield quote(secret, safe="", errors="replace")
    yield quote_plus(secret, errors="replace")
