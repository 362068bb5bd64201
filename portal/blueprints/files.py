"""Stored files of a project: the list of exports, and the download."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, g, request, send_file

from portal import projects
from portal.core import storage
from portal.core.errors import NotFound
from portal.core.text import N_
from portal.web import guarded, render

bp = Blueprint("files", __name__, url_prefix="/projects/<uuid:project_id>")


@bp.get("/exports")
@guarded("projects:read")
def index(project_id: uuid.UUID) -> Response:
    """The exports of the project, newest first."""
    page = projects.list_files(project_id, request.args.get("cursor"))
    return render.page("files/index.html", "files/_more.html", page=page, project=g.standing.project)


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
