"""Encryption of credentials at rest: AES-256-GCM, bound to its row (dataclips-and-accounts §4.1).

What is stored: one byte of format, four bytes that name the key, twelve of nonce, then the
ciphertext with its tag. The row's id is associated data, so a sealed body that is copied
into another row does not open there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal.core.db import Json
from portal.core.errors import Unavailable
from portal.core.text import N_

FORMAT = b"\x01"
KEY_ID_BYTES, NONCE_BYTES = 4, 12
UNREADABLE = N_("A credential cannot be opened: it was sealed with another key, or was changed.")


@dataclass(slots=True)
class _Ring:
    """The keys by id; the first one given seals."""

    keys: dict[bytes, AESGCM] = field(default_factory=dict)


_ring = _Ring()


def configure(*keys: str) -> None:
    """Give the keys, each the base64 of 32 bytes. The first seals, all open. The factory calls this once."""
    raw = [base64.b64decode(key) for key in keys if key]
    _ring.keys = {_key_id(key): AESGCM(key) for key in raw}


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"key id\0" + key).digest()[:KEY_ID_BYTES]


def seal(body_id: uuid.UUID, values: Json) -> bytes:
    """The values, encrypted for the row `body_id`. Raises Unavailable without a key."""
    if not _ring.keys:
        raise Unavailable(UNREADABLE)
    key_id, key = next(iter(_ring.keys.items()))
    nonce = secrets.token_bytes(NONCE_BYTES)
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return FORMAT + key_id + nonce + key.encrypt(nonce, text, _bound(body_id))


def unseal(body_id: uuid.UUID, sealed: bytes) -> Json:
    """The values in what `seal` made for the same row.

    Raises Unavailable when the key is not there, or a single bit was changed.
    """
    form, rest = sealed[:1], sealed[1:]
    key = _ring.keys.get(rest[:KEY_ID_BYTES])
    nonce, text = rest[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], rest[KEY_ID_BYTES + NONCE_BYTES :]
    if form != FORMAT or key is None or len(nonce) != NONCE_BYTES:
        raise Unavailable(UNREADABLE)
    try:
        plain = key.decrypt(nonce, text, _bound(body_id))
    except InvalidTag:
        raise Unavailable(UNREADABLE) from None
    values: Json = json.loads(plain.decode("utf-8", "surrogatepass"))
    return values


def _bound(body_id: uuid.UUID) -> bytes:
    return b"credential_bodies\0" + body_id.bytes
