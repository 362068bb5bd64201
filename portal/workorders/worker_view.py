"""A run as whatever executes it sees it: graph, options, input, credentials (workorders §5.6, §7).

These answers are for a worker that holds the run: it is named by its id alone, and the
caller has checked that the worker may have it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal import dataclips
from portal.core import clock, db
from portal.core.db import Json
from portal.core.errors import Conflict, NotFound
from portal.core.limits import limits
from portal.core.text import N_
from portal.credentials import Credential
from portal.workorders import events, indexing, rows
from portal.workorders.models import Priority, Run, RunState

_RUN = sa.text("""
    SELECT r.id, r.project_id, r.work_order_id, r.workflow_id, r.snapshot_id, r.state, r.dataclip_id,
        r.options, coalesce(r.starting_job_id, r.starting_trigger_id) AS start,
        n.name, n.lock_version, n.jobs, n.triggers, n.edges
    FROM runs r LEFT JOIN snapshots n ON n.id = r.snapshot_id WHERE r.id = :run_id
""")
_OPTIONS = sa.text("SELECT id, options FROM runs WHERE id = :run_id")
_CLIP = sa.text("SELECT project_id, dataclip_id, options FROM runs WHERE id = :run_id")
_BODY = sa.text("""
    SELECT CAST(b.body AS text) AS body, CAST(b.request AS text) AS request
    FROM runs r JOIN dataclip_bodies b ON b.dataclip_id = r.dataclip_id WHERE r.id = :run_id
""")
# The job must be in the version that the run executes, so a worker gets no credential but its run's.
_CREDENTIAL = sa.text("""
    SELECT pc.credential_id
    FROM runs r
    JOIN snapshots n ON n.id = r.snapshot_id
    CROSS JOIN jsonb_array_elements(n.jobs) AS j (job)
    JOIN project_credentials pc ON CAST(pc.id AS text) = j.job ->> 'project_credential_id'
    WHERE r.id = :run_id AND pc.project_id = r.project_id
        AND (pc.id = :credential_id OR pc.credential_id = :credential_id)
    LIMIT 1
""")
# Only what waits: a worker that holds a run has read it already.
_UPDATE = sa.text("""
    UPDATE runs
    SET priority = coalesce(:priority, priority), queue = coalesce(:queue, queue), updated_at = :now
    WHERE id = ANY(CAST(:ids AS uuid[])) AND project_id = :project_id AND state = 'available'
    RETURNING id, work_order_id
""")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was fixed when the run was made; a run without options has the system's (workorders §7)."""

    run_timeout_ms: int
    save_dataclips: bool
    run_memory_limit_mb: int | None
    enable_job_logs: bool

    def for_worker(self) -> Json:
        """In the words of the worker, which calls saving `output_dataclips`."""
        return {
            "run_timeout_ms": self.run_timeout_ms,
            "output_dataclips": self.save_dataclips,
            "run_memory_limit_mb": self.run_memory_limit_mb,
            "enable_job_logs": self.enable_job_logs,
        }


@dataclass(frozen=True, slots=True)
class WorkerRun:
    """A run to execute. Jobs, triggers and edges are those of its version; `start` is one of their ids."""

    id: uuid.UUID
    project_id: uuid.UUID
    work_order_id: uuid.UUID
    workflow_id: uuid.UUID
    state: RunState
    name: str | None
    lock_version: int | None
    start: uuid.UUID | None
    jobs: list[Any]
    triggers: list[Any]
    edges: list[Any]
    dataclip_id: uuid.UUID | None
    options: RunOptions


def run_for_worker(run_id: uuid.UUID) -> WorkerRun:
    """All that a worker needs to execute the run, but for the input. Raises NotFound."""
    row = _one(_RUN, run_id)
    return WorkerRun(
        id=row.id,
        project_id=row.project_id,
        work_order_id=row.work_order_id,
        workflow_id=row.workflow_id,
        state=RunState(row.state),
        name=row.name,
        lock_version=row.lock_version,
        start=row.start,
        jobs=row.jobs or [],
        triggers=row.triggers or [],
        edges=row.edges or [],
        dataclip_id=row.dataclip_id,
        options=_options(row.options),
    )


def run_options(run_id: uuid.UUID) -> RunOptions:
    """The run's options. Raises NotFound."""
    return _options(_one(_OPTIONS, run_id).options)


