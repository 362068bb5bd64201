"""Retrying and cancelling many work orders: preview, confirmation, the promise (workorders §10, §12).

A preview counts what a deed would act on and why it leaves the rest out, up to a cut-off:
its token stands for exactly that set. Confirming the token starts one operation; whatever
was received or has changed since the cut-off is left alone.
"""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from portal.core.access import Actor
from portal.core.errors import Conflict
from portal.core.text import N_
from portal.operations import Operation
from portal.projects import Project
from portal.workorders.inputs import SearchFilters

KIND = "workorders:bulk"
CHANGED_MEANWHILE = N_("What you selected has changed since the preview. Look at it again.")


class Deed(enum.StrEnum):
    """What is done to many work orders."""

    RETRY = "retry"
    RETRY_FROM_JOB = "retry_from_job"
    CANCEL = "cancel"


EXCLUSIONS: dict[str, str] = {
    "not_here": N_("It is not in this project."),
    "changed": N_("It has changed since the preview."),
    "unfinished": N_("It still waits or runs."),
    "workflow_deleted": N_("Its workflow was deleted."),
    "input_wiped": N_("Its input was erased or never kept."),
    "no_such_step": N_("Its latest run has no step for this job."),
    "no_such_job": N_("The job where it would start is no longer in the workflow."),
    "no_version": N_("Its workflow has no saved version."),
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
    `newest` are when the first and last work order acted on were received. `token` is good
    for an hour.
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


def preview_bulk(
    project: Project, deed: Deed, selection: Selection, *, job_id: uuid.UUID | None = None
) -> Preview:
    """Count what `deed` would act on, and why it leaves the rest out; changes nothing.

    Raises Invalid on `ids` (none, or more than 1,000), on `job_id` (missing for
    RETRY_FROM_JOB, not in the workflow, or the selection spans several workflows).
    """
    raise NotImplementedError


def start_bulk(project: Project, token: str, *, actor: Actor) -> Operation:
    """Promise what a preview showed. The same token again answers the same operation.

    Raises Invalid on `token` (forged, of another project, older than an hour), Changed
    when the set has changed, TooMany with the limiter's message.
    """
    raise NotImplementedError


def retry_failed_items(project_id: uuid.UUID, operation_id: uuid.UUID, *, actor: Actor) -> Operation:
    """Promise the same deed again for the items that were skipped or failed.

    Raises NotFound for an operation of another project or kind, Conflict while it has not
    ended or when nothing is left to do, TooMany with the limiter's message.
    """
    raise NotImplementedError
