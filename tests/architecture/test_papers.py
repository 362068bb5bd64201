"""The papers say what is so: settings, packages, rules and paths that they name exist; none is missing."""

from __future__ import annotations

import ast
import itertools
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from config.settings import Settings
from portal.web.headers import CSP

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "docs" / "spec"
NUMBER = r"\d+(?:\.\d+)*"
REFERENCE = re.compile(
    rf"\b(workorders|projects-and-workflows|dataclips-and-accounts|performance|reliability|adaptors|ux) "
    rf"(§{NUMBER}(?:-{NUMBER})?(?:(?:,| and) §{NUMBER}(?:-{NUMBER})?)*)"
)
PATH = re.compile(r"`((?:portal|config|bin|tests|docs|migrations|locks|bench)/[\w./-]*[\w/])`")


def _rows(paper: str) -> dict[str, list[str]]:
    """The table rows of a paper by their first cell, which stands in backquotes."""
    lines = (ROOT / "docs" / paper).read_text().splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")
    ]
    return {row[0].strip("`| "): row[1:] for row in cells}


def test_every_setting_is_in_the_paper_and_the_other_way_round() -> None:
    assert set(_rows("configuration.md")) == {name.upper() for name in Settings.model_fields}


def test_the_paper_names_the_defaults_that_are_in_force() -> None:
    for name, row in _rows("configuration.md").items():
        assert row[0].strip("`") == _written(Settings.model_fields[name.lower()].default), name


def _written(default: object) -> str:
    """A default as the paper writes it."""
    match default:
        case None:
            return "unset"
        case bool():
            return str(default).lower()
        case list():
            return ",".join(default)
        case _:
            return str(default)


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"].get("optional-dependencies", {})
    groups = project.get("dependency-groups", {})
    wanted = list(itertools.chain(project["project"]["dependencies"], *extras.values(), *groups.values()))
    node = json.loads((ROOT / "package.json").read_text())
    names = {re.match(r"[\w.-]+", line)[0] for line in wanted}  # type: ignore[index]
    return names | set(node.get("dependencies", {})) | set(node.get("devDependencies", {}))


def test_every_package_is_in_the_paper_and_the_other_way_round() -> None:
    assert set(_rows("dependencies.md")) == _declared()


def test_the_paper_and_the_list_of_third_parties_agree_on_licences(third_party: ModuleType) -> None:
    listed = {}
    for line in (ROOT / "THIRD_PARTY.md").read_text().splitlines()[7:]:
        name, _version, licence, _use = (cell.strip() for cell in line.strip("|").split("|"))
        listed[third_party.normal(name)] = licence
    written = {third_party.normal(name): row[2] for name, row in _rows("dependencies.md").items()}
    assert written == {name: listed.get(name, listed.get(name.replace("-", "."))) for name in written}


def test_the_list_of_third_parties_is_that_of_the_locks(third_party: ModuleType) -> None:
    assert (ROOT / "THIRD_PARTY.md").read_text() == third_party.render()


def test_the_changelog_has_a_section_for_what_is_new() -> None:
    heads = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert heads
    assert heads[0] == "Unreleased" or heads[0] == version


def _sections(name: str) -> set[str]:
    """Numbers of headings, and of the numbered points and rows under them (`8.4.4`)."""
    found, head = set(), ""
    for line in (SPEC / f"{name}.md").read_text().splitlines():
        if heading := re.match(rf"#+ ({NUMBER})[. ]", line):
            head = heading[1]
            found.add(head)
        elif point := re.match(r"(?:\| )?(\d+)(?:\.| \|) ", line):
            found.add(f"{head}.{point[1]}")
    return found


def _numbers(text: str) -> list[str]:
    """The numbers of `§18.7-15, §9.3`: both ends of a range, the second written out (18.15)."""
    found = []
    for first, last in re.findall(rf"§({NUMBER})(?:-({NUMBER}))?", text):
        found.append(first)
        if last:
            head = first.split(".")[: first.count(".") - last.count(".")]
            found.append(".".join([*head, last]))
    return found


