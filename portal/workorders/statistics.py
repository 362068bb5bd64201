"""Figures of the dashboard: a project's and each of its workflows' last 30 days (workorders §14).

Every count is one scan of a narrow index from now back to the edge of the period, so it
costs what happened in the period. The figures are kept for a minute: many look at them.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from portal.core import cache, clock, db
from portal.core.errors import NotFound
from portal.projects import Project
from portal.workorders.figures import Counts, LastOrder, ProjectStatistics, WorkflowStatistics, outcome
from portal.workorders.models import WorkorderState

# ruff: noqa: S608 - statements are put together from constants of this module; values are always bound.

PERIOD = timedelta(days=30)
KEPT_SECONDS = 60.0
# Steps are counted through the newest runs; of a project with more, these tell the rate well enough.
MOST_RUNS = 20_000
# Steps cost by far the most: besides the minute, their figures are kept so many times what they cost.
PRICE = 300.0
_figures = TypeAdapter(ProjectStatistics)
_by_flow = TypeAdapter(dict[uuid.UUID, Counts])


def project_statistics(project: Project) -> ProjectStatistics:
    """The figures of the last 30 days, at most a minute old; `taken_at` tells how old."""
    found = cache.kept(f"statistics:{project.id}", KEPT_SECONDS, lambda: _plain(compute(project.id)))
    return _figures.validate_python(found)


def workflow_statistics(project: Project) -> tuple[WorkflowStatistics, ...]:
    """The figures of each of the project's workflows, by name."""
    return project_statistics(project).workflows


def statistics_of(project: Project, workflow_id: uuid.UUID) -> WorkflowStatistics:
    """The figures of one workflow. Raises NotFound for one of another project."""
    for each in workflow_statistics(project):
        if each.workflow_id == workflow_id:
            return each
    raise NotFound


def _plain(found: ProjectStatistics) -> Any:
    return _figures.dump_python(found, mode="json")


def compute(project_id: uuid.UUID) -> ProjectStatistics:
    """The figures as they are now: five statements, however many workflows there are.

    A workflow that was deleted is among them as long as it has work orders of the period.
    """
    now = clock.now()
    values = {"project": project_id, "since": now - PERIOD, "most": MOST_RUNS}
    orders, runs, steps = _counts(_ORDERS, values), _counts(_RUNS, values), _steps(values)
    rows = db.session().execute(_FLOWS, values).all()
    last = {row.flow: _last(row) for row in rows}
    failures = last | _failures(values, _healthy_with_failures(last, orders))
    nothing = Counts()
    made = (
        WorkflowStatistics(
            workflow_id=row.flow,
            name=row.name,
            deleted=row.deleted,
            work_orders=orders.get(row.flow, nothing),
            runs=runs.get(row.flow, nothing),
            steps=steps.get(row.flow, nothing),
            last_workorder=last[row.flow],
            last_failed_workorder=failures[row.flow],
        )
        for row in rows
        if not row.deleted or row.flow in orders or row.flow in runs
    )
    return ProjectStatistics(now - PERIOD, now, tuple(made), sum(c.total for c in runs.values()) > MOST_RUNS)


def _counts(statement: sa.TextClause, values: dict[str, Any]) -> dict[uuid.UUID, Counts]:
    """Rows (workflow, state, number) as counts of each workflow."""
    found: dict[uuid.UUID, Counts] = {}
    for flow, state, number in db.session().execute(statement, values):
        found[flow] = found.get(flow, Counts()).plus(outcome(state), number)
    return found


def _steps(values: dict[str, Any]) -> dict[uuid.UUID, Counts]:
    name = f"statistics-steps:{values['project']}"
    kept = cache.recall([name])[0]
    if kept is None:
        began = time.monotonic()
        kept = _by_flow.dump_python(_counts(_STEPS, values), mode="json")
        cache.keep(name, kept, KEPT_SECONDS + PRICE * (time.monotonic() - began))
    return _by_flow.validate_python(kept)


def _last(row: Any) -> LastOrder | None:
    if row.id is None:
        return None
    return LastOrder(row.id, WorkorderState(row.state), row.inserted_at, row.updated_at)


def _healthy_with_failures(
    last: dict[uuid.UUID, LastOrder | None], orders: dict[uuid.UUID, Counts]
) -> list[uuid.UUID]:
    """The workflows whose newest work order tells nothing of their last failure."""
    return [flow for flow, order in last.items() if order and order.state == "success" and flow in orders]


def _failures(values: dict[str, Any], asked: list[uuid.UUID]) -> dict[uuid.UUID, LastOrder | None]:
    if not asked:
        return {}
    rows = db.session().execute(_LAST_FAILED, values | {"flows": asked})
    return dict.fromkeys(asked) | {row.flow: _last(row) for row in rows}


_PERIOD = "x.project_id = :project AND x.inserted_at > :since"
_ORDERS = sa.text(
    f"SELECT x.workflow_id, x.state, count(*) FROM work_orders AS x WHERE {_PERIOD} GROUP BY 1, 2"
)
_RUNS = sa.text(f"SELECT x.workflow_id, x.state, count(*) FROM runs AS x WHERE {_PERIOD} GROUP BY 1, 2")
# A step that a retry carried along belongs to two runs, and is one step. OFFSET 0 keeps the planner at one
# look for each run: a join of the whole tables would cost what all projects ever did.
_STEPS = sa.text(f"""
    SELECT d.workflow_id, coalesce(d.exit_reason, 'pending'), count(*) FROM (
        SELECT DISTINCT r.workflow_id, s.id, s.exit_reason
        FROM (SELECT x.id, x.workflow_id FROM runs AS x WHERE {_PERIOD}
              ORDER BY x.inserted_at DESC, x.id DESC LIMIT :most) AS r
        CROSS JOIN LATERAL (SELECT rs.step_id FROM run_steps AS rs WHERE rs.run_id = r.id OFFSET 0) AS rs
        CROSS JOIN LATERAL (SELECT s.id, s.exit_reason FROM steps AS s
            WHERE s.id = rs.step_id AND s.inserted_at > :since OFFSET 0) AS s) AS d
    GROUP BY 1, 2""")
# The scalar subquery, one look at an index, keeps a workflow without work orders from a walk through all.
_FLOWS = sa.text("""
    SELECT f.id AS flow, f.name, f.deleted_at IS NOT NULL AS deleted,
        l.id, l.state, l.inserted_at, l.updated_at
    FROM workflows AS f LEFT JOIN LATERAL (
        SELECT w.id, w.state, w.inserted_at, w.updated_at FROM work_orders AS w
        WHERE w.project_id = :project AND w.workflow_id = f.id
            AND (SELECT true FROM work_orders AS e WHERE e.workflow_id = f.id
                ORDER BY e.last_activity DESC, e.id DESC LIMIT 1)
        ORDER BY w.inserted_at DESC, w.id DESC LIMIT 1) AS l ON true
    WHERE f.project_id = :project ORDER BY lower(f.name), f.id""")
_LAST_FAILED = sa.text("""
    SELECT f.flow, l.id, l.state, l.inserted_at, l.updated_at
    FROM unnest(CAST(:flows AS uuid[])) AS f (flow) CROSS JOIN LATERAL (
        SELECT w.id, w.state, w.inserted_at, w.updated_at FROM work_orders AS w
        WHERE w.project_id = :project AND w.inserted_at > :since AND w.workflow_id = f.flow
            AND w.state NOT IN ('success', 'pending', 'running')
        ORDER BY w.inserted_at DESC, w.id DESC LIMIT 1) AS l""")
