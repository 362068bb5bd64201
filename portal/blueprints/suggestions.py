"""What could be typed next into the search box of the history."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, request

from portal import workorders
from portal.web import guarded, render
from portal.web.i18n import zone

bp = Blueprint("suggestions", __name__, url_prefix="/projects/<uuid:project_id>/history/suggestions")


@bp.get("")
@guarded("workorders:read")
def index(project_id: uuid.UUID) -> Response:
    """Choices for the search box, or with `of=error` the types of error alone; only htmx asks for them."""
    if request.args.get("of") == "error":
        found, name = workorders.error_types(project_id), "workorders-errors"
    else:
        found = workorders.suggest(project_id, request.args.get("query", ""), zone())
        name = "workorders-suggestions"
    return render.fragment("workorders/_suggestions.html", found=found, name=name)