def _options(stored: Json | None) -> RunOptions:
    given = stored or {}
    timeout = given.get("run_timeout_ms") or limits().run_seconds * 1000
    return RunOptions(
        int(timeout),
        given.get("save_dataclips") is not False,
        given.get("run_memory_limit_mb"),
        given.get("enable_job_logs") is not False,
    )


def run_input(run_id: uuid.UUID) -> str | None:
    """The run's input as JSON text, as the worker gets it (workorders §5.6).

    What arrived from outside is an object with `data` and `request`, anything else the bare
    body. None without an input. Raises NotFound.
    """
    row = _one(_CLIP, run_id)
    return dataclips.body_text(row.project_id, row.dataclip_id) if row.dataclip_id else None


def run_body(run_id: uuid.UUID) -> str | None:
    """The bare body of the run's input as JSON text; None without one, or wiped. Raises NotFound."""
    return _part(run_id, "body")


def run_request(run_id: uuid.UUID) -> str | None:
    """The request that came with the run's input as JSON text; None without one. Raises NotFound."""
    return _part(run_id, "request")


def _part(run_id: uuid.UUID, which: str) -> str | None:
    row = db.session().execute(_BODY, {"run_id": run_id}).one_or_none()
    if row is None:
        _one(_OPTIONS, run_id)
        return None
    part: str | None = getattr(row, which)
    return part


def read_input(run_id: uuid.UUID) -> str | None:
    """As `run_input`, and where the run keeps no dataclips the input is wiped in the same unit of work.

    A worker that asks again after a broken connection then gets what a wiped input looks
    like; ask for it once. Raises NotFound.
    """
    with db.unit_of_work():
        text = run_input(run_id)
        wipe_after_reading(run_id)
    return text


def wipe_after_reading(run_id: uuid.UUID) -> bool:
    """Erase the run's input if the run keeps no dataclips, with its words in the search (§7, §9.3).

    Answers whether anything was erased: named, global and wiped dataclips stay as they are.
    Raises NotFound.
    """
    with db.unit_of_work() as unit:
        row = _one(_CLIP, run_id)
        if row.dataclip_id is None or _options(row.options).save_dataclips:
            return False
        if dataclips.wipe(row.project_id, row.dataclip_id) is None:
            return False
        indexing.forget_bodies([row.dataclip_id])
        events.to_run(unit, run_id, events.DATACLIP_UPDATED, row.dataclip_id)
    return True


def credential_of_run(run_id: uuid.UUID, credential_id: uuid.UUID) -> Credential:
    """The credential, by its own id or its id in the project, if a job of the run's version uses it.

    Raises NotFound for any other: a worker reaches no credential but those of its run.
    """
    values = {"run_id": run_id, "credential_id": credential_id}
    found = db.session().get(Credential, db.session().scalar(_CREDENTIAL, values) or uuid.UUID(int=0))
    if found is None:
        raise NotFound
    return found


def update_run(
    project_id: uuid.UUID, run_id: uuid.UUID, *, priority: Priority | None = None, queue: str | None = None
) -> None:
    """Give a run that waits another priority or queue; states change only through their own commands.

    Raises NotFound, also for a run of another project; Conflict once it was claimed.
    """
    with db.unit_of_work():
        if rows.lock_run(run_id).project_id != project_id:
            raise NotFound
        if not update_runs(project_id, [run_id], priority=priority, queue=queue):
            raise Conflict(N_("Only a run that still waits can be changed."))


def update_runs(
    project_id: uuid.UUID,
    run_ids: list[uuid.UUID],
    *,
    priority: Priority | None = None,
    queue: str | None = None,
) -> int:
    """As `update_run` for those of the runs that wait in the project; answers how many. One statement."""
    values = {"ids": sorted(run_ids), "project_id": project_id, "queue": queue or None, "now": clock.now()}
    with db.unit_of_work() as unit:
        changed = db.session().execute(
            _UPDATE, {**values, "priority": None if priority is None else int(priority)}
        )
        found = changed.all()
        for row in found:
            rows.forget(Run, row.id)
            events.run_changed(unit, project_id, row.work_order_id, row.id)
    return len(found)


def _one(statement: sa.TextClause, run_id: uuid.UUID) -> sa.Row[Any]:
    row = db.session().execute(statement, {"run_id": run_id}).one_or_none()
    if row is None:
        raise NotFound
    return row
