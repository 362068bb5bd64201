"""The words of bulk work: what is done, to which work orders, and why some are left out."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from portal.core.errors import Conflict
from portal.core.text import N_
from portal.workorders.inputs import SearchFilters

CHANGED_MEANWHILE = N_("What you selected has changed since the preview. Look at it again.")


class Deed(enum.StrEnum):
    """What is done to many work orders."""

    RETRY = "retry"
    RETRY_FROM_JOB = "retry_from_job"
    CANCEL = "cancel"


# Reason → sentence. The first that holds is given, in this order.
EXCLUSIONS: dict[str, str] = {
    "not_here": N_("It is not in this project."),
    "changed": N_("It has changed since the preview."),
    "unfinished": N_("It still waits or runs."),
    "no_such_step": N_("Its latest run has no step for this job."),
    "input_wiped": N_("Its input was erased or never kept."),
    "workflow_deleted": N_("Its workflow was deleted."),
    "no_version": N_("Its workflow has no saved version."),
    "no_such_job": N_("The job where it would start is no longer in the workflow."),
    "nothing_waiting": N_("No run of it waits."),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which work orders: those that pass `filters`, or those of `ids` (at most 1,000); one of the two."""

    filters: SearchFilters | None = None
    ids: tuple[uuid.UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a deed would do now. `total` = `acts_on` + all of `excluded` (reason → number).

    With `more`, counting stopped at 10,000: all numbers are at least that. `oldest` and
    `newest` are when the first and last work order acted on were received; with `more`,
    of those counted. `token` is good for an hour.
    """

    deed: Deed
    selection: Selection
    job_id: uuid.UUID | None = None
    acts_on: int
    excluded: dict[str, int] = field(default_factory=dict)
    total: int
    more: bool = False
    cut_off: datetime
    oldest: datetime | None = None
    newest: datetime | None = None
    token: str


class Changed(Conflict):
    """The previewed set is no longer the same; `preview` is the new one."""

    default = CHANGED_MEANWHILE

    def __init__(self, preview: Preview) -> None:
        self.preview = preview
        super().__init__()
