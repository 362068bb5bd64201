"""Saved views: filters of the history under a name, one's own or the whole project's (workorders §21)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from portal import audit
from portal.accounts import User
from portal.core import db
from portal.core.access import Actor
from portal.core.errors import Invalid, NotAllowed, NotFound
from portal.core.text import N_
from portal.projects import Project
from portal.workorders.inputs import ReadFilters, SearchFilters
from portal.workorders.view_inputs import NewView, ViewRename, read_query
from portal.workorders.view_models import SavedView

MOST_OWN = 50
MOST_SHARED = 50
TAKEN = N_("There is a view of this name already.")
TOO_MANY_OWN = N_("You have 50 views in this project, and more are not kept. Delete one first.")
TOO_MANY_SHARED = N_("The project has 50 shared views, and more are not kept. Delete one first.")
NOT_YOURS = N_("Only the person who made this view can take it back.")


@dataclass(frozen=True, slots=True)
class View:
    """A saved view as a person sees it. `maker` is the name of who made it.

    `read` is what is understood of the stored filters today: what no longer means anything
    is named in its `errors` and `ignored`, and left out of its `filters`.
    """

    id: uuid.UUID
    project_id: uuid.UUID
    name: str
    shared: bool
    mine: bool
    maker: str
    query: str
    read: ReadFilters

    @property
    def filters(self) -> SearchFilters:
        """The filters that are still understood."""
        return self.read.filters

    @property
    def outdated(self) -> bool:
        """Whether a part of the stored filters is no longer understood."""
        return bool(self.read.errors or self.read.ignored)


def list_views(project_id: uuid.UUID, actor: Actor) -> list[View]:
    """The actor's own views and those shared with the project, by name; at most 100."""
    rows = db.session().execute(_visible(project_id, actor).limit(MOST_OWN + MOST_SHARED))
    return [_view(row, actor) for row in rows]


def get_view(project_id: uuid.UUID, view_id: uuid.UUID, actor: Actor) -> View:
    """One view that the actor can see. Raises NotFound, also for what is another's own."""
    row = db.session().execute(_visible(project_id, actor).where(SavedView.id == view_id)).one_or_none()
    if row is None:
        raise NotFound
    return _view(row, actor)


def find_view(project_id: uuid.UUID, name: str, actor: Actor, *, shared: bool) -> View | None:
    """The view of that name, in any case, among the shared ones or among the actor's own."""
    same = sa.func.lower(SavedView.name) == sa.func.lower(name.strip())
    row = (
        db.session()
        .execute(_visible(project_id, actor).where(same, SavedView.shared == shared))
        .one_or_none()
    )
    return _view(row, actor) if row else None


def _visible(project_id: uuid.UUID, actor: Actor) -> sa.Select[SavedView, str]:
    full_name = sa.func.concat_ws(" ", User.first_name, User.last_name)
    return (
        sa.select(SavedView, full_name)
        .join(User, User.id == SavedView.created_by_id)
        .where(
            SavedView.project_id == project_id, sa.or_(SavedView.shared, SavedView.created_by_id == actor.id)
        )
        .order_by(sa.func.lower(SavedView.name), SavedView.id)
        .execution_options(populate_existing=True)
    )


def _view(row: sa.Row[SavedView, str], actor: Actor) -> View:
    saved, maker = row
    return View(
        id=saved.id,
        project_id=saved.project_id,
        name=saved.name,
        shared=saved.shared,
        mine=saved.created_by_id == actor.id,
        maker=maker,
        query=saved.query,
        read=read_query(saved.query),
    )


def create_view(project: Project, new: NewView, *, actor: Actor) -> View:
    """Keep filters under a name. Edges ask first whether the actor may share (`workorders:share_view`).

    Raises Invalid on `name` when it is taken (in any case, also by somebody at the same
    moment) or when there are 50 of its kind already.
    """
    with db.unit_of_work():
        db.lock(project)
        _refuse_many(project.id, actor.id, shared=new.shared)
        saved = SavedView(
            project_id=project.id,
            created_by_id=actor.id,
            name=new.name,
            shared=new.shared,
            query=new.filters.query_string(),
        )
        db.session().add(saved)
        _flush()
        after = {"name": saved.name, "shared": saved.shared, "query": saved.query}
        audit.record("created", "view", saved.id, actor=actor, project_id=project.id, after=after)
    return get_view(project.id, saved.id, actor)


