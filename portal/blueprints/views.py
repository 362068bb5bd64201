"""Saved views: kept from the history, listed in the side bar, renamed, shared, deleted (workorders §21)."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from pydantic import BaseModel

from portal import workflows, workorders
from portal.blueprints import history_query
from portal.core import access
from portal.web import forms, guarded, render

bp = Blueprint("views", __name__, url_prefix="/projects/<uuid:project_id>/views")

# Told to the page: the side bar fetches its list again; other places that name views follow.
CHANGED, EDITED = "views-changed", "views-edited"


class Sharing(BaseModel):
    """Whether the whole project shall see it."""

    shared: bool = False


class Filters(BaseModel):
    """Filters for a view that is there already, as text."""

    filters: str = ""


@bp.get("")
@guarded("workorders:save_view")
def index(project_id: uuid.UUID) -> Response:
    """All views that one sees here, with their filters in words."""
    names = {str(each.id): each.name for each in workflows.list_names(project_id)}
    shown = workorders.list_views(project_id, g.actor)
    gone = {view.id for view in shown if any(str(id_) not in names for id_ in view.filters.workflows)}
    values: dict[str, Any] = {"names": names, "gone": gone, "may_change": may_change}
    return render.page("views/index.html", "views/_table.html", views=shown, address=address, **values)


@bp.get("/list")
@guarded("workorders:save_view")
def listed(project_id: uuid.UUID) -> Response:
    """The views in the side bar; a plain browser gets the page of them."""
    if not render.is_partial():
        return render.redirect_to(url_for("views.index", project_id=project_id))
    focus = request.args.get("focus", type=uuid.UUID)
    return render.fragment("views/_list.html", **_listed(project_id), focus=focus)


def _listed(project_id: uuid.UUID) -> dict[str, Any]:
    return {"views": workorders.list_views(project_id, g.actor), "address": address}


@bp.get("/counts")
@guarded("workorders:save_view")
def counts(project_id: uuid.UUID) -> Response:
    """The numbers of all views at once, each for its place in the side bar."""
    if not render.is_partial():
        return render.redirect_to(url_for("views.index", project_id=project_id))
    found = workorders.count_views(g.standing.project, workorders.list_views(project_id, g.actor))
    return render.fragment("views/_counts.html", counts=found)


@bp.post("")
@guarded("workorders:save_view")
def create(project_id: uuid.UUID) -> Response:
    """Keep the filters that are shown under a name."""
    form = forms.read(workorders.NewView)
    if form.ok and form.data.shared:
        access.require("workorders:share_view", g.actor, g.standing)
    made = (
        form.attempt(workorders.create_view, g.standing.project, form.data, actor=g.actor)
        if form.ok
        else None
    )
    if made is None:
        return render.invalid("views/new.html", "views/_form.html", saving=form, same=_same(project_id, form))
    return _kept(made, _("The view “%(name)s” was saved.", name=made.name))


def _same(project_id: uuid.UUID, form: forms.Form[workorders.NewView]) -> workorders.View | None:
    """The view that has the name already, to put the filters into it instead."""
    name, shared = str(form.values.get("name", "")), bool(form.values.get("shared"))
    if "name" not in form.errors or "filters" in form.errors or "\0" in name:
        return None
    return workorders.find_view(project_id, name, g.actor, shared=shared)


def _kept(view: workorders.View, toast: str) -> Response:
    """The form of the history again, empty, with the same filters; a plain browser sees the view itself."""
    return render.done(
        address(view), fragment="views/_form.html", event=CHANGED, toast=toast, filters=view.filters
    )


@bp.get("/<uuid:view_id>")
@guarded("workorders:save_view")
def show(project_id: uuid.UUID, view_id: uuid.UUID) -> Response:
    """One view to be changed: in its place in the side bar, or as a page."""
    view = _changeable(project_id, view_id)
    return render.page("views/show.html", "views/_edit.html", view=view, address=address)


@bp.post("/<uuid:view_id>/name")
@guarded("workorders:save_view")
def rename(project_id: uuid.UUID, view_id: uuid.UUID) -> Response:
    """Give it another name."""
    view, form = _changeable(project_id, view_id), forms.read(workorders.ViewRename)
    done = (
        form.attempt(workorders.rename_view, project_id, view_id, form.data, actor=g.actor)
        if form.ok
        else None
    )
    if done is None:
        return _refused(view, form)
    return _edited(project_id, _("The view is called “%(name)s” now.", name=done.name), focus=view_id)


@bp.post("/<uuid:view_id>/sharing")
@guarded("workorders:share_view")
def share(project_id: uuid.UUID, view_id: uuid.UUID) -> Response:
    """Share it with the project, or take it back."""
    view, form = _changeable(project_id, view_id), forms.read(Sharing)
    deed = {"shared": form.data.shared, "actor": g.actor}
    if form.attempt(workorders.share_view, project_id, view_id, **deed) is None:
        return _refused(view, form)
    toast = (
        _("The whole project sees this view now.") if form.data.shared else _("Only you see this view now.")
    )
    return _edited(project_id, toast, focus=view_id)


@bp.post("/<uuid:view_id>/filters")
@guarded("workorders:save_view")
def change(project_id: uuid.UUID, view_id: uuid.UUID) -> Response:
    """Put the filters that are shown into it."""
    _changeable(project_id, view_id)
    given = forms.read(Filters).data.filters
    new = workorders.NewView.model_validate({"name": "x", "filters": given})
    view = workorders.change_view(project_id, view_id, new.filters, actor=g.actor)
    return _kept(view, _("The view “%(name)s” has these filters now.", name=view.name))


@bp.post("/<uuid:view_id>/deletion")
@guarded("workorders:save_view")
def delete(project_id: uuid.UUID, view_id: uuid.UUID) -> Response:
    """Forget it."""
    view = _changeable(project_id, view_id)
    workorders.delete_view(project_id, view_id, actor=g.actor)
    return _edited(project_id, _("The view “%(name)s” was deleted.", name=view.name))


def _changeable(project_id: uuid.UUID, view_id: uuid.UUID) -> workorders.View:
    """The view. Raises NotFound for another's own, NotAllowed for a shared one that they may not change."""
    view = workorders.get_view(project_id, view_id, g.actor)
    if not may_change(view):
        access.require("workorders:share_view", g.actor, g.standing)
    return view


def may_change(view: workorders.View) -> bool:
    """Whether the present actor may rename or delete it."""
    return not view.shared or access.allows("workorders:share_view", g.actor, g.standing)


def address(view: workorders.View) -> str:
    """The history with the view's filters."""
    return history_query.address(view.project_id, view.filters)


def _edited(project_id: uuid.UUID, toast: str, focus: uuid.UUID | None = None) -> Response:
    """The list of the side bar anew, the focus back where it was."""
    where = url_for("views.index", project_id=project_id)
    values = _listed(project_id) | {"focus": focus}
    return render.done(where, fragment="views/_list.html", event=EDITED, toast=toast, **values)


def _refused(view: workorders.View, form: forms.Form[Any]) -> Response:
    return render.invalid("views/show.html", "views/_edit.html", view=view, form=form, address=address)
