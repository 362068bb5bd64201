#!/usr/bin/env python3
"""Write docs/openapi.json, the document of the API, from its routes; needs no server.

.venv/bin/python bin/openapi.py            write the file
.venv/bin/python bin/openapi.py --check    change nothing; fail when the file is not up to date
"""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "openapi.json"
sys.path.insert(0, str(ROOT))


def render() -> str:
    """The text of the document."""
    from config.settings import Settings
    from portal.api.papers import dumped
    from portal.factory import create_app

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            portal_data_dir=Path(folder),
            database_url="postgresql://nowhere/nothing",
            redis_url="redis://nowhere",
            secret_key="made up, for nothing is signed here",
            primary_encryption_key=base64.b64encode(bytes(32)).decode(),
        )
        return dumped(create_app(settings, "command"))


def main(arguments: list[str]) -> int:
    text = render()
    if arguments == ["--check"]:
        if TARGET.exists() and TARGET.read_text() == text:
            return 0
        print("openapi: docs/openapi.json is not that of the routes: run `make openapi`")
        return 1
    TARGET.write_text(text)
    print("openapi: docs/openapi.json written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
