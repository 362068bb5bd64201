"""The history of a project: a searched list of work orders, and one work order."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, g, make_response, request
from flask_babel import format_decimal, ngettext

from portal import workflows, workorders
from portal.blueprints import history_query
from portal.blueprints.history_query import Asked
from portal.core import clock, paging
from portal.core.errors import Unavailable
from portal.web import guarded, render
from portal.web.i18n import zone

bp = Blueprint("workorders", __name__, url_prefix="/projects/<uuid:project_id>/history")

# What is committed a moment after its time was taken must not be missed by the next look.
OVERLAP = timedelta(seconds=2)
MOST_REFRESHED = 25
_COUNTED = re.compile(r"\d{1,6}\+?\Z")


@bp.get("")
@guarded("workorders:read")
def index(project_id: uuid.UUID) -> Response:
    """The work orders that pass the filters of the address (workorders §9), page by page."""
    asked = history_query.read(request.args)
    where = history_query.address(project_id, asked.filters)
    if not asked.ok:
        part = "workorders/_problems.html" if _typing() else "workorders/_panel.html"
        return render.invalid("workorders/index.html", part, **_nothing(asked))
    cursor = request.args.get("cursor")
    if not (asked.tidy or asked.ignored or cursor or render.is_htmx()):
        return render.redirect_to(where)
    values = _found(asked, cursor)
    template = "workorders/_more.html" if cursor else _part(asked)
    status = 503 if values["failure"] and not render.is_partial() else 200
    response = render.page("workorders/index.html", template, status=status, **values)
    if template == "workorders/_panel.html" and render.is_partial():
        response.headers |= {"HX-Retarget": "#workorders-panel", "HX-Reswap": "outerHTML"}
    return response if cursor else _announced(response, where, values["total"])


def _part(asked: Asked) -> str:
    """What htmx gets: the results; all of the panel once what was typed has become pills."""
    if _typing():
        return "workorders/_typed.html"
    return "workorders/_panel.html" if asked.spoken else "workorders/_results.html"


def _typing() -> bool:
    return request.headers.get("HX-Source", "").endswith("#field-q")


def _announced(response: Response, where: str, total: workorders.Total | None) -> Response:
    """Tell htmx the address to show, and screen readers how many there are."""
    if not render.is_partial():
        return response
    # While somebody types, the browser's history shall not fill up.
    response.headers["HX-Replace-Url" if _typing() else "HX-Push-Url"] = where
    if total is not None:
        response.headers["X-Announce"] = quote(_counted(total))
    return response


def _counted(total: workorders.Total) -> str:
    shown = format_decimal(total.count) + ("+" if total.more else "")
    return str(ngettext("%(shown)s work order", "%(shown)s work orders", total.count, shown=shown))


def _found(asked: Asked, cursor: str | None) -> dict[str, Any]:
    """What the list's templates need. A search that takes too long is said, never shown as an empty list."""
    since = clock.now()
    page: paging.Page[workorders.HistoryRow] = paging.Page(())
    total, failure = None, None
    try:
        page = workorders.search(g.standing.project, asked.filters, cursor)
        total = None if cursor else workorders.count(g.standing.project, asked.filters)
    except Unavailable as slow:
        failure = slow.message
    shown = request.args.get("shown", 0, type=int) + len(page.items)
    return _common(asked, since) | {
        "page": page,
        "total": total,
        "counted": _counted(total) if total else "",
        "shown": shown,
        "of": _of(total),
        "failure": failure,
        "cursor": cursor,
        "webhooks": _webhooks(asked, page),
        "no_rows": not page.items and not failure,
    }


def _of(total: workorders.Total | None) -> str:
    """The total as later pages of the list repeat it."""
    if total is None:
        given = request.args.get("of", "")
        return given if _COUNTED.match(given) else ""
    return f"{total.count}{'+' if total.more else ''}"


def _webhooks(
    asked: Asked, page: paging.Page[workorders.HistoryRow]
) -> list[workflows.WebhookAddress] | None:
    """Where the first work order could be posted to; None unless the project has none at all."""
    if page.items or asked.filters.query_string():
        return None
    return workflows.list_webhooks(g.standing.project.id)


def _nothing(asked: Asked) -> dict[str, Any]:
    """The values of a list that was not searched, because its filters could not be read."""
    empty: paging.Page[workorders.HistoryRow] = paging.Page(())
    nothing = {"total": None, "failure": None, "cursor": None, "webhooks": None}
    return _common(asked, clock.now()) | {"page": empty, "counted": "", "shown": 0, "of": "", **nothing}


def _common(asked: Asked, since: datetime) -> dict[str, Any]:
    project_id = g.standing.project.id

    def here(filters: workorders.SearchFilters, **more: Any) -> str:
        return history_query.address(project_id, filters, **more)

    return {
        "asked": asked,
        "filters": asked.filters,
        "form": asked.form,
        "here": here,
        "Sort": workorders.Sort,
        "pills": [_pill(asked.filters, pill, here) for pill in asked.filters.pills],
        "workflows": asked.workflows(),
        "typing": _typing(),
        "zone": zone().key,
        "since": since,
        "seen": since - OVERLAP,
        "new": None,
        "no_rows": bool(request.args.get("empty")),
    }


def _pill(
    filters: workorders.SearchFilters, pill: workorders.Pill, here: Callable[..., str]
) -> tuple[workorders.Pill, str, str | None]:
    """A filter in force, the address without it, and the one that turns it round."""
    turned = filters.turned(pill)
    return pill, here(filters.without(pill)), here(turned) if turned else None


@bp.get("/news")
@guarded("workorders:read")
def news(project_id: uuid.UUID) -> Response:
    """What happened since the list was shown: how many new ones pass its filters, and rows that changed.

    `since` is the time of the list, `seen` that of the last look. 204 when there is nothing to tell.
    """
    asked = history_query.read(request.args)
    if not render.is_partial():
        return render.redirect_to(history_query.address(project_id, asked.filters))
    since, seen, look = history_query.moment("since"), history_query.moment("seen"), clock.now()
    new = workorders.count(g.standing.project, _received_since(asked.filters, since))
    changed = workorders.search(g.standing.project, _active_since(asked.filters, seen), size=MOST_REFRESHED)
    if not changed.items and new.count == request.args.get("new", 0, type=int):
        return make_response("", 204)
    runs = workorders.runs_of(project_id, [row.id for row in changed.items])
    values = _common(asked, since) | {"new": new, "seen": look - OVERLAP, "changed": changed.items}
    return render.fragment("workorders/_changes.html", runs_by_id=runs, **values)


def _received_since(filters: workorders.SearchFilters, since: datetime) -> workorders.SearchFilters:
    start = max(since, filters.received_from or since)
    return filters.model_copy(update={"received_from": start})


def _active_since(filters: workorders.SearchFilters, seen: datetime) -> workorders.SearchFilters:
    """What changed, whether or not it still passes: a row is replaced in place (workorders §17)."""
    return workorders.SearchFilters(
        active_from=seen, q=filters.q, search_in=filters.search_in, terms=filters.terms
    )


@bp.get("/<uuid:work_order_id>")
@guarded("workorders:read")
def show(project_id: uuid.UUID, work_order_id: uuid.UUID) -> Response:
    """One work order with its runs and steps; htmx gets the runs, to open a row of the list with."""
    row = workorders.get(project_id, work_order_id)
    runs = workorders.runs_of(project_id, [work_order_id])[work_order_id]
    fragment = "workorders/_order.html" if request.args.get("view") == "order" else "workorders/_runs.html"
    return render.page("workorders/show.html", fragment, row=row, runs=runs)
