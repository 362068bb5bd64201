"""Background work: how far an operation is (reliability §1)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from flask import Blueprint
from pydantic import JsonValue

from portal import operations
from portal.api import shapes
from portal.api.endpoints import endpoint, stand_in
from portal.api.shapes import One, Resource, Shape, own_link
from portal.operations import OperationState
from portal.web import guarded

bp = Blueprint("api_work", __name__, url_prefix="/api")


class OperationAttributes(Shape):
    """How far background work is: `done` of `total` (null while unknown); `error` when it failed."""

    kind: str
    state: OperationState
    paused: bool
    done: int
    total: int | None
    message: str | None
    result: dict[str, JsonValue] | None
    error: str | None
    inserted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class OperationResource(Resource[OperationAttributes]):
    """Background work."""

    type: Literal["operations"] = "operations"


class OneOperation(One[OperationResource]):
    """One piece of background work."""


@bp.get("/operations/<uuid:operation_id>")
@guarded("accounts:use")
@endpoint("Background work", answer=OneOperation)
def show_operation(operation_id: uuid.UUID) -> OneOperation:
    """How far an export or a bulk action is; done ones are kept for some days."""
    project_id = operations.project_of(operation_id)
    stand_in(project_id, "operations:read")
    return shapes.one(OneOperation, operation_resource(project_id, operation_id))


def one_operation(project_id: uuid.UUID, operation_id: uuid.UUID) -> OneOperation:
    """The answer for an operation, whatever was asked of it."""
    resource = operation_resource(project_id, operation_id)
    return OneOperation(data=resource, links=resource.links)


def operation_resource(project_id: uuid.UUID, operation_id: uuid.UUID) -> OperationResource:
    """An operation of the project as it stands now. Raises NotFound."""
    row = operations.get(project_id, operation_id).operation
    attributes = OperationAttributes(
        kind=row.kind,
        state=row.state,
        paused=row.paused_at is not None,
        done=row.done,
        total=row.total,
        message=row.message,
        result=row.result,
        error=row.error,
        inserted_at=row.inserted_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
    return OperationResource(
        id=str(row.id),
        attributes=attributes,
        links=own_link("api_work.show_operation", operation_id=row.id),
    )
