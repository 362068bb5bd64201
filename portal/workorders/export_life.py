"""What becomes of an export after it was asked for: another attempt, an end before its time, its removal."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
import structlog

from portal import audit, operations, projects
from portal.core import clock, db
from portal.core.access import SYSTEM, Actor
from portal.core.db import Json
from portal.core.errors import Conflict
from portal.core.text import N_
from portal.projects import FileStatus, ProjectFile
from portal.workorders import export_files
from portal.workorders.export_request import KIND

log = structlog.get_logger(__name__)

BATCH = 100
FORGOTTEN = N_("This is too long ago to be tried again. Ask for a new export.")
NOT_FAILED = N_("Only an export that failed or was cancelled can be tried again.")
UNDER_WAY = N_("This export is under way. Cancel it first.")


def retry_export(project_id: uuid.UUID, file_id: uuid.UUID, *, actor: Actor) -> ProjectFile:
    """Try a failed or cancelled export again, for what was asked then: same filters, cut-off and columns.

    It begins anew. Audited as its operation. Raises NotFound, Conflict when it has
    not failed, or its operation is no longer kept.
    """
    with db.unit_of_work():
        file = projects.get_file(project_id, file_id)
        if file.status is not FileStatus.FAILED:
            raise Conflict(NOT_FAILED)
        operations.try_again(_operation(file), actor=actor)
        file.status, file.error = FileStatus.ENQUEUED, None
    return file


def cancel_export(project_id: uuid.UUID, file_id: uuid.UUID, *, actor: Actor) -> ProjectFile:
    """End a waiting export at once, a running one after its batch; what was written is removed.

    Audited as its operation. One that has ended is left as it is. Raises NotFound.
    """
    with db.unit_of_work():
        file = projects.get_file(project_id, file_id)
        operations.ask_cancel(_operation(file), actor=actor)
    return file


def delete_export(project_id: uuid.UUID, file_id: uuid.UUID, *, actor: Actor) -> None:
    """Remove a finished export, stored bytes first (event deleted).

    Raises NotFound, Conflict while it is under way, OSError when the bytes cannot be removed.
    """
    file = projects.get_file(project_id, file_id)
    if file.status not in (FileStatus.COMPLETED, FileStatus.FAILED):
        raise Conflict(UNDER_WAY)
    _remove(file, actor)


def delete_expired_exports() -> int:
    """Remove the exports whose time is over; answers how many. Safe to run at any time, anywhere.

    An export whose bytes cannot be removed keeps its row, and is tried again next time.
    """
    removed, after = 0, uuid.UUID(int=0)
    while found := _expired(after):
        removed += sum(_removed(file) for file in found)
        after = found[-1].id
    return removed


def _expired(after: uuid.UUID) -> list[ProjectFile]:
    ended = ProjectFile.status.in_([FileStatus.COMPLETED, FileStatus.FAILED])
    with db.unit_of_work():
        rows = db.session().scalars(
            sa.select(ProjectFile)
            .where(ProjectFile.expires_at <= clock.now(), ended, ProjectFile.id > after)
            .order_by(ProjectFile.id)
            .limit(BATCH)
        )
        return list(rows)


def _removed(file: ProjectFile) -> bool:
    try:
        _remove(file, SYSTEM)
    except OSError as error:
        log.warning("export_not_removed", file_id=str(file.id), reason=type(error).__name__)
        return False
    return True


def _remove(file: ProjectFile, actor: Actor) -> None:
    export_files.drop(file)
    with db.unit_of_work():
        gone = db.session().execute(
            sa.delete(ProjectFile).where(ProjectFile.id == file.id).returning(ProjectFile.id)
        )
        if gone.one_or_none() is not None:
            _audit("deleted", file, actor)


def record_download(file: ProjectFile, *, actor: Actor) -> None:
    """Write down that somebody took the file (event downloaded)."""
    with db.unit_of_work():
        _audit("downloaded", file, actor)


def _operation(file: ProjectFile) -> operations.Operation:
    found = db.session().get(operations.Operation, file.operation_id) if file.operation_id else None
    if found is None or found.kind != KIND:
        raise Conflict(FORGOTTEN)
    return found


def _audit(event: str, file: ProjectFile, actor: Actor) -> None:
    told: Json = {"file_id": str(file.id), "name": file.name}
    audit.record(
        event, "history_export", file.project_id, actor=actor, project_id=file.project_id, details=told
    )
