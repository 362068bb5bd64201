"""Saved views: filters of the history under a name (workorders §21, §15)."""

from __future__ import annotations

import uuid
from typing import Literal

from flask import Blueprint, g

from portal import workorders
from portal.api import shapes
from portal.api.endpoints import endpoint
from portal.api.shapes import Listed, One, Resource, Shape, own_link
from portal.core import access
from portal.web import guarded
from portal.workorders import NewView, SearchFilters, ViewEdit

bp = Blueprint("api_views", __name__, url_prefix="/api/projects/<uuid:project_id>/views")
AREA = "Saved views"


class ViewAttributes(Shape):
    """A view. `query` is what was stored; with `outdated`, `filters` leaves out what means nothing now."""

    name: str
    shared: bool
    mine: bool
    maker: str
    query: str
    filters: SearchFilters
    outdated: bool


class ViewResource(Resource[ViewAttributes]):
    """A saved view."""

    type: Literal["views"] = "views"


class OneView(One[ViewResource]):
    """One saved view."""


class ViewList(Listed[ViewResource]):
    """Saved views, all of them: `next` is null."""


@bp.get("")
@guarded("workorders:read")
@endpoint(AREA, answer=ViewList)
def list_views(project_id: uuid.UUID) -> ViewList:
    """Your own views and those shared with the project, by name."""
    found = workorders.list_views(project_id, g.actor)
    return shapes.listed(ViewList, [_view(view) for view in found], None)


@bp.post("")
@guarded("workorders:save_view")
@endpoint(AREA, answer=OneView, status=201, body=NewView, once=True)
def create_view(project_id: uuid.UUID, body: NewView) -> OneView:
    """Keep filters under a name."""
    if body.shared:
        _require_sharing()
    return _one(workorders.create_view(g.standing.project, body, actor=g.actor))


@bp.get("/<uuid:view_id>")
@guarded("workorders:read")
@endpoint(AREA, answer=OneView)
def show_view(project_id: uuid.UUID, view_id: uuid.UUID) -> OneView:
    """One view."""
    return _one(workorders.get_view(project_id, view_id, g.actor))


@bp.patch("/<uuid:view_id>")
@guarded("workorders:save_view")
@endpoint(AREA, answer=OneView, body=ViewEdit)
def edit_view(project_id: uuid.UUID, view_id: uuid.UUID, body: ViewEdit) -> OneView:
    """Rename a view, share it or take it back, put other filters in: all or nothing."""
    if _shared(project_id, view_id) or body.shared:
        _require_sharing()
    return _one(workorders.edit_view(project_id, view_id, body, actor=g.actor))


@bp.delete("/<uuid:view_id>")
@guarded("workorders:save_view")
@endpoint(AREA, answer=None, status=204)
def delete_view(project_id: uuid.UUID, view_id: uuid.UUID) -> None:
    """Forget a view; the work orders that it finds stay."""
    if _shared(project_id, view_id):
        _require_sharing()
    workorders.delete_view(project_id, view_id, actor=g.actor)


def _shared(project_id: uuid.UUID, view_id: uuid.UUID) -> bool:
    return workorders.get_view(project_id, view_id, g.actor).shared


def _require_sharing() -> None:
    access.require("workorders:share_view", g.actor, g.standing)


def _one(view: workorders.View) -> OneView:
    resource = _view(view)
    return OneView(data=resource, links=resource.links)


def _view(view: workorders.View) -> ViewResource:
    return ViewResource(
        id=str(view.id),
        attributes=ViewAttributes.model_validate(view, from_attributes=True),
        links=own_link("api_views.show_view", project_id=view.project_id, view_id=view.id),
    )
