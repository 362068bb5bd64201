"""Writing audit entries, inside the unit of work of the change (dataclips-and-accounts §3.2)."""

from __future__ import annotations

import uuid

from portal.audit.models import AuditEvent
from portal.core import db
from portal.core.access import Actor
from portal.core.db import Json


def record(
    event: str,
    item_type: str,
    item_id: uuid.UUID,
    *,
    actor: Actor,
    project_id: uuid.UUID | None = None,
    before: Json | None = None,
    after: Json | None = None,
    details: Json | None = None,
) -> None:
    """Add one entry to the present unit of work; it lives or dies with the change.

    `before` and `after` hold only the fields that changed. Never give secrets or dataclip
    bodies. Raises RuntimeError outside a unit of work: an entry without its change is a lie.
    """
    if db.session().info.get("unit") is None:
        raise RuntimeError("audit.record belongs inside a unit of work")
    changes = None if before is None and after is None else {"before": before, "after": after}
    db.session().add(
        AuditEvent(
            event=event,
            item_type=item_type,
            item_id=item_id,
            project_id=project_id,
            changes=changes,
            details=details or {},
            actor_id=actor.id,
            actor_type=actor.type,
        )
    )
