"""What may become a body (dataclips-and-accounts §1.3, §1.12)."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import limits
from portal.core.errors import Invalid, TooLarge
from portal.dataclips import inputs


def problem(body: object) -> str:
    with pytest.raises(Invalid) as refused:
        inputs.body_text(body)
    ((field, texts),) = refused.value.fields.items()
    assert field == "body"
    return texts[0]


@pytest.mark.parametrize("text", ['{"a": 1.10, "b": 12345678901234567890123}', "{}", ' {"é": "ü"}\n'])
def test_text_is_kept_as_it_came(text: str) -> None:
    assert inputs.body_text(text) == text


def test_an_object_is_written_as_json() -> None:
    assert inputs.body_text({"a": [1, "é"]}) == '{"a":[1,"é"]}'


@pytest.mark.parametrize("body", ["[1]", '"text"', "1", "null", "true", [1], 1, None])
def test_1_3_2_only_objects_are_bodies(body: object) -> None:
    assert problem(body) == inputs.NOT_OBJECT


@pytest.mark.parametrize(
    "text", ["{", "{'a': 1}", '{"a": NaN}', '{"a": -Infinity}', "hello", '{"a": 01}', '{"a": "\x01"}']
)
def test_1_3_2_text_that_is_no_json_is_refused(text: str) -> None:
    assert problem(text) == inputs.NOT_JSON


@pytest.mark.parametrize("text", ["", "  \n"])
def test_1_3_1_a_body_is_required(text: str) -> None:
    assert problem(text) == inputs.BLANK


@pytest.mark.parametrize(
    "body",
    [
        r'{"a": "nul \u0000"}',
        r'{"a": {"nul \u0000": 1}}',
        r'{"a": ["\ud800"]}',
        r'{"a": "\udc00\ud800"}',
        {"a": "\x00"},
        {"\ud800": 1},
    ],
)
def test_1_3_7_nul_and_half_pairs_are_refused(body: object) -> None:
    assert problem(body) == inputs.BAD_CHARACTER


@pytest.mark.parametrize("text", [r'{"a": "\\u0000"}', r'{"a": "😀"}', r'{"a": "\u00e9"}'])
def test_what_only_looks_like_them_is_fine(text: str) -> None:
    assert inputs.body_text(text) == text


@pytest.mark.parametrize("number", ["1e309", "1e-309", "1E+999999", "9" * 5000, "0." + "0" * 5000 + "1"])
def test_numbers_that_would_swell_are_refused(number: str) -> None:
    assert problem(f'{{"a": {number}}}') == inputs.BAD_NUMBER


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def test_depth_is_limited() -> None:
    assert inputs.body_text(nested(inputs.MAX_DEPTH))
    assert problem(nested(inputs.MAX_DEPTH + 1)) == inputs.TOO_DEEP
    assert problem(nested(100_000)) == inputs.TOO_DEEP
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert problem(deep) == inputs.TOO_DEEP


def test_brackets_inside_strings_are_no_depth() -> None:
    text = json.dumps({"a": "[{" * 500, 'b"': ["\\"]})
    assert inputs.body_text(text) == text


def test_1_12_the_size_counts_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_limits", limits.Limits(dataclip_bytes=10))
    assert inputs.body_text('{"a":"é"}')
    with pytest.raises(TooLarge):
        inputs.body_text('{"a":"éé"}')


def test_what_cannot_be_json_is_refused() -> None:
    assert problem({"a": object()}) == inputs.NOT_JSON


@given(st.text() | st.text('{}[]"\\u0d8:,1e.-ntf \x00', max_size=40))
def test_no_text_makes_it_stumble(text: str) -> None:
    with suppress(Invalid):
        assert isinstance(json.loads(inputs.body_text(text)), dict)


@pytest.mark.parametrize(
    ("given_name", "stored"), [(" Test ", "Test"), ("", None), ("  ", None), (None, None)]
)
def test_1_6_3_names_are_trimmed_and_blank_is_none(given_name: str | None, stored: str | None) -> None:
    assert inputs.clean_name(given_name) == stored


@pytest.mark.parametrize("name", ["x" * 256, "a\nb", "a\x00b"])
def test_1_6_3_long_names_and_control_characters_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        inputs.clean_name(name)
