"""Finding the trigger behind a webhook's address (projects-and-workflows §3.9)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.core import db
from portal.workflows.models import Trigger, TriggerType, Workflow


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook trigger as its address finds it."""

    trigger_id: uuid.UUID
    project_id: uuid.UUID
    enabled: bool


def find_webhook(segments: Sequence[str]) -> Webhook | None:
    """The webhook at `/i/<segments>`; the first hit wins, later segments do not matter.

    1. project id + custom path; 2. trigger id; 3. a bare path kept from before paths
    belonged to projects. Triggers of deleted workflows and cron triggers are not found.
    """
    first = segments[0] if segments else ""
    found = None
    if len(segments) > 1 and (project_id := _uuid(first)):
        found = _first(Trigger.project_id == project_id, Trigger.custom_path == segments[1])
    if found is None and (trigger_id := _uuid(first)):
        found = _first(Trigger.id == trigger_id)
    if found is None and first and "\0" not in first:
        found = _first(Trigger.bare_path, Trigger.custom_path == first)
    return found


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def _first(*conditions: Any) -> Webhook | None:
    row = (
        db.session()
        .execute(
            sa.select(Trigger.id, Trigger.project_id, Trigger.enabled)
            .join(Workflow, Workflow.id == Trigger.workflow_id)
            .where(Trigger.type == TriggerType.WEBHOOK, Workflow.deleted_at.is_(None), *conditions)
        )
        .first()
    )
    return Webhook(*row) if row else None
