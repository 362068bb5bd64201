"""Asking for an export, and steering it: again, cancel, remove (workorders §13)."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, flash, g, make_response, render_template, request, url_for
from flask_babel import gettext as _
from pydantic import BaseModel

from portal import operations, projects, workflows, workorders
from portal.blueprints import files, history_query
from portal.blueprints.history_query import Asked
from portal.core import access
from portal.core.errors import Invalid, Unavailable
from portal.web import forms, guarded, render
from portal.workorders import CSV_COLUMNS, ExportFormat

bp = Blueprint("exports", __name__, url_prefix="/projects/<uuid:project_id>")


class NewExport(BaseModel):
    """What the form says beside the filters. `chosen` tells that it showed the columns."""

    format: ExportFormat = ExportFormat.CSV
    columns: list[str] = []
    chosen: bool = False

    @property
    def picked(self) -> list[str] | None:
        """The columns to ask for; None for the standard ones, and where there are none."""
        return self.columns if self.chosen and self.format is ExportFormat.CSV else None


@bp.get("/history/exports/new")
@guarded("workorders:export")
def new(project_id: uuid.UUID) -> Response:
    """What the filters of the address would export, and in which form: in the dialog, or as a page."""
    asked = history_query.read(request.args)
    if not asked.ok:
        raise Invalid(asked.form.errors)
    form = forms.empty(format=str(ExportFormat.CSV), columns=list(CSV_COLUMNS))
    return render.page("exports/new.html", "exports/_form.html", form=form, **_shown(asked))


@bp.post("/history/exports")
@guarded("workorders:export")
def create(project_id: uuid.UUID) -> Response:
    """Start an export of exactly the work orders that pass the filters (workorders §13.1).

    The form leads on to the list of exports. A bare post of filters, by htmx, is answered with
    the export's progress (202).
    """
    asked = history_query.read(request.form)
    if not asked.ok:
        raise Invalid(asked.form.errors)
    form = forms.read(NewExport)
    file = form.attempt(_request, asked, form.data) if form.ok else None
    if file is None:
        return render.invalid("exports/new.html", "exports/_form.html", form=form, **_shown(asked))
    if render.is_partial() and "chosen" not in request.form:
        return _started(file)
    flash(_("The export has started."))
    return render.redirect_to(url_for("files.index", project_id=project_id))


def _request(asked: Asked, wanted: NewExport) -> projects.ProjectFile:
    return workorders.request_export(
        g.standing.project, asked.filters, actor=g.actor, format=wanted.format, columns=wanted.picked
    )


def _shown(asked: Asked) -> dict[str, Any]:
    """What the form's templates need; `total` is None when counting takes too long."""
    try:
        total = workorders.count(g.standing.project, asked.filters)
    except Unavailable:
        total = None
    return {
        "filters": asked.filters,
        "total": total,
        "columns": [(column.name, _(column.label)) for column in CSV_COLUMNS.values()],
        "workflow_names": {each.id: each.name for each in workflows.list_names(g.standing.project.id)},
    }


def _started(file: projects.ProjectFile) -> Response:
    if file.operation_id is None:
        raise RuntimeError("an export was asked for without an operation")
    progress = operations.get(file.project_id, file.operation_id)
    values = {"file": file, "progress": progress, "link_to": files.link_to}
    response = make_response(render_template("files/_started.html", **values), 202)
    response.headers["X-Announce"] = quote(_("The export has started."))
    return response


@bp.post("/exports/<uuid:file_id>/attempts")
@guarded("workorders:export")
def retry(project_id: uuid.UUID, file_id: uuid.UUID) -> Response:
    """Try a failed export again, for what was asked then."""
    _require(project_id, file_id)
    workorders.retry_export(project_id, file_id, actor=g.actor)
    return _done(project_id, _("The export has started again."))


@bp.post("/exports/<uuid:file_id>/cancellation")
@guarded("workorders:export")
def cancel(project_id: uuid.UUID, file_id: uuid.UUID) -> Response:
    """End an export under way; what was written is removed."""
    _require(project_id, file_id)
    workorders.cancel_export(project_id, file_id, actor=g.actor)
    return _done(project_id, _("The export is being cancelled."))


@bp.post("/exports/<uuid:file_id>/deletion")
@guarded("workorders:export")
def delete(project_id: uuid.UUID, file_id: uuid.UUID) -> Response:
    """Remove an export that has ended."""
    _require(project_id, file_id)
    workorders.delete_export(project_id, file_id, actor=g.actor)
    return _done(project_id, _("The export was removed."))


def _require(project_id: uuid.UUID, file_id: uuid.UUID) -> None:
    """Steering is for who asked for it, and for the project's keepers. Raises NotFound, NotAllowed."""
    file = projects.get_file(project_id, file_id)
    access.require("projects:steer_file", g.actor, projects.FileSteering(file, g.standing))


def _done(project_id: uuid.UUID, toast: str) -> Response:
    where = url_for("files.index", project_id=project_id)
    if not render.is_partial():
        return render.done(where, toast=toast)
    return render.done(where, fragment="files/_list.html", toast=toast, **files.listed(project_id, None))
