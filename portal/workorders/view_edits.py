"""Changing several things of a saved view at once, all or none (workorders §21, §15)."""

from __future__ import annotations

import uuid

from pydantic import BaseModel, ConfigDict

from portal.core import db
from portal.core.access import Actor
from portal.workorders.inputs import SearchFilters
from portal.workorders.view_inputs import ViewName, ViewRename
from portal.workorders.views import View, change_view, get_view, rename_view, share_view


class ViewEdit(BaseModel):
    """What shall be different; what is left out stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ViewName | None = None
    shared: bool | None = None
    filters: SearchFilters | None = None


def edit_view(project_id: uuid.UUID, view_id: uuid.UUID, edit: ViewEdit, *, actor: Actor) -> View:
    """Share or take back, rename, put other filters in, in one unit of work.

    Raises as `share_view`, `rename_view` and `change_view`.
    """
    with db.unit_of_work():
        if edit.shared is not None:
            share_view(project_id, view_id, shared=edit.shared, actor=actor)
        if edit.name is not None:
            rename_view(project_id, view_id, ViewRename(name=edit.name), actor=actor)
        if edit.filters is not None:
            change_view(project_id, view_id, edit.filters, actor=actor)
    return get_view(project_id, view_id, actor)
