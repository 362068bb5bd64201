"""The table that is printed, and kept in docs/benchmarks.md."""

from __future__ import annotations

import re
from pathlib import Path

from bench.capture import PlanCheck
from bench.outcome import Case, Outcome, Series

HEAD = (
    "case",
    "ours",
    "p95",
    "reference",
    "floor",
    "ref/ours",
    "ours/floor",
    "target",
    "met",
    "rows",
    "plans",
)
HEADING = "# Benchmarks"
LONGEST_PLAN = 60


def text(outcome: Outcome) -> str:
    """Everything, for a terminal."""
    rows = [HEAD, *(_cells(case) for case in outcome.cases)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    notes = [f"  {case.name}: {case.figures}" for case in outcome.cases if case.figures]
    bad = [_bad(case, plan) for case in outcome.cases for plan in case.plans if not plan.passes]
    title = f"{outcome.number:,} work orders" + (
        f", made in {outcome.made_in:.0f} s" if outcome.made_in else ""
    )
    return "\n".join([title, "", *lines, "", *notes, "", *_sizes(outcome), *bad])


def _bad(case: Case, plan: PlanCheck) -> str:
    """A plan that failed, as far as fits a screen; parts of a plan that were never reached are left out."""
    reached = [line for line in plan.text.splitlines() if "never executed" not in line]
    told = f"read {plan.read:,} rows for {plan.returned:,}, sequential scan of {plan.scanned:,}"
    return "\n".join([f"\nplan of {case.name}: {told}", plan.statement.strip(), *reached[:LONGEST_PLAN]])


def _sizes(outcome: Outcome) -> list[str]:
    mega = 1_000_000
    return [
        f"  {name:20} {rows:>12,} rows {table / mega:>9,.0f} MB  indexes {indexes / mega:>9,.0f} MB"
        for name, rows, table, indexes in outcome.sizes
    ]


def _cells(case: Case) -> tuple[str, ...]:
    return (
        case.name,
        _time(case.ours),
        _time(case.ours, p95=True),
        _time(case.reference),
        _time(case.floor),
        _ratio(case.reference, case.ours),
        _ratio(case.ours, case.floor),
        case.target or "–",
        {None: "–", True: "yes", False: "MISS"}[case.passed],
        {None: "–", True: "same", False: "DIFFER"}[case.same_rows],
        ("ok" if case.plans_pass else "BAD") if case.plans else "–",
    )


def _time(series: Series, *, p95: bool = False) -> str:
    if not series.seconds:
        return "–"
    seconds = series.p95 if p95 else series.median
    return f"{seconds * 1e6:,.0f} µs" if seconds < 0.001 else f"{seconds * 1e3:,.1f} ms"


def _ratio(upper: Series, lower: Series) -> str:
    return f"{upper.median / lower.median:,.2f}" if upper.seconds and lower.seconds else "–"


def save(path: Path, outcome: Outcome) -> None:
    """Put the table for this size into a Markdown file, in place of the one of the same size."""
    before = path.read_text() if path.exists() else f"{HEADING}\n"
    title = f"## {outcome.number:,} work orders"
    section = f"{title}\n\n{_markdown(outcome)}\n"
    pattern = re.compile(rf"^{re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if pattern.search(before):
        path.write_text(pattern.sub(lambda _found: section + "\n", before).rstrip() + "\n")
    else:
        path.write_text(f"{before.rstrip()}\n\n{section}")


def _markdown(outcome: Outcome) -> str:
    rows = [_cells(case) for case in outcome.cases]
    table = [_row(HEAD), _row(["---"] * len(HEAD)), *(_row(row) for row in rows)]
    notes = [f"- {case.name}: {case.figures}" for case in outcome.cases if case.figures]
    sizes = [_row(("table", "rows", "MB", "MB of indexes")), _row(["---"] * 4)]
    sizes += [
        _row((name, f"{count:,}", f"{table_size / 1e6:,.0f}", f"{indexes / 1e6:,.0f}"))
        for name, count, table_size, indexes in outcome.sizes
    ]
    return "\n".join([*table, "", *notes, "", *sizes])


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
