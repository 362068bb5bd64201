"""What makes failures alike (workorders §22.1)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.workorders.grouping import LONGEST, fingerprint, message_of, normalise

ALIKE = [
    ("Patient 17 is not known", "Patient 4711 is not known", "Patient <number> is not known"),
    (
        "no row 0b5f3c1e-7d0a-4f5e-9a52-3a5d6f1c2b3a",
        "no row 9a525f1e-0000-4f5e-9a52-3a5d6f1c2b3b",
        "no row <id>",
    ),
    ("key \"visit\" is 'late'", "key \"age\" is 'x'", "key <text> is <text>"),
    ("since 2026-11-20T08:15:30.123Z", "since 2025-01-02 03:04:05+02:00", "since <date>"),
    ("at 09:15 on 20.11.2026", "at 10:16:17 on 1/2/26", "at <date> on <date>"),
    ("GET https://a.example/x?id=4 failed", "GET http://b.example:81/y failed", "GET <url> failed"),
    ("mail to ann@clinic.example", "mail to bo.b+x@sub.clinic.example", "mail to <email>"),
    ("org unit DiszpKrYN8g2 missing", "org unit O6uvpzGd5pU1x9 missing", "org unit <id> missing"),
    ("took 3.5s,\n\tof 10,000", "took 12s, of 7", "took <number>s, of <number>"),
    ("pointer 0xdeadbeef", "pointer 0x1", "pointer <id>"),
    ("ids 1, 2, 3", "ids 4", "ids <number>"),
    ("it is “new”", "it is «old»", "it is <text>"),
]


@pytest.mark.parametrize(("one", "other", "normalised"), ALIKE)
def test_what_differs_from_run_to_run_becomes_a_placeholder(one: str, other: str, normalised: str) -> None:
    assert normalise(one) == normalise(other) == normalised


@pytest.mark.parametrize(
    "text",
    [
        "can't read patient's file",
        "HTTP error in Upload",
        "deadbeef is a word",
        "the façade – naïve",
        "a@b",
        "",
    ],
)
def test_words_stay(text: str) -> None:
    assert normalise(text) == text


def test_different_troubles_stay_apart() -> None:
    texts = ["timeout after 30s", "connection refused", "no such patient 5", "no such visit 5"]
    assert len({normalise(text) for text in texts}) == len(texts)


def test_frames_of_a_stack_and_last_words_are_left_out() -> None:
    text = "Run complete with status: fail\nTypeError: x is undefined\n  at fn (job.js:3)\n  at run (r.js:1)"
    assert normalise(text) == "TypeError: x is undefined"
    assert normalise("Run complete with status: kill") == "Run complete with status: kill"


def test_the_type_is_not_said_twice() -> None:
    assert message_of("AdaptorError", "AdaptorError: AdaptorError: 502") == "<number>"
    assert message_of("AdaptorError", "AdaptorErrors: 502") == "AdaptorErrors: <number>"
    assert message_of("AdaptorError", None) == message_of(None, "") == ""


def test_a_message_has_a_bounded_length() -> None:
    assert len(normalise("word " * 5_000)) <= LONGEST


def test_a_fingerprint_tells_type_and_message_apart() -> None:
    pairs = [("A", "b"), ("Ab", ""), (None, "b"), ("", "b"), ("A", "B"), (None, "Ab")]
    assert len({fingerprint(*pair) for pair in pairs}) == len(pairs)
    assert fingerprint("A", "b") == fingerprint("A", "b")
    assert len(fingerprint(None, "\ud800")) == 64


TEXTS = st.text() | st.text(alphabet="ab1 '\"`<>/:@.-_,;0xnumbertexiddaurl\n“”", max_size=600)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_normalising_twice_is_normalising_once(text: str) -> None:
    """workorders §22.1.4"""
    once = normalise(text)
    assert normalise(once) == once
    assert len(once) <= LONGEST


@settings(max_examples=200, deadline=None)
@given(st.none() | st.text(max_size=20), st.none() | st.text(max_size=300))
def test_every_text_has_a_message_and_a_fingerprint(error_type: str | None, text: str | None) -> None:
    assert len(fingerprint(error_type, message_of(error_type, text))) == 64


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "'",
        '"a',
        "a.",
        "a@",
        "a-",
        "1.",
        "<",
        "<number> ",
        "0x",
        "1:",
        "a://",
        "12345678-",
        "\n",
        " ",
        "a1",
    ],
)
def test_no_text_keeps_anybody_waiting(piece: str) -> None:
    text = (piece * 50_000)[:50_000]
    began = time.perf_counter()
    for tail in ("", "!", "'", "\x00"):
        normalise(text + tail)
        normalise(text[: 4_000 - len(tail)] + tail)
    assert time.perf_counter() - began < 0.5
