"""Errors of a project: groups of runs that failed alike, and what people say of them (workorders §22)."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _

from portal import workflows, workorders
from portal.blueprints import history_query
from portal.core import paging
from portal.core.text import N_
from portal.web import forms, guarded, render
from portal.workorders import GroupState, WorkorderState

bp = Blueprint("error_groups", __name__, url_prefix="/projects/<uuid:project_id>/errors")

FAILED = tuple(map(WorkorderState, ("failed", "crashed", "killed", "exception", "lost")))
# Told to the page that acted; others hear of it by the stream, and may wait a little.
CHANGED = "error-group-said"
PASSING = {"cursor", "csrf_token"}
SAID = {
    GroupState.OPEN: N_("The errors are open again."),
    GroupState.RESOLVED: N_("Resolved. They open again by themselves if the error comes back."),
    GroupState.IGNORED: N_("Ignored. They are counted, and stay out of the way."),
}


@bp.get("")
@guarded("workorders:read")
def index(project_id: uuid.UUID) -> Response:
    """The groups of errors in one state, last seen or most frequent first, page by page."""
    form = forms.read(workorders.GroupFilters)
    if not form.ok:
        values = _listed(project_id, workorders.GroupFilters(), form, paging.Page(()))
        return render.invalid("error_groups/index.html", "error_groups/_list.html", **values)
    asked, cursor = form.data, request.args.get("cursor")
    page = workorders.list_error_groups(
        g.standing.project, states=[asked.state], workflow=asked.workflow, sort=asked.sort, cursor=cursor
    )
    values = _listed(project_id, asked, form, page) | {"cursor": cursor}
    fragment = "error_groups/_more.html" if cursor else "error_groups/_list.html"
    return render.page("error_groups/index.html", fragment, **values)


def _listed(
    project_id: uuid.UUID,
    asked: workorders.GroupFilters,
    form: forms.Form[workorders.GroupFilters],
    page: paging.Page[workorders.ErrorGroupRow],
) -> dict[str, Any]:
    def here(**changes: Any) -> str:
        """The address of the list, some of it changed; an empty value is left out."""
        query: dict[str, Any] = {k: v for k, v in (asked.to_query() | changes).items() if v}
        return url_for("error_groups.index", project_id=project_id, **query)

    return {
        "asked": asked,
        "form": form,
        "page": page,
        "cursor": None,
        "here": here,
        "trends": workorders.group_trend([row.id for row in page.items]),
        "workflows": workflows.list_names(project_id),
        "open_groups": workorders.count_open_groups(project_id),
        "ignored": sorted(set(request.args) - set(workorders.GroupFilters.model_fields) - PASSING),
    }


@bp.get("/<uuid:group_id>")
@guarded("workorders:read")
def show(project_id: uuid.UUID, group_id: uuid.UUID) -> Response:
    """One group: the error, its trend, its newest runs."""
    return render.page("error_groups/show.html", "error_groups/_group.html", **_shown(project_id, group_id))


def _shown(project_id: uuid.UUID, group_id: uuid.UUID) -> dict[str, Any]:
    filters = workorders.SearchFilters(error_group=group_id)
    # Who tries again wants what still stands failed, not what went well since.
    failed = filters.model_copy(update={"states": FAILED})
    retry = url_for("bulk.preview", project_id=project_id, deed=str(workorders.Deed.RETRY))
    return {
        "group": workorders.get_error_group(project_id, group_id),
        "trends": workorders.group_trend([group_id]),
        "runs": workorders.runs_of_group(project_id, group_id),
        "history_url": history_query.address(project_id, filters),
        "retry_url": history_query.with_query(retry, failed),
    }


@bp.post("/<uuid:group_id>/state")
@guarded("workorders:triage")
def change(project_id: uuid.UUID, group_id: uuid.UUID) -> Response:
    """Resolve, ignore or reopen a group; htmx gets a toast that can undo it, and the group anew."""
    wanted = forms.read(workorders.NewGroupState).data.state
    before = workorders.get_error_group(project_id, group_id).state
    group = workorders.set_group_state(project_id, group_id, wanted, actor=g.actor)
    where = url_for("error_groups.show", project_id=project_id, group_id=group_id)
    said = _(SAID[wanted])
    values = _shown(project_id, group_id) | {"asked": None, "row": group}
    if render.is_htmx():
        undo = before if before is not wanted else None
        return render.done(
            where, fragment="error_groups/_changed.html", event=CHANGED, said=said, undo=undo, **values
        )
    return render.done(where, toast=said)
