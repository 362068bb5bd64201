"""Fragments have one root with an id, and no text for people stands outside gettext."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.markup import PRINTED, bare_sentences, bare_texts, environment, read, roots

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "portal" / "templates"
ALL = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))
FRAGMENT = re.compile(r"(?:[\w-]+/)*_[\w-]+\.html\Z")
# Put into whatever region asked: its id is that region's.
WITHOUT_ID = {"errors/_alert.html"}
# Rows that replace a "load more" at the end of a list: several, each with an id of its own.
ROWS = re.compile(r"[/_](?:more|rows|lines)\.html\Z")
INCLUDE = re.compile(r"{%-?\s*include\s+\"([^\"]+)\"\s*-?%}")
# Signs and units that are the same in every language.
UNTRANSLATED = {"UTC", "CSV", "JSON"}


def _rendered_alone() -> list[str]:
    """The fragments that Python code names: those are answers by themselves."""
    named = set()
    for path in (ROOT / "portal").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and FRAGMENT.match(node.value):
                named.add(node.value)
    return sorted(named)


def test_the_search_for_fragments_finds_some() -> None:
    assert "errors/_alert.html" in _rendered_alone()


@pytest.mark.parametrize("name", _rendered_alone())
def test_a_fragment_that_is_rendered_alone_exists(name: str) -> None:
    assert name in ALL


@pytest.mark.parametrize(
    "name", [name for name in _rendered_alone() if name in ALL and not ROWS.search(name)]
)
def test_a_fragment_has_one_root_with_an_id(name: str) -> None:
    source = _resolved((TEMPLATES / name).read_text())
    found = [roots(source, branch=branch) for branch in (0, 1)]
    assert max(len(roots_) for roots_ in found) == 1, f"{name} has {found[0]} at its top"
    assert name in WITHOUT_ID or all(has_id for roots_ in found for _tag, has_id in roots_), f"{name}: no id"


@pytest.mark.parametrize("name", [name for name in _rendered_alone() if name in ALL and ROWS.search(name)])
def test_rows_have_ids_of_their_own(name: str) -> None:
    ids = read(_resolved((TEMPLATES / name).read_text()), branch=0).ids
    assert any(PRINTED in id_ for id_ in ids)


def _resolved(source: str) -> str:
    """The source of a template with that of all it includes in its place."""
    plain = re.sub(r"{%-?\s*(?:from|extends|import)\b.*?%}", "", source, flags=re.DOTALL)
    return INCLUDE.sub(lambda match: _resolved((TEMPLATES / match[1]).read_text()), plain)


@pytest.mark.parametrize("name", ALL)
def test_no_text_for_people_stands_outside_gettext(name: str) -> None:
    source = (TEMPLATES / name).read_text()
    bare = [found for found in bare_texts(source) if found[1] not in UNTRANSLATED]
    assert [*bare, *bare_sentences(source)] == []


def test_bare_texts_are_noticed() -> None:
    assert bare_texts("<p>Hello {{ name }}</p>") == [(1, "Hello")]
    assert bare_texts("<p\n title='Read me'>{{ _('x') }}</p>") == [(1, "Read me")]
    assert bare_texts("<p>{% trans %}Hello{% endtrans %} · {{ _('x') }} 7</p>") == []
    assert bare_texts("{# Hello #}<kbd>g</kbd><pre translate='no'>curl <b>-X</b></pre>") == []
    assert bare_texts("<pre translate='no'>curl</pre><p>Hello</p>") == [(1, "Hello")]
    assert bare_texts('{% macro state() %} aria-busy="true" autofocus{% endmacro %}') == []
    assert list(bare_sentences("{{ empty('x', 'Nothing here yet') }}")) == [(1, "Nothing here yet")]
    assert list(bare_sentences("{{ empty('x', _('Nothing here yet')) }}")) == []


def test_roots_are_counted() -> None:
    assert roots("<p id='a'></p><br>", branch=0) == [("p", True), ("br", False)]
    assert roots("{% if x %}<p></p>{% else %}<ul id='b'><li></li></ul>{% endif %}", branch=1) == [
        ("ul", True)
    ]
    assert roots("<p id='a'></p><hx-partial hx-target='#b'><p></p></hx-partial>", branch=0) == [("p", True)]
    assert roots("{% for x in y %}<li id='{{ x }}'><img></li>{% endfor %}", branch=0) == [("li", True)]


@pytest.mark.parametrize("name", ALL)
def test_a_template_can_be_parsed_and_is_short(name: str) -> None:
    source = (TEMPLATES / name).read_text()
    environment.parse(source)
    assert len(source.splitlines()) <= 150
