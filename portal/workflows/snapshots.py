"""Frozen copies of workflows, as runs execute them (projects-and-workflows §3.5)."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from portal.core import db
from portal.workflows.graph import Graph
from portal.workflows.models import Snapshot

JOB = ("id", "name", "body", "adaptor", "project_credential_id", "inserted_at", "updated_at")
TRIGGER = (
    "id",
    "type",
    "enabled",
    "comment",
    "custom_path",
    "cron_expression",
    "cron_cursor_job_id",
    "webhook_reply",
    "webhook_response_config",
    "inserted_at",
    "updated_at",
)
EDGE = (
    "id",
    "source_job_id",
    "source_trigger_id",
    "target_job_id",
    "condition_type",
    "condition_expression",
    "condition_label",
    "enabled",
    "inserted_at",
    "updated_at",
)


def take(graph: Graph) -> Snapshot:
    """Store the present state of a workflow under its `lock_version`; the caller audits it."""
    workflow = graph.workflow
    snapshot = Snapshot(
        workflow_id=workflow.id,
        lock_version=workflow.lock_version,
        name=workflow.name,
        jobs=_frozen(graph.jobs, JOB),
        triggers=_frozen(graph.triggers, TRIGGER),
        edges=_frozen(graph.edges, EDGE),
        positions=workflow.positions,
    )
    db.session().add(snapshot)
    db.session().flush()
    return snapshot


def _frozen(rows: Iterable[object], columns: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{column: _plain(getattr(row, column)) for column in columns} for row in rows]


def _plain(value: Any) -> Any:
    match value:
        case uuid.UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case enum.Enum():
            return value.value
        case _:
            return value
