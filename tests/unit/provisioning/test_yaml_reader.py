"""YAML from strangers: the core schema, lines, and everything that is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.provisioning.nodes import Mapping, Scalar, Sequence
from portal.provisioning.problems import MAX_NOTED, Problem
from portal.provisioning.yaml_reader import core_value, read_yaml


def plain(node: object) -> object:
    """A node as ordinary Python values."""
    match node:
        case Scalar():
            return node.value
        case Mapping():
            return {key: plain(entry.node) for key, entry in node.entries.items()}
        case Sequence():
            return [plain(item) for item in node.items]
        case _:
            return None


def found(source: bytes | str) -> list[str]:
    return [str(problem) for problem in read_yaml(source).problems]


@pytest.mark.parametrize(
    "text",
    ["off", "on", "yes", "no", "y", "2026-08-27", "12:30", "1_000", "tRUE", "nUll", "=", "1.2.3", "0o8"],
)
def test_what_yaml_1_1_would_mistake_stays_text(text: str) -> None:
    assert plain(read_yaml(f"a: {text}").root) == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("True", True),
        ("false", False),
        ("FALSE", False),
        ("12", 12),
        ("-7", -7),
        ("0123", 123),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
    ],
)
def test_the_core_schema_is_read(text: str, value: object) -> None:
    assert core_value(text) == value
    assert type(core_value(text)) is type(value)


def test_quoted_values_and_all_keys_are_text() -> None:
    source = "off: '1'\n2026-08-27: \"true\"\n1: 'null'\n? ~\n: ''\n"
    assert plain(read_yaml(source).root) == {"off": "1", "2026-08-27": "true", "1": "null", "~": ""}


def test_every_node_knows_its_line_and_column() -> None:
    root = read_yaml("a: 1\nb:\n  - x\n  - {c: y}\n").root
    assert isinstance(root, Mapping)
    items = root.entries["b"].node
    assert (root.entries["b"].line, root.entries["b"].column) == (2, 1)
    assert isinstance(items, Sequence)
    assert (items.items[0].line, items.items[0].column) == (3, 5)
    inner = items.items[1]
    assert isinstance(inner, Mapping)
    assert (inner.entries["c"].line, inner.entries["c"].node.column) == (4, 9)


def test_line_separators_of_old_yaml_are_ordinary_characters() -> None:
    source = "a: |\n  one\u2028two\u2029three\x85four\n  five\nb: x\u2028y\n"
    reading = read_yaml(source)
    assert plain(reading.root) == {"a": "one\u2028two\u2029three\x85four\nfive\n", "b": "x\u2028y"}
    assert isinstance(reading.root, Mapping)
    assert reading.root.entries["b"].line == 4


def test_a_pair_of_surrogate_escapes_is_one_character() -> None:
    assert plain(read_yaml('a: "\\ud83c\\udf89"').root) == {"a": "🎉"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "a (line 3): appears twice; the first stands in line 1"),
        ("a:\n  b: 1\n  b: 2\n", "a.b (line 3): appears twice; the first stands in line 2"),
        ("a: &x 1\n", "a (line 1): has a YAML anchor (&); remove it"),
        ("a: 1\nb: *x\n", "b (line 2): is a YAML alias (*); write the value out"),
        ("a: !!str 1\n", "a (line 1): has a YAML tag (!); remove it"),
        ("a: !!python/object/apply:os.system [x]\n", "a (line 1): has a YAML tag (!); remove it"),
        ("a:\n  <<: {b: 1}\n", "a (line 2): has a YAML merge key (<<); write the entries out"),
        ("? [a]\n: b\n", "document (line 1): has a key that is not text"),
        ("a: 1\n---\nb: 2\n", "document (line 2): holds several documents; only one is read"),
        ("%YAML 1.1\n---\na: 1\n", "document (line 2): uses a YAML directive; only %YAML 1.2 is read"),
        ('a: 1\nb: "\\0"\n', "b (line 2): has a NUL character"),
        ('a: "\\ud83c"\n', "a (line 1): has half a character (an unpaired surrogate escape)"),
        ("a: 1\nb: \0\n", "document (line 2): has a character that YAML does not allow (U+0000)"),
        (b"a: 1\nb: \xff\n", "document (line 2): is not UTF-8 text (byte 0xff)"),
        ("a: 1\nb: \ud800\n", "document (line 2): is not UTF-8 text (byte 0xed)"),
        ("a: 1\n" * 200_001, "document: is larger than 1 MB"),
        ("a: b: c\n", "document (line 1): is not valid YAML: mapping values are not allowed here (column 5)"),
        ('a: "\\UFFFFFFFF"', "document (line 1): is not valid YAML from here on"),
    ],
)
def test_each_refusal_names_path_line_and_reason(source: bytes | str, expected: str) -> None:
    assert expected in found(source)


def test_an_empty_document_has_no_root_and_no_problem() -> None:
    assert read_yaml("# nothing\n") == read_yaml("")
    assert read_yaml("").root is None


def test_reading_goes_on_after_a_refused_part() -> None:
    assert len(found("a: &x 1\nb: *x\nc: !t 1\na: 2\n")) == 4


@pytest.mark.parametrize("bomb", ["[" * 900_000, "{a: " * 200_000, "- " * 400_000, "? " * 400_000])
def test_deep_nesting_is_refused_before_it_is_built(bomb: str) -> None:
    started = time.perf_counter()
    assert found(bomb) == ["document (line 1): is nested more than 64 levels deep"]
    # Reading it all would take tens of seconds; this only tells the two apart.
    assert time.perf_counter() - started < 8


def test_too_many_values_are_refused() -> None:
    assert found("- a\n" * 60_000)[0].endswith("has more than 50,000 values")


def test_findings_are_capped() -> None:
    problems = read_yaml("a: 1\n" * 2_000).problems
    assert len(problems) == MAX_NOTED + 1
    assert problems[-1] == Problem("", None, "more than 200 findings; the rest is not shown")


def test_findings_show_control_characters_as_escapes_and_long_keys_cut() -> None:
    assert found('"a\\e[2J": &x 1\n') == ['["a\\x1b[2J"] (line 1): has a YAML anchor (&); remove it']
    assert len(found("? " + "k" * 5000 + "\n: &x 1\n")[0]) < 200


def test_a_laughing_billion_is_refused() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    reading = read_yaml("\n".join(lines))
    assert reading.problems
    assert all(
        "YAML alias" in problem.message or "YAML anchor" in problem.message
        for problem in reading.problems[:-1]
    )


PIECES = (
    "a b : - [ ] { } , &x *x !t |\n >-\n ' \" \\ \\x \\ud800"
    " # --- ... ? << ~ 1e5 0x é 🎉 @ ` % \0 \ufeff \x85 \u2028"
)
YAMLISH = st.lists(
    st.sampled_from([*PIECES.split(" "), "\n", "\n  ", "\t", "\r", " ", ": ", "- ", "%YAML 1.2\n"]),
    max_size=40,
).map("".join)


@given(st.one_of(st.binary(max_size=200), YAMLISH, YAMLISH.map(str.encode), st.text(max_size=100)))
def test_any_bytes_give_nodes_or_problems_and_never_an_exception(source: bytes | str) -> None:
    reading = read_yaml(source)
    assert all(isinstance(problem, Problem) for problem in reading.problems)
    assert all(problem.line is None or problem.line >= 1 for problem in reading.problems)
