"""The list of projects, and the way into one."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, g, url_for

from portal import projects
from portal.web import guarded, public, render

bp = Blueprint("projects", __name__)


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
    """A project opens on its history."""
    return render.redirect_to(url_for("workorders.index", project_id=project_id))
