# ruff: noqa: E501
"""Pictures of every page of the guide: wide and phone, light and dark; and what the browser complained about."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

from guide import PAGES, ROOT, create_guide
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def main(folder: Path, only: list[str]) -> None:
    """Write PAGE-WIDTH-THEME.png into `folder`; print console messages and what axe finds."""
    folder.mkdir(parents=True, exist_ok=True)
    server = make_server("127.0.0.1", 0, create_guide(), threaded=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    axe = (ROOT / "tests/browser/vendor/axe.min.js").read_text()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for width in (1280, 390):
            for theme in ("light", "dark"):
                view = browser.new_page(viewport={"width": width, "height": 900})
                view.on("console", lambda m: print("console:", m.text))
                view.on("pageerror", lambda m: print("error:", m))
                for name in only or PAGES:
                    view.goto(f"http://127.0.0.1:{server.server_port}/{name}?theme={theme}")
                    view.wait_for_load_state("networkidle")
                    view.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
                    view.evaluate(axe)
                    for found in view.evaluate(
                        "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120) + ' ' + (n.any[0]?.message ?? '')).join(' | ')))"
                    ):
                        print(f"axe {name} {width} {theme}: {found}")
                    wide = view.evaluate("document.documentElement.scrollWidth - innerWidth")
                    if wide > 0:
                        print(f"overflow {name} {width}: {wide}px")
                view.close()
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "/tmp/guide"), sys.argv[2:])
