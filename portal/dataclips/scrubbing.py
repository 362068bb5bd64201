"""Replacing secrets in a body that is shown or exported (dataclips-and-accounts §1.11)."""

from __future__ import annotations

from collections.abc import Iterable

STARS = b"***"


def scrub(body: bytes, secrets: Iterable[str]) -> bytes:
    """`body` (JSON text) with every occurrence of a secret replaced by `***`, the longest first.

    A secret also hides in the form in which JSON writes it. Empty secrets hide nothing.
    """
    spelled = {form for secret in secrets if secret for form in _spellings(secret)}
    for form in sorted(spelled, key=len, reverse=True):
        body = body.replace(form, STARS)
    return body


def _spellings(secret: str) -> tuple[bytes, bytes]:
    """The secret as it is, and as PostgreSQL writes it inside a JSON string."""
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
    for plain, written in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(plain, written)
    return secret.encode(), escaped.encode()
