"""How many work orders arrived when, and what became of them: days and hours for charts (workorders §14)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from portal.core import cache, clock, db
from portal.projects import Project
from portal.workorders.figures import Bucket, Counts, outcome

KEPT_SECONDS = 60.0
_buckets = TypeAdapter(list[Bucket])


def daily_counts(
    project: Project, workflow_id: uuid.UUID | None = None, days: int = 30, zone: tzinfo = UTC
) -> list[Bucket]:
    """The work orders received on each of the last `days` calendar days of a zone, today last.

    At most a minute old. Days on which clocks change are shorter or longer.
    """
    last = clock.now().astimezone(zone).date()
    edges = [_midnight(last - timedelta(days=back), zone) for back in range(days - 1, -2, -1)]
    return _kept(project, workflow_id, edges, f"{days}d:{edges[0].isoformat()}")


def hourly_counts(project: Project, workflow_id: uuid.UUID | None = None, hours: int = 24) -> list[Bucket]:
    """The work orders received in each of the last `hours` hours up to now. At most a minute old."""
    now = clock.now()
    edges = [now - timedelta(hours=back) for back in range(hours, -1, -1)]
    return _kept(project, workflow_id, edges, f"{hours}h")


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _kept(
    project: Project, workflow_id: uuid.UUID | None, edges: Sequence[datetime], name: str
) -> list[Bucket]:
    def make() -> Any:
        return _buckets.dump_python(count_between(project.id, edges, workflow_id), mode="json")

    key = f"pace:{project.id}:{workflow_id}:{name}"
    return _buckets.validate_python(cache.kept(key, KEPT_SECONDS, make))


def count_between(
    project_id: uuid.UUID, edges: Sequence[datetime], workflow_id: uuid.UUID | None = None
) -> list[Bucket]:
    """The work orders received between each edge and the next, by one scan of one index."""
    values: dict[str, Any] = {
        "project": project_id,
        "edges": list(edges),
        "first": edges[0],
        "end": edges[-1],
    }
    statement = _BETWEEN
    if workflow_id is not None:
        statement, values["flow"] = _BETWEEN_OF_ONE, workflow_id
    found = [Counts() for _ in edges[1:]]
    for place, state, number in db.session().execute(statement, values):
        found[place - 1] = found[place - 1].plus(outcome(state), number)
    return [Bucket(edges[place], edges[place + 1], counts) for place, counts in enumerate(found)]


_SELECT = """
    SELECT width_bucket(w.inserted_at, CAST(:edges AS timestamptz[])) AS place, w.state, count(*)
    FROM work_orders AS w
    WHERE w.project_id = :project AND w.inserted_at >= :first AND w.inserted_at < :end"""
_BETWEEN = sa.text(f"{_SELECT} GROUP BY 1, 2")
_BETWEEN_OF_ONE = sa.text(f"{_SELECT} AND w.workflow_id = :flow GROUP BY 1, 2")
