"""Which texts give a credential away (dataclips-and-accounts §1.11). Pure."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator

from portal.core.db import Json

# So many values of one credential, the longest, are combined with one another.
MOST_PAIRED = 50
# Names of values that say where and how, not who: hiding them would hide ordinary words and numbers.
HARMLESS = frozenset(
    {
        "api_version",
        "apiversion",
        "auth_type",
        "authtype",
        "base_url",
        "baseurl",
        "environment",
        "expires_at",
        "expires_in",
        "host",
        "host_url",
        "hosturl",
        "instance_url",
        "instanceurl",
        "issued_at",
        "login_url",
        "loginurl",
        "port",
        "protocol",
        "scope",
        "token_type",
    }
)
WHOLE_LINE = 8


def secrets_in(values: Json) -> list[str]:
    """All texts that must not be shown of a credential's body, the longest first.

    Values at any depth: texts, and numbers as text; neither booleans nor empty ones, nor
    those under harmless names. Lines of a value with several; and in base64 each value,
    each pair `x:y`, `username:password` and `email:password`, with and without padding.
    """
    plain = dict.fromkeys(sorted(_values(values), key=len, reverse=True))
    lines = [line for value in plain for line in value.splitlines() if len(line) >= WHOLE_LINE]
    paired = list(plain)[:MOST_PAIRED]
    pairs = (f"{one}:{other}" for one, other in itertools.permutations(paired, 2))
    texts = [*plain, *pairs, *_log_ins(values)]
    coded = [form for text in texts for form in _base64(text)]
    return sorted({*plain, *lines, *coded}, key=lambda text: (-len(text), text))


def _values(value: object, name: str = "") -> Iterator[str]:
    match value:
        case bool() | None:
            return
        case dict():
            for key, inner in value.items():
                yield from _values(inner, str(key))
        case list():
            for inner in value:
                yield from _values(inner, name)
        case str() if value.strip() and name.lower() not in HARMLESS:
            yield value
        case int() | float() if name.lower() not in HARMLESS:
            yield json.dumps(value)


def _log_ins(values: Json) -> Iterator[str]:
    """What goes into the header of basic authentication."""
    for name in ("username", "email"):
        if isinstance(values.get(name), str) and isinstance(values.get("password"), str):
            yield f"{values[name]}:{values['password']}"


def _base64(text: str) -> set[str]:
    raw = text.encode("utf-8", "surrogatepass")
    usual, for_addresses = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    return {usual, usual.rstrip("="), for_addresses.rstrip("=")}
