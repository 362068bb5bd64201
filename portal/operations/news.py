"""Tells browsers that an operation began or ended; its progress is polled."""

from __future__ import annotations

import uuid

from portal.core import events

CHANGED = "operation-changed"


def tell(project_id: uuid.UUID | None, operation_id: uuid.UUID) -> None:
    """Publish `operation-changed` to the project's topic; nothing for the portal's own work."""
    if project_id is not None:
        events.publish(events.project_topic(project_id), CHANGED, operation_id)
