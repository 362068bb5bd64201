"""Each request has an id: in its log lines, in its answer, on its error page."""

from __future__ import annotations

import re
import time

import structlog
from flask import Flask, Response, g, request

from portal.core.ids import new_id

log = structlog.get_logger("portal.request")
GIVEN = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
QUIET = ("/static/", "/health/")


def init_app(app: Flask) -> None:
    """Take the id that a proxy gave, or make one; log each answer with it."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if GIVEN.match(given) else new_id().hex[-16:]
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    if not request.path.startswith(QUIET):
        milliseconds = round((time.perf_counter() - g.began) * 1000, 1) if "began" in g else None
        # The path alone: a query string may hold what somebody searched for.
        log.info(
            "answered", method=request.method, path=request.path, status=response.status_code, ms=milliseconds
        )
    return response
