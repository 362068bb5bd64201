"""Static files: served by WhiteNoise under an address that changes with their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask
from whitenoise import WhiteNoise

FOREVER = 31_536_000


def init_app(app: Flask) -> None:
    """Serve `portal/static`, cached for ever under the hash of all files."""
    root = Path(app.root_path) / "static"
    version = _fingerprint(root)
    server = WhiteNoise(app.wsgi_app, max_age=60)
    server.add_files(str(root), prefix="static/")
    for_ever = WhiteNoise(server, max_age=FOREVER)
    for_ever.add_files(str(root), prefix=f"static/{version}/")
    app.wsgi_app = for_ever  # type: ignore[method-assign]
    app.jinja_env.globals["asset"] = lambda path: f"/static/{version}/{path}"


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