def rename_view(project_id: uuid.UUID, view_id: uuid.UUID, rename: ViewRename, *, actor: Actor) -> View:
    """Give it another name. Raises NotFound, and Invalid on `name` when that is taken."""
    with db.unit_of_work():
        saved = _locked(project_id, view_id, actor)
        before, saved.name = saved.name, rename.name
        if saved.name != before:
            _flush()
            audit.record(
                "renamed",
                "view",
                saved.id,
                actor=actor,
                project_id=project_id,
                before={"name": before},
                after={"name": saved.name},
            )
    return get_view(project_id, view_id, actor)


def share_view(project_id: uuid.UUID, view_id: uuid.UUID, *, shared: bool, actor: Actor) -> View:
    """Share one's view with the project, or take it back.

    Raises NotFound; NotAllowed when somebody else's is taken back; Invalid on `name` when the
    name is taken there, or when there are 50 already.
    """
    with db.unit_of_work():
        project = db.session().get(Project, project_id)
        if project is None:
            raise NotFound
        db.lock(project)
        saved = _locked(project_id, view_id, actor)
        if saved.created_by_id != actor.id and not shared:
            raise NotAllowed(NOT_YOURS)
        if saved.shared != shared:
            _refuse_many(project_id, saved.created_by_id, shared=shared)
            saved.shared = shared
            _flush()
            audit.record(
                "shared",
                "view",
                saved.id,
                actor=actor,
                project_id=project_id,
                before={"shared": not shared},
                after={"shared": shared},
            )
    return get_view(project_id, view_id, actor)


def change_view(project_id: uuid.UUID, view_id: uuid.UUID, filters: SearchFilters, *, actor: Actor) -> View:
    """Put these filters into the view. Raises NotFound."""
    with db.unit_of_work():
        saved = _locked(project_id, view_id, actor)
        before, saved.query = saved.query, filters.query_string()
        if saved.query != before:
            audit.record(
                "filters_changed",
                "view",
                saved.id,
                actor=actor,
                project_id=project_id,
                before={"query": before},
                after={"query": saved.query},
            )
    return get_view(project_id, view_id, actor)


def delete_view(project_id: uuid.UUID, view_id: uuid.UUID, *, actor: Actor) -> None:
    """Forget it; the work orders that it found stay. Raises NotFound."""
    with db.unit_of_work():
        saved = _locked(project_id, view_id, actor)
        before = {"name": saved.name, "shared": saved.shared, "query": saved.query}
        db.session().delete(saved)
        audit.record("deleted", "view", saved.id, actor=actor, project_id=project_id, before=before)


def _locked(project_id: uuid.UUID, view_id: uuid.UUID, actor: Actor) -> SavedView:
    """The row, locked, if the actor can see it. Raises NotFound."""
    saved = db.session().get(SavedView, view_id)
    if saved is None or saved.project_id != project_id:
        raise NotFound
    db.lock(saved)
    if not saved.shared and saved.created_by_id != actor.id:
        raise NotFound
    return saved


def _refuse_many(project_id: uuid.UUID, maker_id: uuid.UUID, *, shared: bool) -> None:
    """The project is locked: nobody else adds one between this look and the commit."""
    whose = SavedView.shared if shared else sa.not_(SavedView.shared) & (SavedView.created_by_id == maker_id)
    query = sa.select(sa.func.count()).select_from(SavedView)
    present = db.session().scalar(query.where(SavedView.project_id == project_id, whose)) or 0
    if present >= (MOST_SHARED if shared else MOST_OWN):
        raise Invalid({"name": [TOO_MANY_SHARED if shared else TOO_MANY_OWN]})


def _flush() -> None:
    """Send the change. The index of names decides, so two people at once cannot both have one."""
    try:
        db.session().flush()
    except IntegrityError as clash:
        constraint = getattr(getattr(clash.orig, "diag", None), "constraint_name", "") or ""
        if constraint.startswith("uq_saved_views"):
            raise Invalid({"name": [TAKEN]}) from clash
        raise
