"""The contexts as JSON, for programs with a bearer token (workorders §15).

Each route is guarded, says with `@endpoint` which models it reads and answers, and calls a
context. The OpenAPI document is made from these marks, so it says what the code does.
"""

from __future__ import annotations

from flask import Flask

from portal.api import actions, bulk, error_groups, exports, history, papers, views, work
from portal.web.protection import csrf

PARTS = (
    actions.bp,
    bulk.bp,
    error_groups.bp,
    exports.bp,
    history.bp,
    papers.bp,
    views.bp,
    work.bp,
)


def init_app(app: Flask) -> None:
    """Register the parts. No cookie counts under /api, so no CSRF token is asked for."""
    for bp in PARTS:
        csrf.exempt(bp)
        app.register_blueprint(bp)
