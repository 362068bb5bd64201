"""The workflow version that a new run executes, and the options it is given (workorders §5, §7)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.core import db
from portal.core.db import Json
from portal.core.errors import Invalid, NotFound
from portal.core.limits import limits
from portal.core.text import N_

WORKFLOW_DELETED = N_("workflow deleted")

_VERSION = """
    SELECT w.id AS workflow_id, w.project_id, w.deleted_at IS NOT NULL AS deleted, s.id AS snapshot_id,
           p.retention_policy, w.enable_job_logs, {extra}
    FROM workflows w
    JOIN projects p ON p.id = w.project_id
    LEFT JOIN snapshots s ON s.workflow_id = w.id AND s.lock_version = w.lock_version
    {where}
"""
_OF_TRIGGER = sa.text(
    _VERSION.format(
        extra="t.type AS trigger_type",
        where="JOIN triggers t ON t.workflow_id = w.id WHERE t.id = :trigger_id",
    )
)
_OF_WORKFLOW = sa.text(
    _VERSION.format(
        extra="NULL AS trigger_type", where="WHERE w.id = :workflow_id AND w.project_id = :project_id"
    )
)
_OF_WORKFLOWS = sa.text(
    _VERSION.format(
        extra="NULL AS trigger_type",
        where="WHERE w.id = ANY(CAST(:ids AS uuid[])) AND w.project_id = :project_id",
    )
)
_HAS_JOB = sa.text("""
    SELECT jobs @> jsonb_build_array(jsonb_build_object('id', CAST(:job_id AS text)))
    FROM snapshots WHERE id = :snapshot_id
""")


@dataclass(frozen=True, slots=True)
class Version:
    """What a workflow runs now, and what its project and its own settings say about a run."""

    workflow_id: uuid.UUID
    project_id: uuid.UUID
    snapshot_id: uuid.UUID
    retention_policy: str
    enable_job_logs: bool
    trigger_type: str | None

    def options(self) -> Json:
        """Fresh run options; fixed on the run, so later settings leave it alone (workorders §7)."""
        return {
            "run_timeout_ms": limits().run_seconds * 1000,
            "save_dataclips": self.retention_policy != "erase_all",
            "run_memory_limit_mb": None,
            "enable_job_logs": self.enable_job_logs,
        }

    def has_job(self, job_id: uuid.UUID) -> bool:
        """Whether the snapshot holds the job."""
        values = {"job_id": str(job_id), "snapshot_id": self.snapshot_id}
        return bool(db.session().scalar(_HAS_JOB, values))


def of_trigger(trigger_id: uuid.UUID) -> Version:
    """The current version of a trigger's workflow. Raises NotFound, or Invalid as `of_workflow`."""
    return _usable(db.session().execute(_OF_TRIGGER, {"trigger_id": trigger_id}).one_or_none())


def of_workflow(project_id: uuid.UUID, workflow_id: uuid.UUID) -> Version:
    """The current version of a workflow of the project.

    Raises NotFound, Invalid on `workflow_id` («workflow deleted») or on `snapshot_id`
    (the workflow was never saved in full).
    """
    values = {"workflow_id": workflow_id, "project_id": project_id}
    return _usable(db.session().execute(_OF_WORKFLOW, values).one_or_none())


def of_workflows(project_id: uuid.UUID, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Version]:
    """The current versions of those workflows of the project that can run, by workflow."""
    values = {"ids": sorted(set(ids)), "project_id": project_id}
    found = db.session().execute(_OF_WORKFLOWS, values)
    usable = [row for row in found if not row.deleted and row.snapshot_id is not None]
    return {row.workflow_id: _usable(row) for row in usable}


def _usable(row: sa.Row[Any] | None) -> Version:
    if row is None:
        raise NotFound
    if row.deleted:
        raise Invalid({"workflow_id": [WORKFLOW_DELETED]})
    if row.snapshot_id is None:
        raise Invalid({"snapshot_id": [N_("can't be blank")]})
    fields = dict(row._mapping)
    del fields["deleted"]
    return Version(**fields)
