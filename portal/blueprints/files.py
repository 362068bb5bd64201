"""Stored files of a project: the list of exports, and the download."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any, BinaryIO

from flask import Blueprint, Response, g, make_response, request, send_file, url_for

from portal import operations, projects, workflows, workorders
from portal.core import access, links, storage
from portal.core.errors import NotFound
from portal.core.text import N_
from portal.web import guarded, render

bp = Blueprint("files", __name__, url_prefix="/projects/<uuid:project_id>")

MIME_TYPES = {workorders.ExportFormat.CSV: "text/csv", workorders.ExportFormat.ZIP: "application/zip"}
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
    values = listed(project_id, cursor)
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
    response = render.fragment("files/_started.html", file=file, progress=progress, link_to=link_to)
    response.headers["HX-PTag"] = progress.version
    return response


def listed(project_id: uuid.UUID, cursor: str | None) -> dict[str, Any]:
    """What the list's templates need: a page of files, with progress, filters and what the actor may do."""
    page = projects.list_files(project_id, cursor)
    recent = operations.list_recent(project_id, limit=MOST_WATCHED)
    progress_of: dict[uuid.UUID | None, operations.Progress] = {each.operation.id: each for each in recent}
    seen = [
        (str(file.id), file.status, file.rows, file.size, _version(progress_of.get(file.operation_id)))
        for file in page.items
    ]
    return {
        "page": page,
        "cursor": cursor,
        "progress_of": progress_of,
        "filters_of": {file.id: _filters(progress_of.get(file.operation_id)) for file in page.items},
        "workflow_names": {each.id: each.name for each in workflows.list_names(project_id)},
        "unfinished": any(file.status in UNFINISHED for file in page.items),
        "may_steer": {file.id for file in page.items if _may_steer(file)},
        "link_to": link_to,
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


def _may_steer(file: projects.ProjectFile) -> bool:
    return access.allows("projects:steer_file", g.actor, projects.FileSteering(file, g.standing))


def link_to(file: projects.ProjectFile) -> str:
    """A signed address of the file's content, good for some hours and only with a session."""
    return url_for(
        "files.content", project_id=file.project_id, file_id=file.id, signature=links.sign(str(file.id))
    )


@bp.get("/files/<uuid:file_id>/content")
@guarded("projects:download_file")
def content(project_id: uuid.UUID, file_id: uuid.UUID) -> Response:
    """The file itself, streamed, for a signed link (workorders §13.10).

    Without a good signature a page that offers a fresh link: 410 for one that has ended, else
    403. 404 while the file is not complete or when its content has gone. A part can be asked
    for by `Range`, so that a broken download goes on.
    """
    file = projects.get_file(project_id, file_id)
    if file.status is not projects.FileStatus.COMPLETED or not file.path:
        raise NotFound(N_("This file is not ready."))
    worth = links.judge(str(file.id), request.args.get("signature", ""))
    if worth is not links.LinkState.GOOD:
        status = 410 if worth is links.LinkState.EXPIRED else 403
        values: dict[str, Any] = {"file": file, "expired": status == 410, "link": link_to(file)}
        return render.page("files/link.html", status=status, **values)
    return _streamed(file, _opened(file))


def _opened(file: projects.ProjectFile) -> BinaryIO:
    try:
        return storage.open_for_read(file.path or "")
    except FileNotFoundError:
        raise NotFound(N_("This file is no longer stored.")) from None


def _streamed(file: projects.ProjectFile, stream: BinaryIO) -> Response:
    response = send_file(
        stream,
        mimetype=MIME_TYPES[workorders.ExportFormat(file.format)],
        as_attachment=True,
        download_name=file.name,
        last_modified=file.updated_at,
        etag=file.sha256 or False,
        conditional=False,
    )
    response.headers["Cache-Control"] = "private, no-store"
    response.content_length = file.size or 0
    response.make_conditional(request.environ, accept_ranges=True, complete_length=file.size)
    if response.status_code == 200 and request.method == "GET":
        workorders.record_download(file, actor=g.actor)
    return response
