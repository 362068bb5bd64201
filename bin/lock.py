#!/usr/bin/env python3
"""Compile pyproject.toml into locks/: names, versions and hashes, never an address.

.venv/bin/python bin/lock.py              bring the locks up to date with pyproject.toml
.venv/bin/python bin/lock.py --upgrade    and take the newest versions it allows
.venv/bin/python bin/lock.py --check      change nothing; fail when they are not up to date
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"base": ["--extra", "embedded"], "dev": ["--extra", "embedded", "--group", "dev"]}
COMPILE = [
    *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--no-header"),
    *("--no-emit-index-url", "--generate-hashes"),
]
# What uv says when it cannot ask an index: no reason to call a lock wrong.
UNREACHABLE = ("client error", "Failed to fetch", "dns error", "Could not connect", "network", "offline")


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    for name in LOCKS:
        old = ROOT / "locks" / f"{name}.txt"
        with tempfile.TemporaryDirectory() as folder:
            new = Path(folder) / old.name
            if old.exists():
                shutil.copy(old, new)  # its versions stay unless pyproject.toml forbids them
            problem = compile_lock(name, new, upgrade="--upgrade" in arguments)
            if problem and check and any(sign in problem for sign in UNREACHABLE):
                print("lock: no package index can be reached; not checked")
                return 0
            if problem:
                print(problem, file=sys.stderr)
                return 1
            if not old.exists() or old.read_text() != new.read_text():
                if check:
                    print(f"lock: locks/{name}.txt is not up to date with pyproject.toml: run `make lock`")
                    return 1
                shutil.copyfile(new, old)
                print(f"lock: locks/{name}.txt written")
    return 0


def compile_lock(name: str, output: Path, *, upgrade: bool) -> str | None:
    """Write `output`; returns what uv said when it failed."""
    command = [sys.executable, "-m", "uv", *COMPILE, *(["--upgrade"] if upgrade else []), *LOCKS[name]]
    command += ["pyproject.toml", "-o", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
