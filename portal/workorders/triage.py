"""What people say of a group of errors: resolved, ignored, open again (workorders §22.3)."""

from __future__ import annotations

import uuid
from functools import partial

import sqlalchemy as sa

from portal import audit
from portal.core import clock, db
from portal.core.access import Actor
from portal.core.errors import NotFound
from portal.workorders import events, groups
from portal.workorders.group_models import ErrorGroup, GroupState


def set_group_state(
    project_id: uuid.UUID, group_id: uuid.UUID, state: GroupState, *, actor: Actor
) -> groups.ErrorGroupRow:
    """Resolve, ignore or reopen a group; answers it as it is then.

    The state that it has already changes nothing. A resolved group opens by itself when its
    error comes back later; an ignored one only counts. Raises NotFound, also for a group of
    another project.
    """
    with db.unit_of_work() as unit:
        group = db.session().scalar(
            sa.select(ErrorGroup)
            .where(ErrorGroup.id == group_id, ErrorGroup.project_id == project_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if group is None:
            raise NotFound
        if group.state is not state:
            before = group.state
            group.state, group.state_changed_at, group.state_changed_by_id = state, clock.now(), actor.id
            db.session().flush()
            _record(group, state, actor, before)
            events.to_project(unit, project_id, events.ERROR_GROUP_CHANGED, group_id)
        return groups.get_error_group(project_id, group_id)


def _record(group: ErrorGroup, state: GroupState, actor: Actor, before: GroupState) -> None:
    record = partial(
        audit.record,
        actor=actor,
        project_id=group.project_id,
        before={"state": str(before)},
        after={"state": str(state)},
    )
    match state:
        case GroupState.RESOLVED:
            record("resolved", "error_group", group.id)
        case GroupState.IGNORED:
            record("ignored", "error_group", group.id)
        case GroupState.OPEN:
            record("reopened", "error_group", group.id)
