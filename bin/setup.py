#!/usr/bin/env python3
"""The work of bin/setup; standard library only, for it runs before anything is installed.

A stamp in .venv holds the hash of the lock that was installed completely, so a second
run does nothing, a changed lock installs again, and a run that was cut short goes on.
Programs of the environment are always called as `.venv/bin/python -m …`: their own
first lines break when the path of the project has a space.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NEWS_EVERY = 5.0  # seconds between two lines of progress


def main(arguments: Sequence[str]) -> int:
    os.chdir(ROOT)
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands started together take turns
        try:
            make_environment()
            install("dev" if "--dev" in arguments else "base")
            run([str(PYTHON), "bin/frontend.py"], "the front-end packages")
        except SetupError as failure:
            print(f"setup: {failure}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("setup: interrupted; run it again to go on", file=sys.stderr)
            return 130
    return 0


class SetupError(Exception):
    """One line that says what could not be done."""


def make_environment() -> None:
    """Make .venv; one that is broken, unfinished or of another Python is made anew."""
    if works():
        return
    print(f"setup: making .venv with Python {sys.version.split()[0]}", flush=True)
    interpreter = getattr(sys, "_base_executable", sys.executable)
    command = [interpreter, "-m", "venv", "--clear", str(VENV)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 and works():
        return
    said = done.stdout + done.stderr
    shutil.rmtree(VENV, ignore_errors=True)
    if "ensurepip" in said:
        name = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise SetupError(
            f"this Python cannot make virtual environments: install {name} (apt-get install {name})."
        )
    raise SetupError(f"no virtual environment could be made: {last_line(said)}")


def works() -> bool:
    """Whether .venv has a Python that runs, is new enough, and has pip."""
    question = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([str(PYTHON), "-c", question], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def install(name: str) -> None:
    """Install locks/<name>.txt unless its stamp says that it is installed. dev holds all of base."""
    if any(stamp(known).exists() for known in {name, "dev"}):
        return
    packages = sum(line[:1].isalnum() for line in (ROOT / "locks" / f"{name}.txt").read_text().splitlines())
    print(f"setup: installing up to {packages} packages (locks/{name}.txt)", flush=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    pip += ["--no-warn-script-location", "--root-user-action", "ignore"]
    pip += ["--require-hashes", "--only-binary", ":all:", "-r", f"locks/{name}.txt"]
    run(pip, "the packages")
    for old in VENV.glob(f"installed-{name}-*"):
        old.unlink()
    stamp(name).touch()


def stamp(name: str) -> Path:
    """The file whose presence says that this very lock was installed to its end."""
    content = (ROOT / "locks" / f"{name}.txt").read_bytes()
    return VENV / f"installed-{name}-{hashlib.sha256(content).hexdigest()[:16]}"


def run(command: list[str], what: str) -> None:
    """Run quietly, with a line of news now and then; on failure show what it said."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    lines: list[str] = []
    fetched, told = 0, time.monotonic()
    for line in process.stdout or ():
        lines.append(line)
        fetched += line.startswith("Collecting ")
        if line.startswith("Installing collected packages"):
            print("setup:   … unpacking", flush=True)
        elif time.monotonic() - told > NEWS_EVERY:
            told = time.monotonic()
            print(f"setup:   … {fetched} packages fetched" if fetched else "setup:   …", flush=True)
    if process.wait() != 0:
        sys.stderr.write("".join(line for line in lines if is_trouble(line)) or "".join(lines[-20:]))
        raise SetupError(f"{what} could not be installed (see above); the next run goes on from here.")


def is_trouble(line: str) -> bool:
    """Errors, without the progress and the warnings around them."""
    return line.startswith(("ERROR", "error", "front end:"))


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
