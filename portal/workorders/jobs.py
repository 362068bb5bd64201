"""Exports in the background: from the claimed operation to the stored file (workorders §13.2 to §13.4)."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from typing import cast

import sqlalchemy as sa

from portal import operations
from portal.core import clock, db, storage
from portal.core.db import Json
from portal.core.errors import NotFound, TooLarge
from portal.core.text import N_
from portal.operations import Operation, Running
from portal.projects import FileStatus, Project, ProjectFile
from portal.workorders import export_files
from portal.workorders.csv_export import Checkpoint, write_csv
from portal.workorders.export_listing import ID_BYTES
from portal.workorders.export_request import KIND, Asked, ExportFormat, expiry
from portal.workorders.zip_export import write_zip
from portal.workorders.zip_parts import Parts, Stage, ZipCheckpoint, usable

NO_ROOM = N_("There is no room left to store the export.")
WRITING_ROWS = N_("Writing rows and logs")
WRITING_BODIES = N_("Writing inputs and outputs")
CLOSING = N_("Putting the archive together")


def _mark_failed(operation: Operation) -> None:
    """Whatever ended the operation, its file does not stay in progress, nor its bytes on the disk."""
    with db.unit_of_work() as unit:
        file = _file_of(operation.id)
        if file is None or file.status == FileStatus.COMPLETED:
            return
        file.status, file.error = FileStatus.FAILED, operation.error
        file.size = file.rows = operation.checkpoint = None
        unit.after_commit(export_files.drop, file)


@operations.handler(KIND, on_failed=_mark_failed)
def export(running: Running) -> Json | None:
    """Write the file of one requested export, from where the last worker got to.

    Raises NotFound when project or file have gone, Conflict when the stored arguments
    cannot be read, TooLarge when the disk is full; each ends the operation, and its file
    fails with it.
    """
    file, project = _begin(running)
    if file.status == FileStatus.COMPLETED:
        return {"rows": file.rows}
    asked = Asked.from_arguments(running.arguments)
    with _room():
        rows = _WRITERS[asked.format](running, file, project, asked)
        return _finish(running, file, project, rows)


def _begin(running: Running) -> tuple[ProjectFile, Project]:
    with db.unit_of_work():
        file = _file_of(running.operation_id)
        project = db.session().get(Project, file.project_id) if file else None
        if file is None or project is None or file.project_id != running.project_id:
            raise NotFound
        if file.status != FileStatus.COMPLETED:
            file.status, file.error = FileStatus.IN_PROGRESS, None
    return file, project


def _file_of(operation_id: uuid.UUID) -> ProjectFile | None:
    return db.session().scalar(
        sa.select(ProjectFile)
        .where(ProjectFile.operation_id == operation_id)
        .execution_options(populate_existing=True)
    )


@contextmanager
def _room() -> Iterator[None]:
    """Say in words when there is no room for the file."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise TooLarge(NO_ROOM) from error
        raise


def _write_csv(running: Running, file: ProjectFile, project: Project, asked: Asked) -> int:
    """Write the table; answers its number of rows."""
    target, listing = export_files.key(file, "csv"), export_files.key(file, "ids")
    reached = _usable(Checkpoint.from_json(running.checkpoint), target, listing)
    with ExitStack() as opened:
        sink = opened.enter_context(storage.open_for_append(target, keep=reached.length))
        ids = opened.enter_context(storage.open_for_append(listing, keep=(reached.listed or 0) * ID_BYTES))
        end = write_csv(
            project,
            asked.filters,
            cut_off=asked.cut_off,
            columns=asked.columns,
            sink=sink,
            ids=ids,
            checkpoint=reached,
            on_batch=lambda at: _advance(running, file, at),
        )
        os.fsync(sink.fileno())
    return end.rows


def _usable(reached: Checkpoint, target: str, listing: str) -> Checkpoint:
    """The checkpoint, or the beginning when the files no longer hold what it speaks of."""
    needed = {target: reached.length, listing: (reached.listed or 0) * ID_BYTES}
    whole = all(storage.exists(key) and storage.size(key) >= size for key, size in needed.items())
    return reached if whole else Checkpoint()


def _advance(running: Running, file: ProjectFile, reached: Checkpoint) -> None:
    file.rows, file.size = reached.rows, reached.length
    db.session().flush()
    running.advance(checkpoint=reached.to_json(), done=reached.done, total=reached.listed)


def _write_zip(running: Running, file: ProjectFile, project: Project, asked: Asked) -> int:
    """Write the archive; answers its number of work orders."""
    reached = usable(file, ZipCheckpoint.from_json(running.checkpoint))
    with Parts(file, reached) as parts:
        end = write_zip(
            project,
            asked,
            parts=parts,
            checkpoint=reached,
            on_batch=lambda at: _advance_zip(running, file, at),
        )
        os.fsync(parts["zip"].fileno())
    return end.rows["work_orders"]


def _advance_zip(running: Running, file: ProjectFile, reached: ZipCheckpoint) -> None:
    file.rows, file.size = reached.rows["work_orders"], reached.lengths["zip"]
    db.session().flush()
    done, total, message = _TELLING[reached.stage](reached)
    running.advance(checkpoint=reached.to_json(), done=done, total=total, message=message)


_TELLING: dict[Stage, Callable[[ZipCheckpoint], tuple[int, int | None, str]]] = {
    Stage.ROWS: lambda at: (at.done, at.listed, WRITING_ROWS),
    Stage.BODIES: lambda at: (at.bodies, at.clips, WRITING_BODIES),
    Stage.END: lambda at: (at.clips, at.clips, CLOSING),
}
_WRITERS: dict[ExportFormat, Callable[[Running, ProjectFile, Project, Asked], int]] = {
    ExportFormat.CSV: _write_csv,
    ExportFormat.ZIP: _write_zip,
}


def _finish(running: Running, file: ProjectFile, project: Project, rows: int) -> Json:
    target = export_files.key(file, file.format)
    with storage.open_for_read(target) as stream:
        digest = hashlib.file_digest(cast(BufferedReader, stream), "sha256").hexdigest()
    result = {"rows": rows, "bytes": storage.size(target)}
    with db.unit_of_work() as unit:
        file.status = FileStatus.COMPLETED
        file.path, file.size, file.rows, file.sha256 = target, result["bytes"], rows, digest
        file.expires_at = expiry(project, clock.now())
        running.finish(result=result)
        unit.after_commit(export_files.drop, file, file.format)
    return result
