"""Answers: a page, or only its fragment when htmx asks for a part.

The page includes the fragment's file, so both are one rendering. Fragments are
files that begin with `_` and have one root element.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from flask import Response, flash, make_response, redirect, render_template, request
from htmx_flask import request as htmx_request


def is_partial() -> bool:
    """Whether htmx asks for a part of a page; boosted links and history restores ask for whole ones."""
    return bool(htmx_request.htmx) and request.headers.get("HX-Request-Type", "partial") == "partial"


def is_htmx() -> bool:
    """Whether htmx made the request, for a part or for a whole page."""
    return bool(htmx_request.htmx)


def page(
    template: str,
    fragment: str | None = None,
    *,
    status: int = 200,
    announce: str | None = None,
    **values: Any,
) -> Response:
    """Answer `fragment` to htmx's partial requests, the page `template` otherwise.

    `announce` is read out by screen readers once the fragment is in its place.
    """
    chosen = fragment if fragment is not None and is_partial() else template
    response = make_response(render_template(chosen, **values), status)
    if announce and is_partial():
        response.headers["X-Announce"] = quote(announce)
    return response


def fragment(template: str, *, status: int = 200, **values: Any) -> Response:
    """Answer a fragment that only htmx asks for."""
    return make_response(render_template(template, **values), status)


def invalid(template: str, fragment: str | None = None, **values: Any) -> Response:
    """Answer 422 with the same form, values kept, errors on their fields; a plain browser gets the page."""
    return page(template, fragment, status=422, **values)


def done(
    where: str,
    *,
    fragment: str | None = None,
    event: str | None = None,
    toast: str | None = None,
    link: tuple[str, str] | None = None,
    **values: Any,
) -> Response:
    """Answer after a change.

    htmx gets `fragment` (or is sent to `where`) and an `HX-Trigger` with `event` and a toast;
    a plain browser a 303 to `where` with the toast as a flash. `link` (label, path) goes with
    the toast: where to see what was made.
    """
    if not is_htmx() or fragment is None:
        if toast:
            flash(toast)
        return redirect_to(where)
    response = make_response(render_template(fragment, **values))
    return _telling(response, event, {"level": "ok", "text": toast} if toast else None, link)


def refused(fragment: str, text: str, *, status: int, event: str | None = None, **values: Any) -> Response:
    """Answer htmx that a deed was refused: the fragment as things are now, and why, in a toast."""
    response = make_response(render_template(fragment, **values), status)
    return _telling(response, event, {"level": "error", "text": text}, None)


def _telling(
    response: Response, event: str | None, toast: dict[str, str] | None, link: tuple[str, str] | None
) -> Response:
    # What was clicked may be gone by then: news for the whole page are told to its body.
    news: dict[str, Any] = {event: {"target": "body"}} if event else {}
    if toast:
        label, path = link or ("", "")
        news["toast"] = toast | ({"href": path, "label": label} if link else {})
    if news:
        response.headers["HX-Trigger"] = json.dumps(news)
    return response


def redirect_to(where: str) -> Response:
    """Send the browser to `where`: `HX-Location` to htmx (which would follow a 303 unseen), else 303."""
    if is_htmx():
        response = make_response("", 204)
        response.headers["HX-Location"] = where
        return response
    return make_response(redirect(where, code=303))
