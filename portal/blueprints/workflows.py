"""One workflow: how it does, what starts it, what it did last (workorders §14)."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, g

from portal import workflows, workorders
from portal.blueprints import overview
from portal.core.errors import NotFound
from portal.web import guarded, render

bp = Blueprint("workflows", __name__, url_prefix="/projects/<uuid:project_id>/workflows")

MOST_RECENT = 8


@bp.get("/<uuid:workflow_id>")
@guarded("workorders:read")
def show(project_id: uuid.UUID, workflow_id: uuid.UUID) -> Response:
    """The overview of a workflow; of a deleted one too, for its history stays."""
    flow = next((each for each in workflows.list_names(project_id) if each.id == workflow_id), None)
    if flow is None:
        raise NotFound
    figures = workorders.project_statistics(g.standing.project)
    mine = next((each for each in figures.workflows if each.workflow_id == workflow_id), None)
    values: dict[str, Any] = {
        "flow": flow,
        "figures": mine or _nothing(flow),
        "since": figures.since,
        "taken_at": figures.taken_at,
        "link": overview.to_history(workflow_id),
        **overview.pace(workflow_id),
    }
    recent = workorders.search(
        g.standing.project, workorders.SearchFilters(workflows=(workflow_id,)), size=MOST_RECENT
    )
    triggers = workflows.list_triggers(project_id, workflow_id)
    return render.page("workflows/show.html", triggers=triggers, recent=recent.items, **values)


def _nothing(flow: workflows.WorkflowName) -> workorders.WorkflowStatistics:
    """The figures of a workflow that was deleted, and of which the period has nothing."""
    none = workorders.Counts()
    return workorders.WorkflowStatistics(flow.id, flow.name, flow.deleted, none, none, none, None, None)
