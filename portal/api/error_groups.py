"""Groups of errors: the list, one group, its state (workorders §22, §15)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from flask import Blueprint, g
from pydantic import Field

from portal import workorders
from portal.api import shapes
from portal.api.endpoints import endpoint
from portal.api.queries import CursorQuery
from portal.api.shapes import Listed, One, Resource, Shape, own_link
from portal.web import guarded
from portal.workorders import GroupSort, GroupState, NewGroupState

bp = Blueprint("api_error_groups", __name__, url_prefix="/api/projects/<uuid:project_id>/error_groups")
AREA = "Error groups"


class GroupsQuery(CursorQuery):
    """Which groups, in which order; no state stands for open ones."""

    state: list[GroupState] = Field(default_factory=lambda: [GroupState.OPEN])
    workflow_id: uuid.UUID | None = None
    sort: GroupSort = GroupSort.LAST_SEEN


class GroupAttributes(Shape):
    """Failed runs of one workflow that failed alike; `message` without numbers, ids and quoted values."""

    workflow_id: uuid.UUID
    workflow_name: str
    error_type: str | None
    message: str
    state: GroupState
    state_changed_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    last_run_id: uuid.UUID | None
    occurrences: int


class GroupResource(Resource[GroupAttributes]):
    """A group of errors."""

    type: Literal["error_groups"] = "error_groups"


class OneGroup(One[GroupResource]):
    """One group of errors."""


class GroupList(Listed[GroupResource]):
    """Groups of errors."""


@bp.get("")
@guarded("workorders:read")
@endpoint(AREA, answer=GroupList, query=GroupsQuery)
def list_error_groups(project_id: uuid.UUID, query: GroupsQuery) -> GroupList:
    """The groups of errors of a project, 25 at a time."""
    page = workorders.list_error_groups(
        g.standing.project,
        states=query.state,
        workflow=query.workflow_id,
        sort=query.sort,
        cursor=query.cursor,
    )
    return shapes.listed(GroupList, [_group(row) for row in page.items], page.next_cursor)


@bp.get("/<uuid:group_id>")
@guarded("workorders:read")
@endpoint(AREA, answer=OneGroup)
def show_error_group(project_id: uuid.UUID, group_id: uuid.UUID) -> OneGroup:
    """One group of errors."""
    return shapes.one(OneGroup, _group(workorders.get_error_group(project_id, group_id)))


@bp.post("/<uuid:group_id>/state")
@guarded("workorders:triage")
@endpoint(AREA, answer=OneGroup, body=NewGroupState, once=True)
def set_group_state(project_id: uuid.UUID, group_id: uuid.UUID, body: NewGroupState) -> OneGroup:
    """Resolve, ignore or reopen a group. A resolved one opens by itself when its error comes back."""
    resource = _group(workorders.set_group_state(project_id, group_id, body.state, actor=g.actor))
    return OneGroup(data=resource, links=resource.links)


def _group(row: workorders.ErrorGroupRow) -> GroupResource:
    return GroupResource(
        id=str(row.id),
        attributes=GroupAttributes.model_validate(row, from_attributes=True),
        links=own_link("api_error_groups.show_error_group", project_id=row.project_id, group_id=row.id),
    )
