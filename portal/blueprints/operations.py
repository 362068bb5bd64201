"""Background work as people see it: one page and one fragment show any kind of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, make_response, request, url_for
from flask_babel import gettext as _

from portal import operations, workorders
from portal.core import access, links
from portal.core.errors import NotFound
from portal.core.text import N_
from portal.web import guarded, render

bp = Blueprint("operations", __name__, url_prefix="/projects/<uuid:project_id>/operations")

CHANGED = "operation-changed"
BULK = "workorders:bulk"
# What people call each kind of work, and where its result stands. A kind without an entry shows its name.
LABELS = {"workorders:export": N_("Export of the history")}
DEEDS = {
    "retry": N_("Retry of many work orders from the start"),
    "retry_from_job": N_("Retry of many work orders from a step"),
    "cancel": N_("Cancellation of waiting runs"),
}
RESULTS: dict[str, Callable[[operations.Operation], str]] = {
    "workorders:export": lambda row: url_for(
        "files.content",
        project_id=row.project_id,
        file_id=row.arguments["file_id"],
        signature=links.sign(row.arguments["file_id"]),
    ),
}


@bp.get("")
@guarded("operations:read")
def index(project_id: uuid.UUID) -> Response:
    """The newest background work of the project."""
    shown = [describe(progress) for progress in operations.list_recent(project_id, limit=50)]
    return render.page("operations/index.html", "operations/_list.html", operations=shown)


@bp.get("/tray")
@guarded("operations:read")
def tray(project_id: uuid.UUID) -> Response:
    """What waits or runs, for the tray in the header; a plain browser gets the whole list."""
    if not render.is_partial():
        return render.redirect_to(url_for("operations.index", project_id=project_id))
    shown = [describe(progress) for progress in operations.list_unfinished(project_id, limit=10)]
    return render.fragment("operations/_tray.html", operations=shown)


@bp.get("/<uuid:operation_id>")
@guarded("operations:read")
def show(project_id: uuid.UUID, operation_id: uuid.UUID) -> Response:
    """One operation: its progress while it runs, then its result or what went wrong.

    A poll that names the version it has is answered 304 while nothing has changed.
    """
    progress = operations.get(project_id, operation_id)
    if request.headers.get("HX-PTag") == progress.version:
        return make_response("", 304)
    given = describe(progress) | ({} if render.is_partial() else _listed(progress.operation))
    response = render.page("operations/show.html", "operations/_progress.html", **given)
    response.headers["HX-PTag"] = progress.version
    if render.is_partial() and not progress.operation.unfinished:
        # The last answer to a poll: what else stands on the page looks again too.
        response.headers["HX-Trigger"] = CHANGED
    return response


@bp.get("/<uuid:operation_id>/items")
@guarded("operations:read")
def items(project_id: uuid.UUID, operation_id: uuid.UUID) -> Response:
    """What became of each work order; `show=left_out` for the others alone. A plain browser gets the page."""
    progress = operations.get(project_id, operation_id)
    listed = _listed(progress.operation)
    if not listed:
        raise NotFound
    more = "operations/_more.html" if "cursor" in request.args else "operations/_items.html"
    return render.page("operations/show.html", more, **describe(progress), **listed)


@bp.post("/<uuid:operation_id>/again")
@guarded("workorders:retry")
def again(project_id: uuid.UUID, operation_id: uuid.UUID) -> Response:
    """Do the same deed again for what was left out, and open the page of that work."""
    operation = workorders.retry_failed_items(project_id, operation_id, actor=g.actor)
    return render.redirect_to(url_for("operations.show", project_id=project_id, operation_id=operation.id))


@bp.post("/<uuid:operation_id>/pause")
@guarded("operations:read")
def pause(project_id: uuid.UUID, operation_id: uuid.UUID) -> Response:
    """Let it wait after its present batch."""
    return _steer(project_id, operation_id, operations.pause)


@bp.post("/<uuid:operation_id>/resumption")
@guarded("operations:read")
def resume(project_id: uuid.UUID, operation_id: uuid.UUID) -> Response:
    """Go on with a paused one."""
    return _steer(project_id, operation_id, operations.resume)


@bp.post("/<uuid:operation_id>/cancellation")
@guarded("operations:read")
def cancel(project_id: uuid.UUID, operation_id: uuid.UUID) -> Response:
    """Ask it to stop; what is done stays done."""
    return _steer(project_id, operation_id, operations.ask_cancel)


@bp.post("/<uuid:operation_id>/attempts")
@guarded("operations:read")
def try_again(project_id: uuid.UUID, operation_id: uuid.UUID) -> Response:
    """Queue it anew after a failure."""
    return _steer(project_id, operation_id, operations.try_again)


def _steer(project_id: uuid.UUID, operation_id: uuid.UUID, deed: Callable[..., object]) -> Response:
    operation = operations.get(project_id, operation_id).operation
    access.require("operations:steer", g.actor, operations.Steering(operation, g.standing))
    deed(operation, actor=g.actor)
    return render.done(
        url_for("operations.show", project_id=project_id, operation_id=operation_id),
        fragment="operations/_progress.html",
        event=CHANGED,
        **describe(operations.get(project_id, operation_id)),
    )


def describe(progress: operations.Progress) -> dict[str, Any]:
    """What `operations/_progress.html` needs.

    `progress`, `label`, `may_steer`, `result_url` (or None); for work that may leave things
    out also `succeeded`, a number, and `left_out`, pairs of a reason in words and a number.
    """
    row = progress.operation
    skipped: dict[str, int] = (row.result or row.checkpoint or {}).get("skipped", {})
    link = RESULTS.get(row.kind) if row.state == operations.OperationState.DONE else None
    return {
        "progress": progress,
        "label": _(DEEDS[row.arguments["deed"]] if row.kind == BULK else LABELS.get(row.kind, row.kind)),
        "may_steer": access.allows("operations:steer", g.actor, operations.Steering(row, g.standing)),
        "result_url": link(row) if link else None,
        "succeeded": (row.result or {}).get("done"),
        "left_out": [(_(workorders.EXCLUSIONS[reason]), number) for reason, number in skipped.items()],
    }


def _listed(row: operations.Operation) -> dict[str, Any]:
    """What `operations/_items.html` needs of work that is done item by item; {} for other kinds."""
    if row.kind != BULK:
        return {}
    only = request.args.get("show") == "left_out"
    filters = row.arguments["filters"]
    chosen = None if filters is None else workorders.SearchFilters.model_validate(filters)
    page = operations.items(row.id, request.args.get("cursor"), only)
    found = workorders.get_many(g.standing.project.id, [item.item_id for item in page.items])
    return {
        "page": page,
        "orders": {order.id: order for order in found},
        "only": only,
        "not_done": sum(operations.count_not_done(row.id).values()),
        "reasons": workorders.EXCLUSIONS,
        "query": chosen.query_string() if chosen else None,
        "cut_off": datetime.fromisoformat(row.arguments["cut_off"]),
    }
