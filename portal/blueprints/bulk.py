"""Acting on many work orders: pick them, look at what would happen, confirm (workorders §10, §12).

A preview stands in the dialog of the page, or without script on a page of its own. Its
token stands for exactly what was counted; confirming it opens the page of the work.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from portal import workflows, workorders
from portal.blueprints import history_query
from portal.core import access
from portal.core.errors import Conflict, Invalid, NotFound, TooMany
from portal.core.text import N_
from portal.web import guarded, render
from portal.workorders import Deed, Selection

bp = Blueprint("bulk", __name__, url_prefix="/projects/<uuid:project_id>/history")

PAGES = ("bulk/preview.html", "bulk/_preview.html")
PERMISSIONS = {
    Deed.RETRY: "workorders:retry",
    Deed.RETRY_FROM_JOB: "workorders:retry",
    Deed.CANCEL: "workorders:cancel",
}
TWO = N_("Pick exactly two work orders to compare their newest runs.")
NO_RUN = N_("One of these work orders has no run, so there is nothing to compare.")


@dataclass(frozen=True, slots=True)
class Picked:
    """What is acted on, and how the dialog's forms say the same again: pairs for hidden fields."""

    selection: Selection
    pairs: tuple[tuple[str, str], ...]


@bp.route("/bulk/<deed>/preview", methods=["GET", "POST"])
@guarded("workorders:read")
def preview(project_id: uuid.UUID, deed: str) -> Response:
    """What the deed would do now: to all that match the address (GET), or to what a form picked (POST)."""
    chosen = _allowed(deed)
    source = request.form if request.method == "POST" else request.args
    every = request.method == "GET" or source.get("scope") == "filter"
    return _previewed(chosen, _picked(source, every), source.get("job_id", ""))


@bp.post("/bulk/<deed>")
@guarded("workorders:read")
def start(project_id: uuid.UUID, deed: str) -> Response:
    """Promise what the preview showed; 409 with a new preview when that has changed since."""
    chosen = _allowed(deed)
    try:
        token = request.form.get("token", "")
        operation = workorders.start_bulk(g.standing.project, token, actor=g.actor)
    except workorders.Changed as changed:
        return _changed(chosen, changed.preview)
    except (Conflict, Invalid, TooMany) as refusal:
        return _answer(chosen, None, errors=_errors(refusal), status=refusal.status)
    return render.redirect_to(url_for("operations.show", project_id=project_id, operation_id=operation.id))


@bp.post("/compare")
@guarded("workorders:read")
def compare(project_id: uuid.UUID) -> Response:
    """Compare the newest runs of two picked work orders."""
    ids = _ids(request.form)
    if len(ids) != 2:
        raise Invalid({"pick": [TWO]})
    runs = [workorders.get(project_id, id_).last_run_id for id_ in ids]
    if None in runs:
        raise Invalid({"pick": [NO_RUN]})
    return render.redirect_to(url_for("comparisons.show", project_id=project_id, a=runs[1], b=runs[0]))


def _allowed(deed: str) -> Deed:
    try:
        chosen = Deed(deed)
    except ValueError:
        raise NotFound from None
    access.require(PERMISSIONS[chosen], g.actor, g.standing)
    return chosen


def _picked(source: MultiDict[str, str], every: bool) -> Picked:
    if not every:
        ids = _ids(source)
        return Picked(Selection(ids=ids), tuple(("pick", str(id_)) for id_ in ids))
    asked = history_query.read(source)
    if not asked.ok:
        raise Invalid(asked.form.errors)
    return _all_of(asked.filters)


def _all_of(filters: workorders.SearchFilters) -> Picked:
    return Picked(Selection(filters=filters), (("scope", "filter"), *filters.to_query()))


def _changed(deed: Deed, preview: workorders.Preview) -> Response:
    selection, job = preview.selection, str(preview.job_id or "")
    ids = tuple(("pick", str(id_)) for id_ in selection.ids)
    picked = Picked(selection, ids) if selection.filters is None else _all_of(selection.filters)
    before = request.form.get("seen", 0, type=int)
    return _answer(deed, picked, preview=preview, job=job, before=before, changed=True, status=409)


def _ids(source: MultiDict[str, str]) -> tuple[uuid.UUID, ...]:
    try:
        return tuple(dict.fromkeys(uuid.UUID(text) for text in source.getlist("pick")))
    except ValueError:
        raise Invalid({"pick": [N_("This is not the id of a work order.")]}) from None


def _previewed(deed: Deed, picked: Picked, job: str) -> Response:
    """The dialog; without a job for a retry from one, only the choice of it."""
    if deed is Deed.RETRY_FROM_JOB and not job:
        return _answer(deed, picked)
    try:
        shown = _preview(deed, picked.selection, job)
    except Invalid as refusal:
        return _answer(deed, picked, job=job, errors=_errors(refusal), status=422)
    return _answer(deed, picked, preview=shown, job=job)


def _preview(deed: Deed, selection: Selection, job: str) -> workorders.Preview:
    try:
        job_id = uuid.UUID(job) if job else None
    except ValueError:
        raise Invalid({"job_id": [N_("is not a valid id")]}) from None
    return workorders.preview_bulk(g.standing.project, deed, selection, job_id=job_id)


def _jobs(selection: Selection) -> list[workflows.JobName]:
    """The jobs to choose from: those of the one workflow that is picked; of several, none."""
    project = g.standing.project
    if selection.filters is None:
        found = set(workorders.workflows_of(project.id, selection.ids))
    elif len(selection.filters.workflows) == 1:
        found = set(selection.filters.workflows)
    else:
        found = {row.workflow_id for row in workorders.search(project, selection.filters).items}
    return workflows.list_jobs(project.id, found.pop()) if len(found) == 1 else []


def _errors(refusal: Conflict | Invalid | TooMany) -> dict[str, list[str]]:
    if not isinstance(refusal, Invalid):
        return {"": [_(refusal.message)]}
    return {name: [_(text) for text in texts] for name, texts in refusal.fields.items()}


def _answer(
    deed: Deed,
    picked: Picked | None,
    *,
    status: int = 200,
    preview: workorders.Preview | None = None,
    **more: Any,
) -> Response:
    """The dialog, or its page. Without `picked` only what went wrong is said."""
    jobs = _jobs(picked.selection) if picked and deed is Deed.RETRY_FROM_JOB else []
    values: dict[str, Any] = {"job": "", "errors": {}, "before": 0, "changed": False} | more
    return render.page(
        *PAGES,
        status=status,
        deed=str(deed),
        preview=preview,
        pairs=picked.pairs if picked else (),
        jobs=jobs,
        job_name=next((job.name for job in jobs if str(job.id) == values["job"]), ""),
        exclusions=workorders.EXCLUSIONS,
        **values,
    )
