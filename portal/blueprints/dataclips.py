"""Dataclips: the viewer, and the body as the database wrote it (dataclips-and-accounts §1.4)."""

from __future__ import annotations

import uuid
from datetime import UTC

from flask import Blueprint, Response, request
from werkzeug.http import http_date

from portal import dataclips, workorders
from portal.web import guarded

bp = Blueprint("dataclips", __name__, url_prefix="/projects/<uuid:project_id>/dataclips")
DAY = 86_400


@bp.get("/<uuid:dataclip_id>/body")
@guarded("dataclips:read")
def body(project_id: uuid.UUID, dataclip_id: uuid.UUID) -> Response:
    """The body as JSON text; 304 while the browser's copy is current. `?download=1` saves it as a file."""
    clip = dataclips.get(project_id, dataclip_id)
    changed = max(moment for moment in (clip.updated_at, clip.wiped_at) if moment).replace(microsecond=0)
    since = request.if_modified_since
    if since is not None and changed <= since.astimezone(UTC) and clip.wiped_at is None:
        return _cached(Response(status=304), clip, http_date(changed))
    text = workorders.shown_body(project_id, dataclip_id)
    response = _cached(Response(text, mimetype="application/json"), clip, http_date(changed))
    if request.args.get("download"):
        response.headers["Content-Disposition"] = f'attachment; filename="dataclip-{clip.id}.json"'
    return response


def _cached(response: Response, clip: dataclips.Dataclip, changed: str) -> Response:
    response.headers["Last-Modified"] = changed
    response.vary.update(("Accept-Encoding", "Cookie"))
    # What was erased must not live on in a browser's cache.
    response.headers["Cache-Control"] = "no-store" if clip.wiped_at else f"private, max-age={DAY}"
    return response
