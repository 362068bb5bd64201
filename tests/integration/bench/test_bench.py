"""The benchmark: it measures what it says, its data are always the same, and our plans and rows are right."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from bench import generate, generated, report
from bench.capture import PlanCheck
from bench.outcome import Case, Outcome, Series
from bench.statements import FLOORS, REFERENCE
from config.settings import Settings

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_the_quick_benchmark_finds_good_plans_and_the_rows_of_the_reference(
    settings: Settings, tmp_path: Path
) -> None:
    servers = {"DATABASE_URL": os.environ["PORTAL_TEST_DATABASE"], "REDIS_URL": settings.redis_url or ""}
    command = [sys.executable, "-m", "bench", "--quick", "--drop", "--data-dir", str(tmp_path)]
    done = subprocess.run(
        command, env=os.environ | servers, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "history, default page" in done.stdout


def test_a_large_sequential_scan_and_too_many_rows_fail_the_check() -> None:
    assert PlanCheck("", scanned=10_000, read=500, returned=25, text="").passes
    assert not PlanCheck("", scanned=10_001, read=500, returned=25, text="").passes
    assert PlanCheck("", scanned=0, read=2_000, returned=100, text="").passes
    assert not PlanCheck("", scanned=0, read=2_001, returned=100, text="").passes


def test_the_same_number_generates_the_same_rows() -> None:
    flow = generated.Flow(uuid.UUID(int=1), uuid.UUID(int=2), (uuid.UUID(int=3), uuid.UUID(int=4)))
    project = generated.Project(uuid.UUID(int=5), (flow,))

    def made() -> generated.Rows:
        rows: generated.Rows = {table: [] for table in generated.COLUMNS}
        rng, ids = Random(7), generated.Ids(7)
        for hours in range(50):
            at = generate.END - timedelta(hours=hours)
            generated.add(rows, project, at, rng, ids, {flow.id: uuid.UUID(int=6)})
        return rows

    assert made() == made()
    assert len(made()["work_orders"]) == 50


def test_the_largest_project_has_28_percent_of_20() -> None:
    shares = generate.shares()
    assert len(shares) == 20
    assert shares[0] == max(shares) == 0.28
    assert abs(sum(shares) - 1) < 1e-9


def test_every_statement_stands_under_a_name() -> None:
    assert {"list", "state", "deep", "count", "id", "log", "export"} <= set(REFERENCE)
    assert {"list", "state", "count", "id", "export"} <= set(FLOORS)


def test_saving_replaces_the_table_of_the_same_size_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text("# Benchmarks\n\nWords of ours.\n")

    def outcome(number: int, seconds: float) -> Outcome:
        return Outcome(number, [Case("page", ours=Series([seconds]))])

    report.save(path, outcome(1_000, 0.5))
    report.save(path, outcome(2_000, 0.25))
    report.save(path, outcome(1_000, 0.125))
    text = path.read_text()
    assert text.startswith("# Benchmarks\n\nWords of ours.\n")
    assert "500.0 ms" not in text
    assert "125.0 ms" in text
    assert "250.0 ms" in text
    assert text.count("## 1,000 work orders") == 1
