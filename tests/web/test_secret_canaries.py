"""Values of credentials, planted where runs leave things: no page, file or row shows them (§1.11)."""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from contextlib import suppress

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core import clock, storage
from portal.core.db import session
from portal.operations import jobs
from portal.projects.models import ProjectFile
from portal.workorders import ExportFormat, step_secrets
from portal.workorders.indexing import index_due
from tests.support.history import started, step_of
from tests.support.vault import CANARIES, PASSWORD, USERNAME, coded, lend

LEAK = {
    "who": USERNAME,
    "auth": coded(f"{USERNAME}:{PASSWORD}"),
    "harbour": "ok",
    "word": PASSWORD,
    "pin": 48151623,
}
# A piece of the password that is left when a search takes its signs away.
SPLIT = "canary pass"


@pytest.fixture(autouse=True)
def _nothing_known():
    step_secrets.forget()
    yield
    step_secrets.forget()


@pytest.fixture
def leaky(cast, flow):
    """Two failed runs whose second step was given, logged and left secrets."""
    lend(flow, "First", cast.owner)
    made = []
    for pin in (48151623, 1):
        created, first = started(flow, {"visit": 1}), uuid.uuid4()
        step_id = step_of(flow, created, "First")
        body = json.dumps(LEAK | {"pin": pin, "run": str(created.run_id)})
        workorders.complete_step(
            created.run_id, step_id, "success", output_dataclip=body, output_dataclip_id=first
        )
        second, left = step_of(flow, created, "Second", input_dataclip_id=first), uuid.uuid4()
        line = {"message": LEAK, "timestamp": clock.now(), "level": "error", "step_id": str(second)}
        workorders.append_log(created.run_id, line)
        workorders.complete_step(
            created.run_id, second, "fail", output_dataclip=body, output_dataclip_id=left
        )
        workorders.complete_run(created.run_id, state="failed", error_type="Bad", final_dataclip_id=left)
        made.append((created, (first, left)))
    index_due()
    with clock.frozen_at(clock.now().replace(year=clock.now().year + 1)):
        workorders.sort_failures()
    return made


def found_in(text: str) -> list[str]:
    text = text.replace("&#34;", '"').replace("&quot;", '"')
    return [canary for canary in (*CANARIES, SPLIT) if canary in text]


def addresses(base, leaky):
    project, group = base.removesuffix("/history"), workorders_group()
    for created, clips in leaky:
        run = f"{project}/runs/{created.run_id}"
        yield from (run, f"{run}/log.txt", f"{base}/{created.work_order_id}")
        for (step_id,) in session().execute(
            sa.text("SELECT step_id FROM run_steps WHERE run_id = :id"), {"id": created.run_id}
        ):
            yield f"{run}?step={step_id}"
        for clip in clips:
            yield from (f"{project}/dataclips/{clip}/body", f"{project}/dataclips/{clip}/body?download=1")
    runs = [created.run_id for created, _clips in leaky]
    yield f"{project}/runs/compare?a={runs[0]}&b={runs[1]}"
    yield from (base, f"{base}?q=harbour&in=body", f"{base}?q=harbour&in=log", f"{base}?q=canary&in=body")
    yield from (f"{project}/errors", f"{project}/errors/{group}")


def workorders_group() -> uuid.UUID:
    return session().scalar(sa.text("SELECT id FROM error_groups"))


def test_no_page_shows_a_secret(browser, base, leaky):
    shown = {}
    for address in addresses(base, leaky):
        answer = browser.get(address, follow_redirects=True)
        assert answer.status_code == 200, address
        shown[address] = answer.text
    assert {address: found_in(text) for address, text in shown.items() if found_in(text)} == {}
    assert sum("***" in text for text in shown.values()) > 8


def test_the_evidence_of_a_search_is_shown_without_them(browser, base, leaky):
    page = browser.get(f"{base}?q=harbour&in=body", follow_redirects=True).text
    assert "<mark>harbour</mark>" in page
    assert found_in(page) == []


def test_no_stored_line_holds_a_secret(leaky):
    for table in ("log_lines", "error_groups", "audit_events", "operations"):
        rows = session().scalars(sa.text(f"SELECT CAST(t AS text) FROM {table} AS t")).all()
        assert found_in("\n".join(rows)) == []


@pytest.mark.parametrize("form", [ExportFormat.CSV, ExportFormat.ZIP])
def test_no_export_holds_a_secret(cast, leaky, queue, form):
    file = workorders.request_export(
        cast.project, workorders.SearchFilters(), actor=cast.actor(cast.viewer), format=form
    )
    jobs.work(str(file.operation_id))

    stored = session().get(ProjectFile, file.id, populate_existing=True)
    with storage.open_for_read(stored.path) as stream:
        content = stream.read()
    texts = [content.decode("utf-8", "replace")]
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist()]
        assert any(re.search(r'"harbour": ?"ok"', text) for text in texts)
        assert any("***" in text for text in texts)
    assert [found for text in texts for found in found_in(text)] == []
