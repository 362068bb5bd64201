"""Links that are good for a while: a signature over what they lead to and when they end.

A signature proves that the portal made the link; it gives no right to anybody. Whoever
follows one still needs a session and the permission.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from itsdangerous import BadData, URLSafeSerializer

from portal.core import clock
from portal.core.limits import limits

_serializer = URLSafeSerializer("not configured", salt="link")
_address = ""


class LinkState(StrEnum):
    """What a signature is worth: good, once good, or not one of ours for this."""

    GOOD = "good"
    EXPIRED = "expired"
    FORGED = "forged"


def configure(secret_key: str, address: str) -> None:
    """Give the key that signs, and the portal's address for links in mails. The factory calls this once."""
    global _serializer, _address
    _serializer, _address = URLSafeSerializer(secret_key, salt="link"), address


def sign(subject: str) -> str:
    """A signature for `subject` that is good for `limits().link_hours` from now."""
    ends = clock.now() + timedelta(hours=limits().link_hours)
    return str(_serializer.dumps([subject, int(ends.timestamp())]))


def judge(subject: str, signature: str) -> LinkState:
    """What `signature` is worth for `subject`; never raises."""
    try:
        signed, ends = _serializer.loads(signature)
    except (BadData, ValueError, TypeError):
        return LinkState.FORGED
    if signed != subject:
        return LinkState.FORGED
    return LinkState.GOOD if clock.now().timestamp() < ends else LinkState.EXPIRED


def absolute(path: str) -> str:
    """`path` with the portal's address in front, as people outside need it."""
    return _address + path
