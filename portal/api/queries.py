"""What may be asked of lists: the parameters behind the question mark (workorders §15)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from portal.core.text import N_

LARGEST_PAGE = 100
MOST_WORKFLOWS = 100
EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
NO_DATE = N_("is not an ISO 8601 date and time with a zone, such as 2026-11-21T10:00:00Z")


def _moment(value: object) -> datetime:
    # A plus sign that nobody escaped arrives as a blank.
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", str(value).strip().upper())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(NO_DATE) from None
    if moment.tzinfo is None or "T" not in text:
        raise ValueError(NO_DATE)
    return _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    """The moment in UTC; what lies a few hours outside the calendar there becomes its end."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return EARLIEST if moment.year == 1 else LATEST


def _ids(values: object) -> list[Any]:
    """Ids given several times or joined by commas; blanks are none."""
    given = values if isinstance(values, list) else [values]
    return [piece.strip() for value in given for piece in str(value).split(",") if piece.strip()]


Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
Ids = Annotated[list[uuid.UUID], BeforeValidator(_ids), Field(max_length=MOST_WORKFLOWS)]
Size = Annotated[int, Field(ge=1, description="Entries a page; more than 100 are taken as 100.")]


class PageQuery(BaseModel):
    """Which page. One past the end is the last page. Unknown parameters are ignored."""

    model_config = ConfigDict(extra="ignore")

    page: int = Field(1, ge=1)
    page_size: Size = 10

    @property
    def size(self) -> int:
        """Entries a page, at most 100."""
        return min(self.page_size, LARGEST_PAGE)


class AmongQuery(PageQuery):
    """In which project, of which workflows."""

    project_id: uuid.UUID | None = Field(None, description="A project in the path wins over this one.")
    workflow_id: uuid.UUID | None = None
    workflow_ids: Ids = Field(
        default_factory=list, description="Wins over workflow_id; an empty list is no filter."
    )

    def workflows(self, names: Sequence[str]) -> list[uuid.UUID]:
        """The workflows meant; `names` are the parameters given: a list, even an empty one, wins."""
        if "workflow_ids" in names:
            return self.workflow_ids
        return [self.workflow_id] if self.workflow_id else []


class HistoryQuery(AmongQuery):
    """Work orders by time; both ends are inclusive."""

    inserted_after: Moment | None = None
    inserted_before: Moment | None = None
    updated_after: Moment | None = None
    updated_before: Moment | None = None


class RunsQuery(HistoryQuery):
    """Runs by time and work order."""

    work_order_id: uuid.UUID | None = None


class LinesQuery(AmongQuery):
    """Log lines by time, place and level; an unknown level is ignored."""

    timestamp_after: Moment | None = None
    timestamp_before: Moment | None = None
    job_id: uuid.UUID | None = None
    work_order_id: uuid.UUID | None = None
    run_id: uuid.UUID | None = None
    level: str | None = Field(None, description="success, always, info, warn, error or debug.")


class CursorQuery(BaseModel):
    """Where a list goes on: take it from `links.next`."""

    cursor: str | None = None
