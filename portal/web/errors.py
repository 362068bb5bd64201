"""Errors become answers here, once: a page, an alert fragment, or JSON.

Nothing of the inside (traces, SQL, paths) is ever in an answer; its id is in the log.
"""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from portal.core.errors import Invalid, NotSignedIn, PortalError, TooMany, Unavailable
from portal.core.failures import as_portal_error
from portal.core.text import N_
from portal.web import render

log = structlog.get_logger(__name__)
JSON_PREFIXES = ("/i/", "/api/")

TITLES = {
    400: N_("That request could not be read"),
    401: N_("Log in to go on"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("Not possible here"),
    409: N_("This has changed"),
    413: N_("Too large"),
    415: N_("That request could not be read"),
    422: N_("Please check your input"),
    429: N_("Too many requests"),
    500: N_("Something went wrong"),
    503: N_("Not available right now"),
}


def init_app(app: Flask) -> None:
    """Answer every exception in the portal's own way."""
    app.register_error_handler(CSRFError, _stale_token)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_any)


def wants_json() -> bool:
    """Whether the caller is a program."""
    if request.path.startswith(JSON_PREFIXES):
        return True
    accepted = request.accept_mimetypes
    return accepted.best == "application/json" and not accepted.accept_html


def _of_any(error: Exception) -> Response:
    known = as_portal_error(error)
    if known is None:
        log.exception("unexpected_error", path=request.path)
        return answer(500, "error", N_("The portal made a mistake. It has been written to the log."))
    if known.status >= 500:
        log.warning("unavailable", path=request.path, reason=type(error).__name__)
    if isinstance(known, NotSignedIn):
        return _to_log_in(known)
    fields = known.fields if isinstance(known, Invalid) else None
    response = answer(known.status, known.code, known.message, fields=fields)
    if isinstance(known, TooMany | Unavailable):
        response.headers["Retry-After"] = str(known.retry_after)
    return response


def _of_http(error: HTTPException) -> Response:
    if error.response is not None:
        return make_response(error.response)
    status = error.code or 500
    response = answer(status, error.name.lower().replace(" ", "_"), _plain(status))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After", "Location"):
            response.headers[name] = value
    return response


def _plain(status: int) -> str:
    texts = {
        404: N_("There is nothing at this address."),
        405: N_("This address does not take that kind of request."),
        413: N_("What you sent is too large."),
        415: N_("This address takes JSON: send it with Content-Type: application/json."),
        429: N_("Too many requests. Wait a moment and try again."),
    }
    return texts.get(status, N_("The request could not be answered."))


def _stale_token(error: CSRFError) -> Response:
    response = answer(400, "stale_form", N_("This page was open for too long. Reload it and try again."))
    if render.is_htmx():
        response.headers["HX-Refresh"] = "true"
    return response


def _to_log_in(error: PortalError) -> Response:
    if wants_json():
        response = answer(401, error.code, error.message)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    target = request.full_path.rstrip("?") if request.method == "GET" and not render.is_partial() else None
    where = url_for("accounts.login_page", next=target)
    if render.is_htmx():
        response = make_response("", 401)
        response.headers["HX-Redirect"] = where
        return response
    return make_response(redirect(where, code=303))


def answer(status: int, code: str, message: str, *, fields: Any = None) -> Response:
    """An error answer in the form that the caller reads: JSON, alert fragment or page."""
    if wants_json():
        body = {"error": code, "message": message, "request_id": g.get("request_id")}
        return make_response(jsonify(body | ({"errors": fields} if fields else {})), status)
    lines = [text for texts in fields.values() for text in texts] if fields else []
    values = {
        "status": status,
        "title": _(TITLES.get(status, TITLES[500 if status >= 500 else 400])),
        "message": " ".join([_(message), *lines]),
    }
    template = "errors/_alert.html" if render.is_partial() else "errors/page.html"
    return make_response(render_template(template, **values), status)
