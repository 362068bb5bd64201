"""A portal that a real browser can visit, and a browser that notes every complaint."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from playwright.sync_api import Browser, Page, Playwright
from werkzeug.serving import make_server

AXE = Path(__file__).resolve().parents[1] / "browser" / "vendor" / "axe.min.js"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Before any script of the page: keeps what the policy refused where a test can read it.
_LISTEN = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (one) =>
  window.refused.push([one.violatedDirective, one.blockedURI, one.sourceFile, one.lineNumber].join(" ")));
"""
_FINDINGS = """
axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(found =>
  found.violations.filter(one => ["serious", "critical", "moderate"].includes(one.impact)).map(one =>
    one.id + ": " + one.nodes.map(node =>
      node.html.slice(0, 140) + " " + (node.any[0]?.message ?? "")).join(" | ")))
"""


def find_chromium() -> str | None:
    """Where the browser is; PORTAL_CHROMIUM wins over the usual names."""
    return os.environ.get("PORTAL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def launch(play: Playwright) -> Browser:
    """Start the browser. Raises when there is none."""
    return play.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve `app` from threads of this process; answers its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Visitor:
    """A page of the browser, and all that went wrong in it."""

    page: Page
    address: str
    scriptless: bool = False
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(_LISTEN)
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def open(self, path: str) -> None:
        """Go to a path of the portal."""
        self.page.goto(self.address + path)

    def log_in(self, email: str, password: str) -> None:
        """Log in by the form, as people do."""
        self.open("/login")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url("**/projects")

    def refused(self) -> list[str]:
        """What the content security policy refused on the present page."""
        found: list[str] = self.page.evaluate("window.refused")
        return found

    def inaccessible(self) -> list[str]:
        """What axe finds on the present page, but for trifles."""
        self.page.evaluate(AXE.read_text())
        found: list[str] = self.page.evaluate(_FINDINGS)
        return found

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        found: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return found


def visitor(browser: Browser, address: str, **options: Any) -> Visitor:
    """A visitor with cookies of its own; options as Playwright's `new_context`."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    context.set_default_timeout(15_000)
    return Visitor(context.new_page(), address, options.get("java_script_enabled") is False)
