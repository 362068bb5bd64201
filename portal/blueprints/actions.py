"""What people do with one work order or run: retry it, or cancel what waits (workorders §10, §12).

Each form carries a key of its own: sent twice, it acts once. htmx gets the runs of the row
(or the whole work order) as they are then; a plain browser goes to the run or work order.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from portal import operations, workorders
from portal.core.errors import Conflict, Invalid, TooMany
from portal.web import guarded, render

bp = Blueprint("actions", __name__, url_prefix="/projects/<uuid:project_id>")

Answer = dict[str, Any]
Refusal = Conflict | Invalid | TooMany
REFUSALS = (Conflict, Invalid, TooMany)
CHANGED = "workorder-updated"
FRAGMENTS = {"row": "workorders/_runs.html", "order": "workorders/_order.html"}


@bp.post("/history/<uuid:work_order_id>/retry")
@guarded("workorders:retry")
def retry(project_id: uuid.UUID, work_order_id: uuid.UUID) -> Response:
    """Retry a work order from its start; 409 while it waits or runs, 422 when its input has gone."""

    def work() -> Answer:
        return _made(workorders.retry_by_hand(project_id, work_order_id, actor=g.actor))

    return _retried(project_id, work_order_id, f"retry:{work_order_id}", work)


@bp.post("/runs/<uuid:run_id>/steps/<uuid:step_id>/retry")
@guarded("workorders:retry")
def retry_step(project_id: uuid.UUID, run_id: uuid.UUID, step_id: uuid.UUID) -> Response:
    """Retry from one step of a run; refused as `retry`."""

    def work() -> Answer:
        return _made(workorders.retry_step_by_hand(project_id, run_id, step_id, actor=g.actor))

    work_order_id = workorders.run_page(project_id, run_id).work_order_id
    return _retried(project_id, work_order_id, f"retry:{run_id}:{step_id}", work)


@bp.post("/history/<uuid:work_order_id>/cancel")
@guarded("workorders:cancel")
def cancel(project_id: uuid.UUID, work_order_id: uuid.UUID) -> Response:
    """Cancel all waiting runs of a work order; 409 when none waits."""

    def work() -> Answer:
        return {"runs": workorders.cancel_by_hand(project_id, work_order_id, actor=g.actor)}

    where = url_for("workorders.show", project_id=project_id, work_order_id=work_order_id)
    return _cancelled(project_id, work_order_id, where, f"cancel:{work_order_id}", work)


@bp.post("/runs/<uuid:run_id>/cancel")
@guarded("workorders:cancel")
def cancel_run(project_id: uuid.UUID, run_id: uuid.UUID) -> Response:
    """Cancel one waiting run; 409 when it was claimed first."""

    def work() -> Answer:
        workorders.cancel_run_by_hand(project_id, run_id, actor=g.actor)
        return {"runs": 1}

    work_order_id = workorders.run_page(project_id, run_id).work_order_id
    where = url_for("runs.show", project_id=project_id, run_id=run_id)
    return _cancelled(project_id, work_order_id, where, f"cancel:{run_id}", work)


def once(deed: str, work: Callable[[], Answer]) -> Answer:
    """`work` done once for the key of the present form, however often it is sent; each time without one."""
    key = request.form.get("once", "")
    return operations.once(g.actor, key, deed, work) if key else work()


def _made(created: workorders.Created) -> Answer:
    return {"run_id": str(created.run_id)}


def _retried(
    project_id: uuid.UUID, work_order_id: uuid.UUID, deed: str, work: Callable[[], Answer]
) -> Response:
    try:
        run_id = once(deed, work)["run_id"]
    except REFUSALS as refusal:
        return _refused(project_id, work_order_id, refusal)
    where = url_for("runs.show", project_id=project_id, run_id=run_id)
    said = _("Run %(id)s enqueued.", id=run_id[-8:])
    return _done(project_id, work_order_id, where, said, (_("Open the run"), where))


def _cancelled(
    project_id: uuid.UUID, work_order_id: uuid.UUID, where: str, deed: str, work: Callable[[], Answer]
) -> Response:
    try:
        count = once(deed, work)["runs"]
    except REFUSALS as refusal:
        return _refused(project_id, work_order_id, refusal)
    said = ngettext("%(num)s run cancelled.", "%(num)s runs cancelled.", count)
    return _done(project_id, work_order_id, where, said, None)


def _done(
    project_id: uuid.UUID, work_order_id: uuid.UUID, where: str, said: str, link: tuple[str, str] | None
) -> Response:
    values = _changed(project_id, work_order_id)
    return render.done(where, event=CHANGED, toast=said, link=link, **values)


def _changed(project_id: uuid.UUID, work_order_id: uuid.UUID) -> dict[str, Any]:
    """The fragment that the form's page shows, with its values; None where the page is left for another."""
    fragment = FRAGMENTS.get(request.form.get("view", ""))
    if fragment is None or not render.is_partial():
        return {"fragment": None}
    runs = workorders.runs_of(project_id, [work_order_id])[work_order_id]
    row = workorders.get(project_id, work_order_id)
    return {"fragment": fragment, "row": row, "runs": runs, "view": request.form["view"]}


def _refused(project_id: uuid.UUID, work_order_id: uuid.UUID, refusal: Refusal) -> Response:
    """What was shown is out of date, so it is shown anew with the reason. Other pages get the plain error."""
    changed = _changed(project_id, work_order_id)
    if changed["fragment"] is None:
        raise refusal
    return render.refused(text=_words(refusal), status=refusal.status, event=CHANGED, **changed)


def _words(refusal: Refusal) -> str:
    if not isinstance(refusal, Invalid):
        return str(_(refusal.message))
    texts = [_(text) for messages in refusal.fields.values() for text in messages]
    return f"{_('Nothing was done:')} {', '.join(texts)}"
