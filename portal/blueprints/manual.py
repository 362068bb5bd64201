"""Running a workflow by hand, with an earlier, a kept or a typed input (workorders §5.2)."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from pydantic import BaseModel

from portal import dataclips, workflows, workorders
from portal.blueprints.actions import once
from portal.core.errors import Invalid
from portal.core.text import N_
from portal.web import forms, guarded, render

bp = Blueprint("manual", __name__, url_prefix="/projects/<uuid:project_id>/history/manual")

PAGES = ("manual/show.html", "manual/_start.html")
NEW = "new"


class ManualStart(BaseModel):
    """What the dialog sends. `input` is the id of a dataclip, or "new" for the JSON in `body`."""

    job_id: uuid.UUID
    input: str = NEW
    body: str = ""


@bp.get("")
@guarded("workorders:run")
def show(project_id: uuid.UUID) -> Response:
    """The dialog, or its page; `?job_id=` (or `?workflow=`) and `?find=` choose what it offers."""
    jobs = workflows.list_jobs(project_id)
    chosen = _named(jobs, request.args.get("job_id", "")) or _first(jobs, request.args.get("workflow", ""))
    return render.page(*PAGES, **_offered(jobs, chosen, forms.empty(find=request.args.get("find", ""))))


@bp.post("")
@guarded("workorders:run")
def start(project_id: uuid.UUID) -> Response:
    """Run it; 422 with what was typed kept."""
    form = forms.read(ManualStart)
    jobs = workflows.list_jobs(project_id)
    job = _named(jobs, request.form.get("job_id", ""))
    if form.ok and job is None:
        form.errors["job_id"] = [_("does not exist")]
    made = form.attempt(_run, project_id, job, form.data) if form.ok and job else None
    if made is None:
        form.errors = {_FIELDS.get(name, name): texts for name, texts in form.errors.items()}
        return render.invalid(*PAGES, **_offered(jobs, job, form))
    where = url_for("runs.show", project_id=project_id, run_id=made["run_id"])
    return render.done(where, toast=_("Run %(id)s enqueued.", id=made["run_id"][-8:]))


_FIELDS = {"dataclip_id": "input", "workflow_id": "job_id", "snapshot_id": "job_id"}


def _run(project_id: uuid.UUID, job: workflows.JobName, asked: ManualStart) -> dict[str, Any]:
    given: dict[str, Any] = {"body": asked.body} if asked.input == NEW else {"dataclip_id": _id(asked.input)}

    def work() -> dict[str, Any]:
        made = workorders.run_by_hand(project_id, job.workflow_id, job.id, actor=g.actor, **given)
        return {"run_id": str(made.run_id)}

    return once(f"run:{job.id}", work)


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Invalid({"input": [N_("is not a valid id")]}) from None


def _named(jobs: list[workflows.JobName], job_id: str) -> workflows.JobName | None:
    return next((job for job in jobs if str(job.id) == job_id), None)


def _first(jobs: list[workflows.JobName], workflow_id: str) -> workflows.JobName | None:
    return next((job for job in jobs if str(job.workflow_id) == workflow_id), jobs[0] if jobs else None)


def _offered(
    jobs: list[workflows.JobName], job: workflows.JobName | None, form: forms.Form[Any]
) -> dict[str, Any]:
    project_id = g.standing.project.id
    earlier = workorders.earlier_inputs(project_id, job.workflow_id, job.id) if job else []
    saved = dataclips.list_saved(project_id, form.values.get("find", ""))
    chosen = form.values.get("input") or (str(earlier[0].id) if earlier else NEW)
    return {"jobs": jobs, "job": job, "form": form, "earlier": earlier, "saved": saved, "chosen": chosen}
