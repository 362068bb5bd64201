"""One module of pages per context."""

from __future__ import annotations

from flask import Flask

from portal.blueprints import accounts, health, live, operations, projects

PAGES = (accounts.bp, health.bp, live.bp, operations.bp, projects.bp)


def init_app(app: Flask) -> None:
    """Register every blueprint."""
    for bp in PAGES:
        app.register_blueprint(bp)
