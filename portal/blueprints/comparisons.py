"""Two runs side by side (workorders §23)."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _

from portal import workorders
from portal.core.errors import NotFound
from portal.web import guarded, render

bp = Blueprint("comparisons", __name__, url_prefix="/projects/<uuid:project_id>/runs/compare")

SIDES = ("input", "output")
UNFINISHED = ("available", "claimed", "started")


@bp.get("")
@guarded("workorders:read")
def show(project_id: uuid.UUID) -> Response:
    """Compare the runs `?a=` and `?b=`; `?job=` compares the bodies of that job's steps.

    422 with the runs to choose from while two different ones are not named.
    """
    a, b = (_id(request.args.get(name)) for name in ("a", "b"))
    if a is None or b is None or a == b:
        return _choose(project_id, a or b, twice=a is not None and a == b)
    found = workorders.compare_runs(project_id, a, b)
    step = _chosen(found)
    values: dict[str, Any] = {"found": found, "left": found.left, "right": found.right, "step": step}
    values |= {"here": _here, "swapped": _here(a=b, b=a), "unfinished": UNFINISHED}
    part = request.args.get("part") if render.is_partial() else None
    if part in SIDES:
        return render.fragment("comparisons/_body.html", which=part, body=_body(found, step, part), **values)
    bodies = {which: _body(found, step, which) for which in SIDES}
    log = workorders.compare_logs(project_id, a, b)
    return render.page("comparisons/show.html", bodies=bodies, log=log, **values)


def _id(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None


def _here(**changes: Any) -> str:
    """The address of this comparison with some of its parts changed; None takes a part out."""
    kept = {name: request.args[name] for name in ("a", "b", "job") if name in request.args}
    return url_for("comparisons.show", project_id=g.standing.project.id, **(kept | changes))


def _choose(project_id: uuid.UUID, one: uuid.UUID | None, *, twice: bool) -> Response:
    """The other runs of the work order, to compare the named one with."""
    run = workorders.run_page(project_id, one) if one else None
    others = []
    if run is not None:
        lines = workorders.runs_of(project_id, [run.work_order_id])[run.work_order_id]
        others = [line for line in lines if line.id != run.id]
    message = _("A run cannot be compared with itself.") if twice else _("Two runs are needed.")
    return render.invalid("comparisons/choose.html", run=run, others=others, message=message)


def _chosen(found: workorders.Comparison) -> workorders.StepPair | None:
    """The steps of the job in the address. Raises NotFound when neither run has one."""
    if not request.args.get("job"):
        return None
    chosen = next((pair for pair in found.steps if str(pair.job_id) == request.args["job"]), None)
    if chosen is None:
        raise NotFound
    return chosen


def _body(
    found: workorders.Comparison, step: workorders.StepPair | None, which: str
) -> workorders.BodyComparison:
    """The inputs or the outputs, of the chosen steps, else of the whole runs."""
    pair = (step.left, step.right) if step else (found.left, found.right)
    if which == "input":
        refs = [side.input if side else None for side in pair]
    elif step:
        refs = [side.output if side else None for side in (step.left, step.right)]
    else:
        refs = [found.left.final, found.right.final]
    anyway = request.args.get("anyway") == which
    return workorders.compare_bodies(g.standing.project.id, refs[0], refs[1], anyway=anyway)
