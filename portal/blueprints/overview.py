"""What the overviews of a project and of a workflow share: charts, and the history behind each figure."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import g

from portal import workorders
from portal.blueprints import history_query
from portal.web.i18n import zone

# Times of the database are exact to this; filters include their ends, periods do not.
TICK = timedelta(microseconds=1)
ToHistory = Callable[..., str]


def to_history(workflow_id: uuid.UUID | None = None) -> ToHistory:
    """`link(outcome, since=…, bucket=…, workflow=…)`: the history of what a figure counts (workorders §14).

    `outcome` is success, pending or failed; None is all of them.
    """
    project_id = g.standing.project.id

    def link(
        outcome: workorders.Outcome | None = None,
        *,
        since: datetime | None = None,
        bucket: workorders.Bucket | None = None,
        workflow: uuid.UUID | None = workflow_id,
    ) -> str:
        start = since + TICK if since else bucket.start if bucket else None
        filters = workorders.SearchFilters(
            states=workorders.STATES[outcome] if outcome else (),
            workflows=(workflow,) if workflow else (),
            received_from=start,
            received_to=bucket.end - TICK if bucket else None,
        )
        return history_query.address(project_id, filters)

    return link


def pace(workflow_id: uuid.UUID | None = None) -> dict[str, Any]:
    """The values of the charts: the last 24 hours, and the last 30 days in the reader's zone."""
    project = g.standing.project
    hours = workorders.hourly_counts(project, workflow_id)
    days = workorders.daily_counts(project, workflow_id, zone=zone())
    return {
        "hours": hours,
        "today": sum((hour.counts for hour in hours), workorders.Counts()),
        "day": workorders.Bucket(hours[0].start, hours[-1].end, workorders.Counts()),
        "days": days,
        "whole": workorders.Bucket(days[0].start, days[-1].end, workorders.Counts()),
        "month": sum((day.counts for day in days), workorders.Counts()),
        "zone": zone().key,
    }
