"""The whole portal, started as people start it, on a real project file.

A webhook posted to a trigger of an imported project shows up on its history without a
reload, is found by a word of its body, and stands in the CSV.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import requests
from playwright.sync_api import TimeoutError as TooLate
from playwright.sync_api import expect

from tests.support.browsing import visitor

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "projects" / "lightning-webhook-reply-cron-cursor-v1.yaml"
NEW_PASSWORD = "a password of my own"

pytestmark = pytest.mark.skipif(
    not REAL.exists(),
    reason="the real project files are not beside this repository (../shared/data/projects)",
)


class Portal:
    """`portal up` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        unset = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PRIMARY_ENCRYPTION_KEY"}
        self._environment = {name: value for name, value in os.environ.items() if name not in unset} | {
            "PORTAL_DATA_DIR": str(folder / "state of it"),
            "PORTAL_PORT": str(port),
            "PORTAL_DEMO": "false",
            "WEB_PROCESSES": "1",
        }
        self._said = (folder / "said.txt").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app", "up"],
            cwd=ROOT,
            env=self._environment,
            stdout=self._said,
            stderr=self._said,
        )

    def said(self) -> str:
        """Everything that it printed so far."""
        return Path(self._said.name).read_text()

    def wait(self, seconds: float = 90) -> None:
        """Until it says that it is ready."""
        end = time.monotonic() + seconds
        while "is ready" not in self.said():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.2)

    def command(self, *arguments: str) -> str:
        """Run `portal …` beside it; answers what that printed."""
        done = subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> int:
        """Stop it as Ctrl-C does; answers its exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(60)


@pytest.fixture(scope="module")
def portal():
    folder = Path(tempfile.mkdtemp(prefix="portal end to end "))
    folder.chmod(0o711)  # its PostgreSQL may run under an account of its own
    started = Portal(folder)
    try:
        started.wait()
        yield started
        assert started.stop() == 0, started.said()
    finally:
        print(started.said())
        started._process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def log_in(portal: Portal, visit) -> None:
    password = re.search(r"One-time password: (\S+)", portal.said()).group(1)
    visit.open("/login")
    visit.page.get_by_label("E-mail").fill("admin@example.org")
    visit.page.get_by_label("Password").fill(password)
    visit.page.get_by_role("button", name="Log in").click()
    visit.page.get_by_label("Current password").fill(password)
    visit.page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    visit.page.get_by_label("New password again").fill(NEW_PASSWORD)
    visit.page.get_by_role("button", name="Save password").click()
    visit.page.wait_for_url("**/projects")


def test_a_webhook_of_a_real_project_shows_up_is_found_and_is_exported(portal, chromium):
    output = portal.command("projects", "import", str(REAL), "--owner", "admin@example.org")
    webhook = re.search(r"/i/[0-9a-f-]{36}", output).group(0)
    visit = visitor(chromium, portal.address)
    log_in(portal, visit)
    page = visit.page
    page.get_by_role("link", name="webhook-reply-and-cron-cursor-project").click()
    page.get_by_role("navigation", name="Project").get_by_role("link", name="History").click()
    page.wait_for_url("**/history")

    answer = requests.post(portal.address + webhook, json={"village": "Chikwawa", "cases": 3}, timeout=10)
    assert answer.status_code == 200, answer.text
    work_order = answer.json()["work_order_id"]
    # Somebody else's message, for the search to leave out.
    requests.post(portal.address + webhook, json={"village": "Nsanje"}, timeout=10)

    row = page.locator(f"[id*='{work_order}']").first

    def shown() -> None:
        # An empty list fills itself; a list with rows offers the new ones above it.
        offered = page.get_by_text(re.compile(r"\d+ new"))
        if offered.count() and not row.is_visible():
            offered.first.click(timeout=1_000)
        expect(row).to_be_visible(timeout=1_000)

    eventually(shown)

    def found() -> None:
        page.goto(page.url.partition("?")[0] + "?q=chikwa")
        expect(row).to_be_visible(timeout=3_000)
        expect(page.get_by_text("1 work order", exact=True).first).to_be_visible(timeout=3_000)

    eventually(found)
    page.get_by_role("button", name=re.compile("Export")).first.click()
    page.get_by_role("button", name="Start the export").click()
    download = page.get_by_role("link", name="Download").first
    expect(download).to_be_visible(timeout=30_000)
    with page.expect_download() as saving:
        download.click()
    rows = list(csv.reader(io.StringIO(Path(saving.value.path()).read_text(encoding="utf-8"))))
    page.context.close()
    assert len(rows) == 2
    assert work_order in rows[1]


def eventually(check, seconds: float = 20) -> None:
    """Call `check` until it no longer fails; indexing takes a moment."""
    end = time.monotonic() + seconds
    while True:
        try:
            return check()
        except (AssertionError, TooLate):
            if time.monotonic() > end:
                raise


def test_a_second_start_says_so_and_ends(portal):
    second = subprocess.run(
        [sys.executable, "-m", "app", "up"],
        cwd=ROOT,
        env=portal._environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode != 0
    assert portal.address in second.stdout + second.stderr
