#!/usr/bin/env python3
"""Whether the interface's texts can be gathered for translators from all code and templates."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAPPING = "[python: **.py]\n[jinja2: **/templates/**.html]\n[jinja2: **/templates/**.txt]\n"
KEYWORDS = ("_", "gettext", "ngettext:1,2", "lazy_gettext", "_l", "N_")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        mapping, catalogue = Path(folder) / "babel.cfg", Path(folder) / "messages.pot"
        own = ROOT / "babel.cfg"
        mapping.write_text(own.read_text() if own.exists() else MAPPING)
        words = [part for keyword in KEYWORDS for part in ("-k", keyword)]
        command = [sys.executable, "-m", "babel.messages.frontend", "extract", "-F", str(mapping), *words]
        done = subprocess.run(
            [*command, "-o", str(catalogue), "portal"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            print(done.stderr, file=sys.stderr)
            return 1
        print(f"texts: {catalogue.read_text().count('msgid ') - 1} found")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
