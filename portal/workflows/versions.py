"""The chain of a workflow's version rows (projects-and-workflows §3.7)."""

from __future__ import annotations

import re
import uuid

import sqlalchemy as sa

from portal.core import db
from portal.core.errors import Invalid
from portal.core.text import N_
from portal.workflows.models import VersionSource, WorkflowVersion

_HASH = re.compile(r"[0-9a-f]{12}")


def record_version(workflow_id: uuid.UUID, content_hash: str, source: VersionSource) -> None:
    """Note that the workflow now has the content with this hash, saved by `source`.

    The newest row again: nothing happens. A newer save by the same source replaces the
    newest row, except the workflow's first, which stays as the point a sandbox forked from.
    The caller holds the workflow's row lock or has just made it. Raises Invalid on `hash`.
    """
    if not _HASH.fullmatch(content_hash):
        raise Invalid({"hash": [N_("must be 12 hex digits")]})
    with db.unit_of_work():
        newest, older = _newest_two(workflow_id)
        if newest and (newest.hash, newest.source) == (content_hash, source):
            return
        if newest and older and newest.source == source:
            db.session().delete(newest)
        db.session().add(WorkflowVersion(workflow_id=workflow_id, hash=content_hash, source=source))
        db.session().flush()


def history(workflow_id: uuid.UUID) -> list[str]:
    """All rows of the workflow as `source:hash`, oldest first."""
    rows = db.session().scalars(
        sa.select(WorkflowVersion)
        .where(WorkflowVersion.workflow_id == workflow_id)
        .order_by(WorkflowVersion.inserted_at, WorkflowVersion.id)
    )
    return [f"{row.source.value}:{row.hash}" for row in rows]


def _newest_two(workflow_id: uuid.UUID) -> tuple[WorkflowVersion | None, WorkflowVersion | None]:
    rows = db.session().scalars(
        sa.select(WorkflowVersion)
        .where(WorkflowVersion.workflow_id == workflow_id)
        .order_by(WorkflowVersion.inserted_at.desc(), WorkflowVersion.id.desc())
        .limit(2)
    )
    newest, older, *_ = [*rows, None, None]
    return newest, older
