"""Encryption of credentials at rest (dataclips-and-accounts §4.1)."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator

import pytest

from portal.core.errors import Unavailable
from portal.credentials import sealing

ROW, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
VALUES = {"password": "hünter\ud800", "n": 1.5, "nested": {"a": [True, None]}}


@pytest.fixture(autouse=True)
def ring() -> Iterator[None]:
    """The first key; what was there before comes back."""
    before = dict(sealing._ring.keys)
    sealing.configure(KEYS[0])
    yield
    sealing._ring.keys = before


def test_what_was_sealed_opens_in_its_row() -> None:
    sealed = sealing.seal(ROW, VALUES)
    assert sealing.unseal(ROW, sealed) == VALUES
    assert b"nter" not in sealed
    assert sealing.seal(ROW, VALUES) != sealed


def test_it_opens_in_no_other_row() -> None:
    with pytest.raises(Unavailable):
        sealing.unseal(OTHER, sealing.seal(ROW, VALUES))


def test_a_changed_bit_anywhere_is_noticed() -> None:
    sealed = sealing.seal(ROW, {"a": "b"})
    for place in range(len(sealed)):
        broken = bytearray(sealed)
        broken[place] ^= 1
        with pytest.raises(Unavailable):
            sealing.unseal(ROW, bytes(broken))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01abcd", b"plain text", b"\x01" * 17])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(Unavailable):
        sealing.unseal(ROW, sealed)


def test_older_keys_open_and_the_newest_seals() -> None:
    old = sealing.seal(ROW, VALUES)
    sealing.configure(KEYS[1], KEYS[0])
    assert sealing.unseal(ROW, old) == VALUES
    new = sealing.seal(ROW, VALUES)
    assert new[1:5] != old[1:5]
    sealing.configure(KEYS[0])
    with pytest.raises(Unavailable):
        sealing.unseal(ROW, new)


def test_without_a_key_nothing_is_sealed_and_no_message_tells_a_value() -> None:
    sealing.configure("")
    with pytest.raises(Unavailable) as refused:
        sealing.seal(ROW, VALUES)
    assert "nter" not in str(refused.value)
