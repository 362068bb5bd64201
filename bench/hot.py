"""The busiest commands: handing out waiting runs, and taking in log lines. What they add is removed."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench import capture
from bench.outcome import Case, Series
from bench.places import Place
from bench.statements import FLOORS, REFERENCE
from portal import workorders
from portal.core import clock
from portal.core.db import session
from portal.core.ids import new_id

WAITING = 10_000
CLAIMERS = 4
LINES = 1_000
MARK = "bench-waiting"

_ADD = (
    """INSERT INTO work_orders (id, project_id, workflow_id, state, last_activity, inserted_at, updated_at)
    SELECT gen_random_uuid(), f.project_id, f.id, 'pending', now(), now(), now()
    FROM generate_series(1, %(waiting)s) AS n
    JOIN (SELECT id, project_id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS flows
          FROM workflows) AS f ON f.place = n %% f.flows + 1""",
    """INSERT INTO runs (id, work_order_id, project_id, workflow_id, starting_trigger_id, state, priority,
        worker_name, options, inserted_at, updated_at)
    SELECT gen_random_uuid(), w.id, w.project_id, w.workflow_id, t.id, 'available', 1, %(mark)s, '{}',
        now() + n * interval '1 millisecond', now()
    FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM work_orders
          WHERE state = 'pending' AND dataclip_id IS NULL) AS w
    JOIN triggers AS t ON t.workflow_id = w.workflow_id""",
    "ANALYZE runs",
)
_REMOVE = (
    "DELETE FROM runs WHERE dataclip_id IS NULL AND state IN ('available', 'claimed')",
    "DELETE FROM work_orders WHERE dataclip_id IS NULL AND state = 'pending'",
)
_TABLES = (
    "CREATE UNLOGGED TABLE reference.unlogged AS SELECT * FROM log_lines LIMIT 0",
    "CREATE TABLE reference.lines (LIKE log_lines, search_vector tsvector)",
    "CREATE INDEX ON reference.lines USING gin (search_vector)",
    "CREATE INDEX ON reference.lines (run_id)",
)
_READY = (
    "UPDATE runs SET state = 'available', claimed_at = NULL WHERE state = 'claimed' AND dataclip_id IS NULL"
)


def claims(place: Place, plain: psycopg.Connection, rounds: int) -> list[Case]:
    """One claim with 10,000 runs waiting, then the rate of four claimers at once."""
    with _waiting(plain):
        return [_one_claim(plain, rounds), _four_claimers(place, plain)]


@contextmanager
def _waiting(plain: psycopg.Connection) -> Iterator[None]:
    plain.execute("SET statement_timeout = 0")
    for statement in _ADD:
        plain.execute(statement, {"waiting": WAITING, "mark": MARK})
    try:
        yield
    finally:
        for statement in _REMOVE:
            plain.execute(statement)
        plain.execute("VACUUM (ANALYZE) runs, work_orders")


def _one_claim(plain: psycopg.Connection, rounds: int) -> Case:
    case = Case(f"claim, {WAITING:,} waiting")
    with capture.sent() as found:
        workorders.claim(1, "bench")
    # Four thousand candidates may be looked at: fifty for each workflow that has runs waiting.
    case.plans = capture.checked(found, capture.MOST_SCANNED)
    for _ in range(rounds):
        _timed(case.reference, lambda: plain.execute(REFERENCE["claim"]).fetchall())
        _timed(case.ours, lambda: workorders.claim(1, "bench"))
        _timed(case.floor, lambda: plain.execute(FLOORS["claim"]).fetchall())
    met = case.ours.median <= min(8 * case.floor.median, case.reference.median / 20)
    case.target, case.passed = "≤ 8 × floor, ≤ 1/20 of reference", met
    plain.execute(_READY)
    return case


def _four_claimers(place: Place, plain: psycopg.Connection) -> Case:
    """Seconds a claim of four at once; the reference from four connections of its own."""
    case = Case(f"claim, {CLAIMERS} claimers at once")

    def ours(end: float) -> int:
        with place.app.app_context():
            return _until(end, lambda: len(workorders.claim(1, "bench")))

    def theirs(end: float) -> int:
        with psycopg.connect(place.url, autocommit=True) as own:
            return _until(end, lambda: len(own.execute(REFERENCE["claim"]).fetchall()))

    for series, work in ((case.reference, theirs), (case.ours, ours)):
        taken, seconds = _at_once(work, 3.0)
        series.seconds.append(seconds / max(taken, 1))
        plain.execute(_READY)
    rate = case.reference.median / case.ours.median
    case.target, case.passed = "≥ 14 × the rate of the reference", rate >= 14
    case.figures = f"{1 / case.ours.median:,.0f} claims a second, {rate:,.1f} × the reference"
    return case


def _until(end: float, deed: Callable[[], int]) -> int:
    count = 0
    while time.perf_counter() < end:
        count += deed()
    return count


def _at_once(work: Callable[[float], int], seconds: float) -> tuple[int, float]:
    counts: list[int] = []
    begun = time.perf_counter()
    threads = [threading.Thread(target=lambda: counts.append(work(begun + seconds))) for _ in range(CLAIMERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), time.perf_counter() - begun


def lines(plain: psycopg.Connection, rounds: int) -> Case:
    """Seconds a log line: batches of a thousand, against inserts of a hundred and COPY, unlogged."""
    case = Case("log lines in, seconds a line")
    row = plain.execute("SELECT id FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    run_id: uuid.UUID = row[0] if row else uuid.UUID(int=0)
    before = plain.execute("SELECT max(seq), count(*) FROM log_lines WHERE run_id = %s", [run_id]).fetchone()
    for statement in _TABLES:
        plain.execute(statement)
    moment = int(clock.now().timestamp() * 1000)
    batch = [{"message": f"line {n} of a batch", "timestamp": moment, "level": "info"} for n in range(LINES)]
    try:
        for _ in range(rounds):
            _timed(case.reference, lambda: _inserts(plain, new_id()), LINES)
            _timed(case.ours, lambda: workorders.append_logs(run_id, batch), LINES)
            _timed(case.floor, lambda: _copy(plain, run_id), LINES)
    finally:
        plain.execute("DROP TABLE reference.lines, reference.unlogged")
        last = (before[0] if before else None) or 0
        plain.execute("DELETE FROM log_lines WHERE run_id = %s AND seq > %s", [run_id, last])
        plain.execute("UPDATE runs SET log_count = %s WHERE id = %s", [last, run_id])
    rate = case.reference.median / case.ours.median
    case.target, case.passed = "≥ 5 × the rate of the reference", rate >= 5
    case.figures = (
        f"{1 / case.ours.median:,.0f} lines a second, {case.floor.median / case.ours.median:.2f} of COPY"
    )
    return case


def _inserts(plain: psycopg.Connection, run_id: uuid.UUID) -> None:
    """A hundred rows at a time, each batch with a second write for its words."""
    for first in range(0, LINES, 100):
        values = {"run": run_id, "first": first, "last": first + 99}
        with plain.transaction():
            plain.execute(REFERENCE["lines"], values)
            plain.execute(REFERENCE["line_words"], values)


def _copy(plain: psycopg.Connection, run_id: uuid.UUID) -> None:
    columns = "run_id, seq, level, message, timestamp"
    with plain.cursor().copy(f"COPY reference.unlogged ({columns}) FROM STDIN") as copy:
        for number in range(LINES):
            copy.write_row((run_id, number, "info", f"line {number} of a batch", "2026-11-01"))


def _timed(series: Series, deed: Callable[[], Any], share: int = 1) -> None:
    begun = time.perf_counter()
    deed()
    series.seconds.append((time.perf_counter() - begun) / share)
    session().rollback()
