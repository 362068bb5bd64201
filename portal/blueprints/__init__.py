"""One module of pages per context."""

from __future__ import annotations

from flask import Flask

from portal.blueprints import (
    accounts,
    actions,
    bulk,
    comparisons,
    dataclips,
    error_groups,
    exports,
    files,
    health,
    ingress,
    live,
    manual,
    operations,
    projects,
    runs,
    suggestions,
    views,
    workflows,
    workorders,
)
from portal.web.protection import csrf

PAGES = (
    accounts.bp,
    actions.bp,
    bulk.bp,
    comparisons.bp,
    dataclips.bp,
    error_groups.bp,
    exports.bp,
    files.bp,
    health.bp,
    live.bp,
    manual.bp,
    operations.bp,
    projects.bp,
    runs.bp,
    suggestions.bp,
    views.bp,
    workflows.bp,
    workorders.bp,
)


def init_app(app: Flask) -> None:
    """Register every blueprint. Webhooks come without a cookie, so no token is asked of them."""
    csrf.exempt(ingress.bp)
    app.register_blueprint(ingress.bp)
    for bp in PAGES:
        app.register_blueprint(bp)
