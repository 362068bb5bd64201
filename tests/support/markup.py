"""What can be known of a template without rendering it: its roots, its bare texts, its sentences in code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from jinja2 import Environment, nodes

VOID = {
    *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"),
}
# Stands where an expression prints something.
PRINTED = "\ue000"
TRANSLATED = {"_", "gettext", "ngettext", "pgettext"}
# Attributes that people read or hear.
READ_ALOUD = {"aria-label", "title", "placeholder", "alt", "aria-description", "aria-roledescription"}
# What a macro writes into a tag looks like text to a parser that sees the macro alone.
ATTRIBUTES = re.compile(
    r"(?:^|\s)(?:[a-z-]+=\"[^\"]*\"|autofocus|checked|disabled|open|required|selected)(?=\s|$)"
)
# What htmx puts into other places of the page than the fragment's own.
ELSEWHERE = "hx-partial"
VERBATIM = {"kbd", "code", "script", "style"}

environment = Environment(
    extensions=["jinja2.ext.i18n"], autoescape=True
)  # as the application's, for parsing


@dataclass
class Markup(HTMLParser):
    """Collects roots (tag and whether it has an id), ids, and texts (line, text) of flattened markup."""

    roots: list[tuple[str, bool]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self._as_is: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a root and the attributes that people read."""
        given = dict(attrs)
        if not self._open and tag != ELSEWHERE:
            self.roots.append((tag, bool(given.get("id"))))
        self.ids += [value for value in (given.get("id"),) if value]
        line = self.getpos()[0]
        self.texts += [(line, value) for name, value in attrs if name in READ_ALOUD and value]
        if tag not in VOID:
            self._open.append(tag)
            self._as_is.append(tag in VERBATIM or given.get("translate") == "no")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """`<use/>` opens and closes at once."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._close()

    def handle_endtag(self, tag: str) -> None:
        """Close the element, and whatever was left open inside it."""
        if tag in self._open:
            while self._close() != tag:
                pass

    def _close(self) -> str:
        self._as_is.pop()
        return self._open.pop()

    def handle_data(self, data: str) -> None:
        """Note a text outside the elements that show things as they are."""
        if not any(self._as_is):
            self.texts.append((self.getpos()[0], data))


def read(source: str, *, branch: int) -> Markup:
    """The markup of a template when every `if` takes its first (0) or its last (1) branch."""
    parser = Markup()
    parser.feed(_flat(environment.parse(source).body, branch))
    return parser


def roots(source: str, *, branch: int) -> list[tuple[str, bool]]:
    """The outermost elements of a template: tag, and whether it has an id."""
    return read(source, branch=branch).roots


def _flat(body: list[nodes.Node], branch: int) -> str:
    return "".join(_flat_node(node, branch) for node in body)


def _flat_node(node: nodes.Node, branch: int) -> str:
    match node:
        case nodes.Output():
            return "".join(
                part.data if isinstance(part, nodes.TemplateData) else PRINTED for part in node.nodes
            )
        case nodes.If():
            return _flat(node.body if branch == 0 else node.else_, branch)
        case nodes.For() | nodes.With() | nodes.Scope() | nodes.Block():
            return _flat(node.body, branch)
    return ""


def bare_texts(source: str) -> list[tuple[int, str]]:
    """Texts for people that stand in the template itself, with their lines, in place of a translation."""
    parser = Markup()
    parser.feed(_without_expressions(source))
    said = [(line, ATTRIBUTES.sub("", text).strip(f" \n·:(){PRINTED}")) for line, text in parser.texts]
    return [(line, text) for line, text in said if re.search(r"[^\W\d_]", text)]


def _without_expressions(source: str) -> str:
    """The markup alone: an expression is one sign, a block tag or comment nothing; lines are kept."""
    kept, inside, translated = [], False, False
    for _line, kind, value in environment.lex(source):
        breaks = "\n" * value.count("\n")
        if kind == "data":
            kept.append(breaks if translated else value)
        elif kind in ("block_begin", "variable_begin", "comment_begin"):
            inside, opened = True, kind
            kept.append((PRINTED if opened == "variable_begin" else "") + breaks)
        elif kind in ("block_end", "variable_end", "comment_end"):
            inside = False
            kept.append(breaks)
        else:
            kept.append(breaks)
            if inside and kind == "name" and value in ("trans", "endtrans"):
                translated = value == "trans"
    return "".join(kept)


def bare_sentences(source: str) -> Iterator[tuple[int, str]]:
    """Sentences inside expressions that nothing translates, with their lines."""
    tree = environment.parse(source)
    translated = {
        id(const)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in TRANSLATED
        for const in call.find_all(nodes.Const)
    }
    for const in tree.find_all(nodes.Const):
        said = const.value if isinstance(const.value, str) and id(const) not in translated else ""
        if re.match(r"[A-Z][a-z]*,? [a-z]", said):
            yield const.lineno, said
