"""Stored files of a project (workorders §2.6)."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from portal.core import db, paging
from portal.core.errors import NotFound
from portal.projects.models import ProjectFile

SIZE = 25


def list_files(
    project_id: uuid.UUID, cursor: str | None = None, size: int = SIZE
) -> paging.Page[ProjectFile]:
    """The files of a project, newest first, with who asked for them.

    Raises Invalid on `cursor` for one that is not of this list.
    """
    scope = f"files:{project_id}"
    query = (
        sa.select(ProjectFile)
        .options(joinedload(ProjectFile.created_by))
        .where(ProjectFile.project_id == project_id)
        .order_by(ProjectFile.inserted_at.desc(), ProjectFile.id.desc())
        .limit(size + 1)
    )
    if cursor:
        inserted_at, file_id = paging.decode(scope, cursor)
        query = query.where(
            sa.tuple_(ProjectFile.inserted_at, ProjectFile.id)
            < sa.tuple_(sa.cast(inserted_at, sa.DateTime(timezone=True)), sa.cast(file_id, sa.Uuid))
        )
    rows = list(db.session().scalars(query))
    return paging.page_of(
        rows, size, lambda row: paging.encode(scope, [row.inserted_at.isoformat(), str(row.id)])
    )


def get_file(project_id: uuid.UUID, file_id: uuid.UUID) -> ProjectFile:
    """One file of the project. Raises NotFound, also for a file of another project."""
    found = db.session().scalar(
        sa.select(ProjectFile)
        .options(joinedload(ProjectFile.created_by))
        .where(ProjectFile.id == file_id, ProjectFile.project_id == project_id)
    )
    if found is None:
        raise NotFound
    return found
