"""Exports of the history: the request, and the work in the background (workorders §13)."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from contextlib import ExitStack
from datetime import datetime
from io import BufferedReader
from typing import cast

from portal import audit, operations
from portal.core import clock, db, storage
from portal.core.access import Actor
from portal.core.db import Json
from portal.core.errors import NotFound, TooLarge
from portal.core.text import N_
from portal.operations import Operation, Running
from portal.projects import FileStatus, Project, ProjectFile
from portal.workorders.csv_export import ID_BYTES, Checkpoint, write_csv
from portal.workorders.inputs import SearchFilters

KIND = "workorders:export"
NO_ROOM = N_("There is no room left to store the export.")


def request_export(project: Project, filters: SearchFilters, *, actor: Actor) -> ProjectFile:
    """Promise a CSV file of what passes the filters now; a worker writes it (workorders §13.1).

    One unit of work: audit entry (event requested, item type history_export), file with
    status enqueued, operation. The file's `operation_id` tells how far it is.
    """
    now = clock.now()
    parameters = filters.model_dump(mode="json", exclude_defaults=True)
    with db.unit_of_work():
        file = ProjectFile(
            project_id=project.id,
            created_by_id=actor.id,
            name=f"{project.name}-history-{now:%Y%m%d-%H%M%S}.csv",
        )
        db.session().add(file)
        db.session().flush()
        arguments = {"file_id": str(file.id), "filters": parameters, "cut_off": now.isoformat()}
        started = operations.start(
            KIND, project_id=project.id, actor=actor, arguments=arguments, queue="export"
        )
        file.operation_id = started.id
        audit.record(
            "requested", "history_export", project.id, actor=actor, project_id=project.id, details=parameters
        )
    return file


def _mark_failed(operation: Operation) -> None:
    """Whatever ended the operation, its file does not stay in progress, nor its bytes on the disk."""
    with db.unit_of_work() as unit:
        file = db.session().get(ProjectFile, uuid.UUID(operation.arguments["file_id"]))
        if file is None or file.status == FileStatus.COMPLETED:
            return
        file.status = FileStatus.FAILED
        operation.checkpoint = None
        for key in _keys(file):
            unit.after_commit(storage.delete, key)


@operations.handler(KIND, on_failed=_mark_failed)
def export(running: Running) -> Json | None:
    """Write the file of one requested export, from where the last worker got to.

    Raises NotFound when project or file have gone, TooLarge when the disk is full; both
    end the operation, and its file fails with it.
    """
    file, project = _begin(running)
    if file.status == FileStatus.COMPLETED:
        return {"rows": file.rows}
    filters = SearchFilters.model_validate(running.arguments["filters"])
    cut_off = datetime.fromisoformat(running.arguments["cut_off"])
    target, listing = _keys(file)
    reached = _usable(Checkpoint.from_json(running.checkpoint), target, listing)
    try:
        with ExitStack() as opened:
            sink = opened.enter_context(storage.open_for_append(target, keep=reached.length))
            ids = opened.enter_context(
                storage.open_for_append(listing, keep=(reached.listed or 0) * ID_BYTES)
            )
            end = write_csv(
                project,
                filters,
                cut_off=cut_off,
                sink=sink,
                ids=ids,
                checkpoint=reached,
                on_batch=lambda at: _advance(running, at),
            )
            os.fsync(sink.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TooLarge(NO_ROOM) from error
        raise
    return _finish(running, file, end)


def _begin(running: Running) -> tuple[ProjectFile, Project]:
    with db.unit_of_work():
        file = db.session().get(ProjectFile, uuid.UUID(running.arguments["file_id"]), populate_existing=True)
        project = db.session().get(Project, file.project_id) if file else None
        if file is None or project is None or file.project_id != running.project_id:
            raise NotFound
        if file.status != FileStatus.COMPLETED:
            file.status = FileStatus.IN_PROGRESS
    return file, project


def _keys(file: ProjectFile) -> tuple[str, str]:
    """Where the file and its list of ids are stored."""
    stem = f"exports/{file.project_id}/{file.id}"
    return f"{stem}.csv", f"{stem}.ids"


def _usable(reached: Checkpoint, target: str, listing: str) -> Checkpoint:
    """The checkpoint, or the beginning when the files no longer hold what it speaks of."""
    needed = {target: reached.length, listing: (reached.listed or 0) * ID_BYTES}
    whole = all(storage.exists(key) and storage.size(key) >= size for key, size in needed.items())
    return reached if whole else Checkpoint()


def _advance(running: Running, reached: Checkpoint) -> None:
    running.advance(checkpoint=reached.to_json(), done=reached.done, total=reached.listed)


def _finish(running: Running, file: ProjectFile, end: Checkpoint) -> Json:
    target, listing = _keys(file)
    with storage.open_for_read(target) as stream:
        digest = hashlib.file_digest(cast(BufferedReader, stream), "sha256").hexdigest()
    result = {"rows": end.rows, "bytes": end.length}
    with db.unit_of_work() as unit:
        file.status = FileStatus.COMPLETED
        file.path, file.size, file.rows, file.sha256 = target, end.length, end.rows, digest
        running.finish(result=result)
        unit.after_commit(storage.delete, listing)
    return result