def _references() -> list[tuple[str, str, str]]:
    places = [
        ROOT / "app.py",
        *(
            path
            for part in ("portal", "config", "tests", "migrations", "bench", "bin")
            for path in sorted((ROOT / part).rglob("*.py"))
        ),
    ]
    found = []
    for path in places:
        for match in REFERENCE.finditer(re.sub(r"\s*\n\s*(?:# )?", " ", path.read_text())):
            found += [(str(path.relative_to(ROOT)), match[1], number) for number in _numbers(match[2])]
    return found


def test_every_rule_that_code_names_is_written_down() -> None:
    references = _references()
    assert len(references) > 50
    known = {name: _sections(name) for name in {reference[1] for reference in references}}
    assert [reference for reference in references if reference[2] not in known[reference[1]]] == []


def test_a_rule_that_is_not_written_down_would_be_noticed() -> None:
    assert {"8.4", "8.4.4", "13.10"} <= _sections("workorders")
    assert _numbers("§18.7-15, §3.1-3.4 and §9") == ["18.7", "18.15", "3.1", "3.4", "9"]
    assert "8.4.9" not in _sections("workorders")
    assert REFERENCE.search("as workorders §8.5.2, §8.5.3 say")[2] == "§8.5.2, §8.5.3"  # type: ignore[index]


PAPERS = [
    "README.md",
    "CONTRIBUTING.md",
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").rglob("*.md"))),
]


@pytest.mark.parametrize("paper", PAPERS)
def test_paths_and_links_in_a_paper_lead_somewhere(paper: str) -> None:
    text = (ROOT / paper).read_text()
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text)
    missing = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    missing += [link for link in links if not (ROOT / paper).parent.joinpath(link).exists()]
    assert missing == []


def test_decisions_are_numbered_without_gaps_and_say_their_state() -> None:
    papers = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in papers] == list(range(1, len(papers) + 1))
    for path in papers:
        assert re.search(r"^Status: (accepted|superseded by \d{4})", path.read_text(), re.MULTILINE), (
            path.name
        )


def _excerpts() -> list[tuple[str, list[str]]]:
    """The excerpts of the map: file, and the pieces of it (`...` stands for what lies between)."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", text, re.DOTALL)
    return [(path, re.split(r"^\.\.\.\n", body, flags=re.MULTILINE)) for path, body in blocks]


def test_excerpts_of_the_map_stand_in_the_code() -> None:
    excerpts = _excerpts()
    assert len(excerpts) > 5
    gone = [
        (path, piece)
        for path, pieces in excerpts
        for piece in pieces
        if piece not in (ROOT / path).read_text()
    ]
    assert gone == []


def test_the_policy_in_the_paper_is_the_one_that_is_sent() -> None:
    assert CSP in " ".join((SPEC / "ux.md").read_text().split())


def _audited() -> set[tuple[str, str]]:
    """Item type and event of each `audit.record("event", "item_type", …)` in the code."""
    found = set()
    for path in (ROOT / "portal").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("audit.record", "record"):
                match node.args[:2]:
                    case [ast.Constant(value=str(event)), ast.Constant(value=str(item_type))]:
                        found.add((item_type, event))
    return found


def test_every_audit_event_is_written_down() -> None:
    text = (SPEC / "dataclips-and-accounts.md").read_text().partition("### 3.3")[2].partition("## 4")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    written = {(row[0], event.strip()) for row in rows for event in row[1].split(",")}
    assert len(_audited()) > 3
    assert _audited() - written == set()


def test_the_map_shows_every_room() -> None:
    tree = (
        (ROOT / "docs" / "ARCHITECTURE.md")
        .read_text()
        .partition("## The tree")[2]
        .partition("In a context")[0]
    )
    shown = {
        line.split()[0].rstrip("/,")
        for line in tree.splitlines()
        if line[:1].strip() or line.startswith("  ")
    }
    rooms = {
        path.name for path in (ROOT / "portal").iterdir() if path.is_dir() and not path.name.startswith("__")
    }
    assert rooms
    assert rooms - shown == set()
