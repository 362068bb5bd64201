"""Stored files of a project: the list of exports, and the download."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from flask import Blueprint, Response, make_response, request, send_file, url_for

from portal import operations, projects, workflows, workorders
from portal.core import storage
from portal.core.errors import NotFound
from portal.core.text import N_
from portal.web import guarded, render

bp = Blueprint("files", __name__, url_prefix="/projects/<uuid:project_id>")

UNFINISHED = (projects.FileStatus.ENQUEUED, projects.FileStatus.IN_PROGRESS)
# The newest operations are read for the exports on the first pages; older ones ended long ago.
MOST_WATCHED = 100


@bp.get("/exports")
@guarded("projects:read")
def index(project_id: uuid.UUID) -> Response:
    """The exports of the project, newest first, with how far the unfinished ones are.

    A look that names the version it has is answered 304 while nothing has changed.
    """
    cursor = request.args.get("cursor")
    values = _listed(project_id, cursor)
    if cursor:
        return render.page("files/index.html", "files/_more.html", **values)
    if render.is_partial() and request.headers.get("HX-PTag") == values["version"]:
        return make_response("", 304)
    response = render.page("files/index.html", "files/_list.html", **values)
    response.headers["HX-PTag"] = values["version"]
    return response


@bp.get("/exports/<uuid:file_id>")
@guarded("projects:read")
def show(project_id: uuid.UUID, file_id: uuid.UUID) -> Response:
    """How far one export is, for the page that started it; a plain browser gets the list."""
    if not render.is_partial():
        return render.redirect_to(url_for("files.index", project_id=project_id))
    file = projects.get_file(project_id, file_id)
    if file.operation_id is None:
        raise NotFound
    progress = operations.get(project_id, file.operation_id)
    if request.headers.get("HX-PTag") == progress.version:
        return make_response("", 304)
    response = render.fragment("files/_started.html", file=file, progress=progress)
    response.headers["HX-PTag"] = progress.version
    return response


def _listed(project_id: uuid.UUID, cursor: str | None) -> dict[str, Any]:
    page = projects.list_files(project_id, cursor)
    recent = operations.list_recent(project_id, limit=MOST_WATCHED)
    progress_of: dict[uuid.UUID | None, operations.Progress] = {each.operation.id: each for each in recent}
    seen = [(str(file.id), file.status, _version(progress_of.get(file.operation_id))) for file in page.items]
    return {
        "page": page,
        "cursor": cursor,
        "progress_of": progress_of,
        "filters_of": {file.id: _filters(progress_of.get(file.operation_id)) for file in page.items},
        "workflow_names": {each.id: each.name for each in workflows.list_names(project_id)},
        "unfinished": any(file.status in UNFINISHED for file in page.items),
        "version": hashlib.sha256(repr(seen).encode()).hexdigest()[:16],
    }


def _version(progress: operations.Progress | None) -> str:
    return progress.version if progress else ""


def _filters(progress: operations.Progress | None) -> workorders.SearchFilters | None:
    """The filters that an export was asked for with; None when its operation is no longer kept."""
    if progress is None or progress.operation.kind != "workorders:export":
        return None
    stored = progress.operation.arguments.get("filters", {})
    pairs = [(name, str(value)) for name, values in stored.items() for value in _several(values)]
    return workorders.read_filters(pairs).filters


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@bp.get("/files/<uuid:file_id>/content")
@guarded("projects:download_file")
def content(project_id: uuid.UUID, file_id: uuid.UUID) -> Response:
    """The file itself, streamed; 404 while it is not complete or when its content has gone."""
    file = projects.get_file(project_id, file_id)
    if file.status is not projects.FileStatus.COMPLETED or not file.path:
        raise NotFound(N_("This file is not ready."))
    try:
        stream = storage.open_for_read(file.path)
    except FileNotFoundError:
        raise NotFound(N_("This file is no longer stored.")) from None
    response = send_file(
        stream,
        mimetype="text/csv",
        as_attachment=True,
        download_name=file.name,
        last_modified=file.updated_at,
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response
