"""What our functions really send to the database, how long it took there, and how it was planned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from portal.core.db import db

MOST_SCANNED = 10_000
MOST_READ = 20
# So few rows are never worth a remark, whatever came out in the end.
ALWAYS_FINE = 1_000


@dataclass(slots=True)
class Sent:
    """Statements with their parameters, and the seconds spent on them."""

    statements: list[tuple[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


@contextmanager
def sent() -> Iterator[Sent]:
    """Collect what the block sends through the portal's engine."""
    found, clock = Sent(), [0.0]

    def before(_c: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        found.statements.append((statement, values))
        clock[0] = time.perf_counter()

    def after(*_anything: Any) -> None:
        found.seconds += time.perf_counter() - clock[0]

    sa.event.listen(db.engine, "before_cursor_execute", before)
    sa.event.listen(db.engine, "after_cursor_execute", after)
    try:
        yield found
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", before)
        sa.event.remove(db.engine, "after_cursor_execute", after)


@dataclass(frozen=True, slots=True)
class PlanCheck:
    """What EXPLAIN says of one statement: largest sequential scan, rows read, rows that came of them.

    `allowed` rows may be read whatever comes of them: a search by words reads a period.
    """

    statement: str
    scanned: int
    read: int
    returned: int
    text: str
    allowed: int = ALWAYS_FINE

    @property
    def passes(self) -> bool:
        """No sequential scan over 10,000 rows, rows read at most 20 times rows returned (performance §9)."""
        return self.scanned <= MOST_SCANNED and self.read <= max(self.allowed, MOST_READ * self.returned)


def checked(found: Sent, allowed: int = ALWAYS_FINE) -> list[PlanCheck]:
    """Explain each query among what was sent; each is run once more, on a connection like the portal's."""
    queries = [one for one in found.statements if one[0].lstrip().upper().startswith(("SELECT", "WITH"))]
    with db.engine.connect() as connection:
        return [_check(connection, statement, values, allowed) for statement, values in queries]


def _check(connection: sa.Connection, statement: str, values: Any, allowed: int) -> PlanCheck:
    explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
    plan = connection.exec_driver_sql(explained, values).scalar_one()[0]["Plan"]
    text = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values).scalars().all()
    connection.rollback()
    nodes = list(_nodes(plan))
    scanned = max((_rows(node) for node in nodes if node["Node Type"] == "Seq Scan"), default=0)
    read = sum(_rows(node) for node in nodes if "Relation Name" in node) + sum(
        _compared(node) for node in nodes
    )
    return PlanCheck(statement, scanned, read, _returned(plan), "\n".join(text), allowed)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)


def _rows(node: dict[str, Any]) -> int:
    """Rows that a scan looked at, those it threw away included."""
    away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + away) * node["Actual Loops"] + 0.5)


def _compared(node: dict[str, Any]) -> int:
    """Pairs of rows that a join looked at in vain."""
    return int(node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"])


def _returned(plan: dict[str, Any]) -> int:
    """Rows of the answer; of an aggregate (count, string_agg) those that went into it."""
    while plan["Node Type"] == "Aggregate" and plan.get("Plans"):
        plan = plan["Plans"][0]
    return int(plan["Actual Rows"] * plan["Actual Loops"] + 0.5)
