"""Hiding secrets in texts (dataclips-and-accounts §1.11)."""

from __future__ import annotations

import json
import time

from hypothesis import given
from hypothesis import strategies as st

from portal.dataclips import mended, scrub, scrubber

SECRETS = ["55", "bar", "123456", "789"]


def test_7_20_values_inside_words_and_numbers_are_hidden_too() -> None:
    """dataclips-and-accounts §7.20"""
    body = '{"a":123456,"b":789,"c":125534,"d":"some-bars","e":true}'
    assert scrub(body, SECRETS) == '{"a":***,"b":***,"c":12***34,"d":"some-***s","e":true}'


def test_the_longest_goes_first() -> None:
    assert scrub("open sesame please", ["open", "open sesame"]) == "*** please"


def test_bytes_are_hidden_as_texts_are() -> None:
    assert scrub("Zoë: hunter2".encode(), ["hunter2", "Zoë"]) == b"***: ***"


def test_without_secrets_nothing_changes() -> None:
    assert scrub("text", []) == scrub("text", ["", "other"]) == "text"


def test_forms_of_json_and_addresses_are_found() -> None:
    secret = 'pä"ss\\w\n/d 1'
    for text in (
        json.dumps({"x": secret}),
        json.dumps({"x": secret}, ensure_ascii=False),
        "https://a.example/?q=p%C3%A4%22ss%5Cw%0A%2Fd%201",
        "q=p%C3%A4%22ss%5Cw%0A%2Fd+1",
        secret,
    ):
        hidden = scrub(text, [secret])
        assert "***" in hidden
        assert "ss" not in hidden


def test_a_mended_body_is_json_again() -> None:
    body = '{"a":***,"b":[12***34, "***", {"x***": "say \\"***\\""}],"c":-1.5e3}'
    assert json.loads(mended(body)) == {
        "a": "***",
        "b": ["12***34", "***", {"x***": 'say "***"'}],
        "c": -1500.0,
    }


def test_many_texts_cost_one_look_at_the_secrets() -> None:
    hide = scrubber([f"secret-{number}" for number in range(3_000)])
    began = time.perf_counter()
    for number in range(200):
        assert hide(f"line with secret-{number}, and more") == "line with ***, and more"
    assert time.perf_counter() - began < 1


@given(st.text(min_size=1), st.text(), st.text())
def test_no_secret_is_left(secret: str, before: str, after: str) -> None:
    if "*" not in secret:
        assert secret not in scrub(before + secret + after, [secret])
