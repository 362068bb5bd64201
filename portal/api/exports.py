"""Exports of the history: asking for one, and what became of it (workorders §13, §15)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from flask import Blueprint, g
from pydantic import BaseModel, ConfigDict, Field

from portal import projects, workorders
from portal.api import shapes
from portal.api.endpoints import endpoint
from portal.api.queries import CursorQuery
from portal.api.shapes import Listed, One, Resource, Shape, own_link
from portal.api.work import OperationResource, operation_resource
from portal.projects import FileStatus
from portal.web import guarded
from portal.workorders import ExportFormat, SearchFilters

bp = Blueprint("api_exports", __name__, url_prefix="/api/projects/<uuid:project_id>")
AREA = "Exports"


class ExportRequest(BaseModel):
    """What an export shall hold: the work orders that pass `filters` now; columns only for CSV."""

    model_config = ConfigDict(extra="forbid")

    format: ExportFormat = ExportFormat.CSV
    columns: list[str] | None = Field(None, description=f"Some of {', '.join(workorders.CSV_COLUMNS)}.")
    filters: SearchFilters = SearchFilters()


class ExportAttributes(Shape):
    """What is known of an export. `size` in bytes; the last four are null until it is complete."""

    name: str
    format: ExportFormat
    status: FileStatus
    operation_id: uuid.UUID | None
    error: str | None
    inserted_at: datetime
    expires_at: datetime | None
    rows: int | None
    size: int | None
    sha256: str | None


class ExportResource(Resource[ExportAttributes]):
    """An export."""

    type: Literal["exports"] = "exports"


class OneExport(One[ExportResource]):
    """One export."""


class StartedExport(Shape):
    """An export that was asked for; the operation that makes it is included."""

    data: ExportResource
    included: list[OperationResource]
    links: shapes.OwnLink


class ExportList(Listed[ExportResource]):
    """Exports."""


@bp.post("/exports")
@guarded("workorders:export")
@endpoint(AREA, answer=StartedExport, status=202, body=ExportRequest, once=True)
def request_export(project_id: uuid.UUID, body: ExportRequest) -> StartedExport:
    """Start an export of the work orders that pass the filters now."""
    file = workorders.request_export(
        g.standing.project, body.filters, actor=g.actor, format=body.format, columns=body.columns
    )
    resource = _export(file)
    included = [operation_resource(project_id, file.operation_id)] if file.operation_id else []
    return StartedExport(data=resource, included=included, links=resource.links)


@bp.get("/exports")
@guarded("projects:read")
@endpoint(AREA, answer=ExportList, query=CursorQuery)
def list_exports(project_id: uuid.UUID, query: CursorQuery) -> ExportList:
    """The exports of a project, newest first, 25 at a time."""
    page = projects.list_files(project_id, query.cursor)
    return shapes.listed(ExportList, [_export(file) for file in page.items], page.next_cursor)


@bp.get("/exports/<uuid:file_id>")
@guarded("projects:read")
@endpoint(AREA, answer=OneExport)
def show_export(project_id: uuid.UUID, file_id: uuid.UUID) -> OneExport:
    """One export."""
    return shapes.one(OneExport, _export(projects.get_file(project_id, file_id)))


def _export(file: projects.ProjectFile) -> ExportResource:
    return ExportResource(
        id=str(file.id),
        attributes=ExportAttributes.model_validate(file, from_attributes=True),
        links=own_link("api_exports.show_export", project_id=file.project_id, file_id=file.id),
    )
