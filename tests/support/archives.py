"""Reading an exported archive the way an auditor does: every entry against the manifest."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import Any, BinaryIO


def verified(source: BinaryIO | str) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """Manifest, export.json and all entries; fails the test when they do not agree with each other."""
    with zipfile.ZipFile(source) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        entries = {name: archive.read(name) for name in names}
    assert len(names) == len(set(names))
    manifest = json.loads(entries["manifest.json"])
    told = {entry["name"]: (entry["bytes"], entry["sha256"]) for entry in manifest["entries"]}
    assert len(told) == len(manifest["entries"])
    assert told == {
        name: (len(content), hashlib.sha256(content).hexdigest())
        for name, content in entries.items()
        if name != "manifest.json"
    }
    content = json.loads(entries["export.json"])
    assert manifest["rows"] == {name: len(rows) for name, rows in content.items()}
    return manifest, content, entries
