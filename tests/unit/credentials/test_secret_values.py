"""Which texts give a credential away (dataclips-and-accounts §1.11)."""

from __future__ import annotations

import base64

from portal.credentials.secret_values import secrets_in


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_values_at_any_depth_numbers_as_text_and_neither_booleans_nor_blanks() -> None:
    found = secrets_in(
        {"a": "alpha", "b": {"c": ["gamma", 42]}, "d": 1.5, "e": True, "f": None, "g": "", "h": " "}
    )
    assert {"alpha", "gamma", "42", "1.5"} <= set(found)
    assert not {"", " ", "true", "True", "None", "null"} & set(found)


def test_each_value_and_each_pair_also_in_base_64() -> None:
    found = set(secrets_in({"user": "ann", "key": "k-1"}))
    assert {coded("ann"), coded("ann:k-1"), coded("k-1:ann"), coded("ann:k-1").rstrip("=")} <= found


def test_what_goes_into_basic_authentication_is_there_however_many_values() -> None:
    values = {f"v{number}": f"{'x' * 20}{number}" for number in range(200)}
    found = set(secrets_in({**values, "username": "ann", "email": "ann@a.example", "password": "pw"}))
    assert {coded("ann:pw"), coded("ann@a.example:pw")} <= found
    assert set(values.values()) <= found
    assert len(found) < 12_000


def test_what_says_where_and_how_is_no_secret() -> None:
    found = secrets_in({"apiVersion": "v2", "hostUrl": "https://a.example", "port": 443, "password": "pw"})
    assert found == sorted({"pw", coded("pw"), coded("pw").rstrip("=")}, key=lambda text: (-len(text), text))


def test_lines_of_a_key_are_hidden_one_by_one() -> None:
    key = "-----BEGIN KEY-----\nMIIBVgIBADANBg\n-----END KEY-----\n"
    assert "MIIBVgIBADANBg" in secrets_in({"key": key})


def test_the_longest_come_first() -> None:
    found = secrets_in({"a": "short", "b": "a much longer one"})
    assert [len(text) for text in found] == sorted((len(text) for text in found), reverse=True)
