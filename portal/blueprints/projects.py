"""The list of projects, and the overview of one."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, g, request, url_for

from portal import projects, workflows, workorders
from portal.blueprints import history_query, overview
from portal.core.errors import Invalid
from portal.core.text import N_
from portal.web import guarded, public, render

bp = Blueprint("projects", __name__)

MOST_GROUPS = 5


@bp.get("/")
@public("only sends on to the list, which is guarded")
def home() -> Response:
    """The front door leads to the projects."""
    return render.redirect_to(url_for("projects.index"))


@bp.get("/projects")
@guarded("accounts:use")
def index() -> Response:
    """The projects of whoever is logged in."""
    return render.page("projects/index.html", memberships=projects.list_for(g.actor))


@bp.get("/projects/<uuid:project_id>")
@guarded("projects:read")
def show(project_id: uuid.UUID) -> Response:
    """How a project does: figures, the last day and month, open errors, views, workflows (workorders §14).

    htmx gets the figures and the last day alone, which renew themselves.
    """
    project, sort = g.standing.project, _sort()
    values: dict[str, Any] = {
        "figures": workorders.project_statistics(project),
        "link": overview.to_history(),
        **overview.pace(),
    }
    if render.is_partial():
        return render.fragment("projects/_figures.html", partial=True, **values)
    rest: dict[str, Any] = {
        "sort": sort,
        "flows": workorders.sorted_workflows(values["figures"].workflows, sort),
        "groups": workorders.list_error_groups(project, size=MOST_GROUPS).items,
        "saved": workorders.list_views(project_id, g.actor),
        "address": lambda view: history_query.address(project_id, view.filters),
        "names": {str(each.id): each.name for each in workflows.list_names(project_id)},
    }
    return render.page("projects/show.html", **values, **rest)


def _sort() -> workorders.WorkflowSort:
    try:
        return workorders.WorkflowSort(request.args.get("sort", workorders.WorkflowSort.LAST_DESC))
    except ValueError:
        raise Invalid({"sort": [N_("The workflows cannot be sorted by this.")]}) from None
