"""Log messages as text (workorders §8.5.2, §8.5.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.workorders.messages import text_of


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("hello", "hello"),
        ("", ""),
        ([], ""),
        (7, "7"),
        (False, "false"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (["a", 1, {"b": True}, ["c"]], 'a 1 {"b":true} ["c"]'),
        (["a", None], "a null"),
        ({"é": "ü"}, '{"é":"ü"}'),
        (12345678901234567890, "12345678901234567890"),
        ("tab\tline\nreturn\r", "tab\tline\nreturn\r"),
        ("\x00\x07\x0b\x1f\x7f!", "!"),
        (r"written \u0000 as \u001F escape \u007f", "written  as  escape "),
        (r"tab \u0009 line \u000a return \u000D", r"tab \u0009 line \u000a return \u000D"),
        (r"a backslash \\u0000 of its own", r"a backslash \\u0000 of its own"),
        ("half \ud800 a pair", "half � a pair"),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_messages_become_text(message: object, text: str) -> None:
    assert text_of(message) == text


@pytest.mark.parametrize("message", [None, [None]])
def test_null_is_blank(message: object) -> None:
    assert text_of(message) is None


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(_values)
def test_whatever_comes_can_be_stored(message: Any) -> None:
    text = text_of(message)
    if text is not None:
        text.encode()
        assert not any(ord(sign) < 32 and sign not in "\t\n\r" for sign in text)


@given(
    st.dictionaries(
        st.text("ab\\u0017\x00\b", max_size=6), st.text("ab\\u0017\x00\b", max_size=12), max_size=3
    )
)
def test_an_object_stays_readable_json(message: dict[str, str]) -> None:
    assert isinstance(json.loads(text_of(message) or ""), dict)
