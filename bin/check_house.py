#!/usr/bin/env python3
"""The house rules that a text search can decide; `make lint` runs them.

Each rule is a pattern, the files it is about, the files that are its home, and the sentence
that a person reads when it is broken. Standard library only, well under a second.

    .venv/bin/python bin/check_house.py     one line for each broken rule; exit code 1 when there is one
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE = 400
CODE = (".py", ".html", ".js", ".css", ".sh", ".sql")
SKIPPED = {"node_modules", "vendor", "dist", "htmlcov", "__pycache__"}
# Written by tools, or quoting their whole text.
NOT_OURS = ("locks/", "package-lock.json", "frontend.lock.json", "LICENSE", "THIRD_PARTY.md")
# Hosts that serve packages; joined here so that this file does not name them.
REGISTRIES = tuple(
    ".".join(words)
    for words in (
        ("pypi", "org"),
        ("".join(("python", "hosted")), "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("proxy", "golang", "org"),
    )
)


@dataclass(frozen=True)
class Rule:
    """One rule: where `pattern` is found in files of `where`, outside `homes`, `sentence` is said."""

    name: str
    pattern: re.Pattern[str]
    where: str
    sentence: str
    homes: tuple[str, ...] = ()

    def covers(self, name: str) -> bool:
        """Whether the file called `name` (relative, with slashes) is under this rule."""
        path = PurePosixPath(name)
        return any(path.match(glob) or name.startswith(glob) for glob in self.where.split()) and not any(
            name.startswith(home) for home in self.homes
        )


def _rule(name: str, pattern: str, where: str, sentence: str, *homes: str) -> Rule:
    return Rule(name, re.compile(pattern, re.IGNORECASE if where == TEMPLATES else 0), where, sentence, homes)


TEMPLATES = "*.html"
RULES = (
    _rule(
        "time",
        r"\b(?:datetime\.(?:now|utcnow|today)|date\.today|time\.time(?:_ns)?)\(",
        "portal/",
        "ask portal.core.clock.now() for the time",
        "portal/core/clock.py",
        "portal/static/",
    ),
    _rule(
        "ids",
        r"\buuid[14678]\(|import uuid_utils",
        "portal/",
        "make ids with portal.core.ids.new_id()",
        "portal/core/ids.py",
    ),
    _rule(
        "environment",
        r"\bos\.(?:environ|getenv)\b",
        "portal/",
        "only config/ reads the environment",
    ),
    _rule("inline handler", r"\shx-on\b|\son[a-z]+\s*=\s*[\"']", TEMPLATES, "no code in attributes"),
    _rule("script value", r"[\"'\s](?:js|javascript):", TEMPLATES, "no js: values: the policy forbids eval"),
    _rule("inline style", r"\sstyle\s*=|<style\b", TEMPLATES, "styles live in portal/static/css"),
    _rule("inline script", r"<script\b(?![^>]*\bsrc=)", TEMPLATES, "scripts live in portal/static"),
    _rule(
        "trigger filter",
        r"hx-trigger=[\"'][^\"']*\[",
        TEMPLATES,
        "no [filters] in hx-trigger: they need eval",
    ),
    _rule(
        "safe",
        r"\|\s*safe\b",
        TEMPLATES,
        "nothing is marked safe outside the chart macros",
        "portal/templates/shared/charts.html",
    ),
    Rule(
        "machine path",
        re.compile(r"(?<![\w.}>*/~-])/(?:root|work|home/[a-z]\w*|Users/\w+)/"),
        "* .ci/ bin/",
        "a path of one machine",
        ("bin/check_house.py",),
    ),
)


def files(root: Path = ROOT) -> Iterator[str]:
    """The project's own files, relative: what git holds or would add; all of a tree without git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        done = None
    if done is not None and done.returncode == 0:
        yield from (name for name in sorted(set(done.stdout.split("\0"))) if name and (root / name).is_file())
        return
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in SKIPPED]
        yield from (str((Path(folder) / name).relative_to(root)) for name in sorted(names))


def problems(name: str, text: str) -> Iterator[str]:
    """One line for each rule that the file `name` with this `text` breaks, at each place."""
    lines = text.splitlines()
    for rule in RULES:
        if rule.covers(name):
            for number, line in enumerate(lines, 1):
                if rule.pattern.search(line):
                    yield f"{name}:{number}: {rule.name}: {rule.sentence}"
    for number, line in enumerate(lines, 1):
        if any(host in line for host in REGISTRIES):
            yield f"{name}:{number}: registry: no file names the host of a package registry"
    if name.endswith(CODE) and len(lines) > LONGEST_FILE:
        yield f"{name}: length: {len(lines)} lines, at most {LONGEST_FILE}: it holds two things"


def main() -> int:
    """Check all files; answers the exit code."""
    found = []
    for name in files():
        if name.startswith(NOT_OURS):
            continue
        try:
            found += problems(name, (ROOT / name).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue  # a picture
    print("\n".join(found) if found else "house: ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
