"""Retrying and cancelling many work orders: a preview, then its confirmation (workorders §10, §12, §15)."""

from __future__ import annotations

import uuid
from datetime import datetime

from flask import Blueprint, g
from pydantic import BaseModel, ConfigDict, Field

from portal import workorders
from portal.api.endpoints import Differing, endpoint
from portal.api.shapes import Error, Shape
from portal.api.work import OneOperation, one_operation
from portal.core import access
from portal.web import guarded
from portal.workorders import Deed, SearchFilters

DEEDS = "<any(retry, retry_from_job, cancel):deed>"
PERMISSIONS = {
    Deed.RETRY: "workorders:retry",
    Deed.RETRY_FROM_JOB: "workorders:retry",
    Deed.CANCEL: "workorders:cancel",
}
bp = Blueprint("api_bulk", __name__, url_prefix="/api/projects/<uuid:project_id>/bulk")
AREA = "Bulk actions"


class BulkSelection(BaseModel):
    """Which work orders: those that pass `filters`, or those of `ids`; `job_id` for retry_from_job."""

    model_config = ConfigDict(extra="forbid")

    filters: SearchFilters | None = None
    ids: list[uuid.UUID] = Field(default_factory=list)
    job_id: uuid.UUID | None = None


class BulkPreview(Shape):
    """What the deed would do now. `excluded` counts by reason; with `more`, all numbers are at least that.

    `token` confirms exactly this, within an hour.
    """

    deed: Deed
    acts_on: int
    excluded: dict[str, int]
    total: int
    more: bool
    cut_off: datetime
    oldest: datetime | None
    newest: datetime | None
    token: str


class Previewed(Shape):
    """A preview."""

    data: BulkPreview


class BulkConfirmation(BaseModel):
    """The token of a preview."""

    model_config = ConfigDict(extra="forbid")

    token: str


class ChangedMeanwhile(Error):
    """The previewed set has changed; `preview` is the new one."""

    preview: BulkPreview


@bp.post(f"/{DEEDS}/preview")
@guarded("workorders:read")
@endpoint(AREA, answer=Previewed, body=BulkSelection)
def preview_bulk(project_id: uuid.UUID, deed: str, body: BulkSelection) -> Previewed:
    """Count what a bulk action would act on, and why it leaves the rest out; changes nothing."""
    chosen = _allowed(deed)
    selection = workorders.Selection(body.filters, tuple(body.ids))
    preview = workorders.preview_bulk(g.standing.project, chosen, selection, job_id=body.job_id)
    return Previewed(data=_shown(preview))


@bp.post(f"/{DEEDS}")
@guarded("workorders:read")
@endpoint(AREA, answer=OneOperation, status=202, body=BulkConfirmation, conflict=ChangedMeanwhile, once=True)
def start_bulk(project_id: uuid.UUID, deed: str, body: BulkConfirmation) -> OneOperation:
    """Start what a preview showed; answers the operation that does it.

    409 with a new preview when the set has changed since.
    """
    chosen = _allowed(deed)
    try:
        operation = workorders.start_bulk(g.standing.project, body.token, actor=g.actor, deed=chosen)
    except workorders.Changed as changed:
        preview = _shown(changed.preview)
        answer = ChangedMeanwhile(
            error=changed.code, message=changed.message, request_id=g.get("request_id"), preview=preview
        )
        raise Differing(409, answer) from changed
    return one_operation(project_id, operation.id)


def _allowed(deed: str) -> Deed:
    chosen = Deed(deed)
    access.require(PERMISSIONS[chosen], g.actor, g.standing)
    return chosen


def _shown(preview: workorders.Preview) -> BulkPreview:
    return BulkPreview.model_validate(preview, from_attributes=True)
