"""The CSV export: rows a second against a plain COPY of the same columns, and the memory it takes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg

from bench import capture
from bench.outcome import Case
from bench.statements import FLOORS, REFERENCE
from config.settings import Settings
from portal import projects, workorders
from portal.core import clock
from portal.core.db import session
from portal.workorders import SearchFilters

MOST_REFERENCE = 2_000
LEAST = 0.5
MOST_GROWTH = 20.0  # MB


def rate(project: projects.Project, plain: psycopg.Connection, rounds: int) -> Case:
    """Seconds a row for reference, ours and floor, taken in turns."""
    case = Case("CSV export, seconds a row")
    with capture.sent() as found:
        _export(project, SearchFilters())
    case.plans = [plan for plan in capture.checked(found) if "string_agg" in plan.statement]
    for _ in range(rounds):
        _add(case.reference.seconds, lambda: _reference(project, plain))
        _add(case.ours.seconds, lambda: _export(project, SearchFilters()))
        _add(case.floor.seconds, lambda: _copy(project, plain))
    share = case.floor.median / case.ours.median
    case.target, case.passed = f"≥ {LEAST} × COPY", share >= LEAST
    case.figures = f"{1 / case.ours.median:,.0f} rows/s, {share:.2f} of COPY"
    return case


def _add(seconds: list[float], work: Callable[[], int]) -> None:
    begun = time.perf_counter()
    rows = work()
    seconds.append((time.perf_counter() - begun) / max(rows, 1))


def _export(project: projects.Project, filters: SearchFilters) -> int:
    with tempfile.TemporaryFile() as sink, tempfile.TemporaryFile() as ids:
        end = workorders.write_csv(project, filters, cut_off=clock.now(), sink=sink, ids=ids)
    session().rollback()
    return end.rows


def _copy(project: projects.Project, plain: psycopg.Connection) -> int:
    written, sink = 0, io.BytesIO()
    with plain.cursor().copy(FLOORS["export"].replace("%(project)s", f"'{project.id}'")) as copy:
        for block in copy:
            written += bytes(block).count(b"\n")
            sink.write(block)
    return written


def _reference(project: projects.Project, plain: psycopg.Connection) -> int:
    """Pages of 50 by OFFSET, for the first so many rows."""
    rows, more = 0, True
    while more and rows < MOST_REFERENCE:
        found = plain.execute(REFERENCE["export"], {"project": project.id, "offset": rows}).fetchall()
        rows, more = rows + len(found), bool(found)
    return rows


def memory(project: projects.Project, settings: Settings, plain: psycopg.Connection) -> Case:
    """Peak memory of a process that exports a tenth of the project, and of one that exports all of it."""
    row = plain.execute(
        "SELECT last_activity FROM work_orders WHERE project_id = %s ORDER BY last_activity DESC LIMIT 1"
        " OFFSET (SELECT count(*) / 10 FROM work_orders WHERE project_id = %s)",
        [project.id, project.id],
    ).fetchone()
    if row is None:
        raise RuntimeError("the largest project is empty")
    few, all_ = _child(settings, project.id, row[0]), _child(settings, project.id, None)
    growth = all_["megabytes"] - few["megabytes"]
    case = Case("CSV export, peak memory of its process")
    case.target, case.passed = f"≤ {MOST_GROWTH:g} MB more for 10 × the rows", growth <= MOST_GROWTH
    told = [f"{one['megabytes']:.1f} MB for {one['rows']:,.0f} rows" for one in (few, all_)]
    case.figures = ", ".join(told)
    return case


def _child(settings: Settings, project_id: uuid.UUID, since: datetime | None) -> dict[str, float]:
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "PORTAL_DATA_DIR": str(settings.portal_data_dir),
    }
    command = [sys.executable, "-m", "bench.exports", str(project_id), since.isoformat() if since else ""]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _main(project_id: str, since: str) -> None:
    """What the child does: the application of a worker, one export, its peak memory."""
    import app

    with app.create("worker").app_context():
        project = projects.get(uuid.UUID(project_id))
        filters = SearchFilters(active_from=datetime.fromisoformat(since)) if since else SearchFilters()
        rows = _export(project, filters)
    print(json.dumps({"rows": rows, "megabytes": _peak()}))


def _peak() -> float:
    """Most memory that this process had resident, in MB; the count of rusage includes its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
