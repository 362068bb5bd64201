"""bin/frontend.py: packages reach the static folder whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
ICON = b'<!-- note --><svg xmlns="http://www.w3.org/2000/svg" class="x" viewBox="0 0 24 24"><path /></svg>'


@pytest.fixture
def frontend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, working in an own folder whose path has a space."""
    spec = importlib.util.spec_from_file_location("frontend", ROOT / "bin" / "frontend.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    home = tmp_path / "a folder"
    (home / "node_modules" / "icons").mkdir(parents=True)
    (home / "node_modules" / "lib.js").write_bytes(b"library")
    (home / "node_modules" / "icons" / "dot.svg").write_bytes(ICON)
    monkeypatch.setattr(module, "ROOT", home)
    monkeypatch.setattr(module, "PACKAGES", home / "node_modules")
    monkeypatch.setattr(module, "LOCK", home / "frontend.lock.json")
    return module


def write_lock(frontend: ModuleType, **wrong: str) -> None:
    """A lock that fits the packages, but for the hashes given as `wrong`."""
    icons = {"from": "icons", "to": "out/icons.svg", "icons": ["dot"]}
    library: dict[str, Any] = {"from": "lib.js", "to": "out/lib.js"}
    library["sha256"] = wrong.get("library") or hashlib.sha256(b"library").hexdigest()
    icons["sha256"] = wrong.get("icons") or hashlib.sha256(frontend.source(icons)).hexdigest()
    frontend.LOCK.write_text(json.dumps({"files": [library], "sprite": icons}))


def test_files_are_copied_without_npm_when_the_packages_are_there(
    frontend: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontend, "install", lambda: pytest.fail("npm was not needed"))
    write_lock(frontend)
    frontend.provide()
    assert (frontend.ROOT / "out" / "lib.js").read_bytes() == b"library"
    frontend.provide()


def test_a_file_that_differs_from_its_hash_stops_everything(
    frontend: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontend, "install", lambda: None)
    write_lock(frontend, icons="0" * 64)
    with pytest.raises(frontend.FrontendError, match="icons differs"):
        frontend.provide()
    assert not (frontend.ROOT / "out").exists()


def test_a_changed_copy_is_put_right_again(frontend: ModuleType) -> None:
    write_lock(frontend)
    frontend.provide()
    (frontend.ROOT / "out" / "lib.js").write_bytes(b"tampered")
    frontend.provide()
    assert (frontend.ROOT / "out" / "lib.js").read_bytes() == b"library"
    assert sorted(path.name for path in (frontend.ROOT / "out").iterdir()) == ["icons.svg", "lib.js"]


def test_icons_become_symbols_that_follow_the_colour_of_the_text(frontend: ModuleType) -> None:
    sheet = frontend.sprite(frontend.PACKAGES / "icons", ["dot"]).decode()
    assert '<symbol id="dot" viewBox="0 0 24 24"' in sheet
    assert 'stroke="currentColor"' in sheet
    assert "class=" not in sheet


def test_only_npm_s_telling_line_is_passed_on(frontend: ModuleType) -> None:
    output = "npm error code ENOTFOUND\nnpm error errno ENOTFOUND\nnpm error network request failed\n"
    assert frontend.reason(output) == "network request failed"


def test_the_committed_locks_name_no_addresses() -> None:
    for name in ("package-lock.json", "frontend.lock.json", "package.json"):
        assert "://" not in (ROOT / name).read_text()


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    icons = json.loads((ROOT / "frontend.lock.json").read_text())["sprite"]["icons"]
    pages = list((ROOT / "portal" / "templates").rglob("*.html"))
    named = {name for page in pages for name in re.findall(r'icon\("([a-z-]+)"', page.read_text())}
    assert named
    assert named <= set(icons)
