"""The HTML kit: rendering, forms, guard, errors, log-in glue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask
from htmx_flask import Htmx

from portal.web import assets, errors, filters, headers, i18n, login, protection, request_ids
from portal.web.guard import guarded, public, refuse_unguarded_routes
from portal.web.guard import init_app as init_guard

if TYPE_CHECKING:
    from config.settings import Settings

__all__ = ["guarded", "init_app", "public", "refuse_unguarded_routes"]


def init_app(app: Flask, settings: Settings) -> None:
    """Wire the kit. The order is that of a request: its id, who it is, whether they may."""
    Htmx(app)  # replaces the class of requests: first, so that ours could build on it
    request_ids.init_app(app)
    headers.init_app(app, settings)
    i18n.init_app(app, settings)
    login.init_app(app)
    protection.init_app(app, settings)
    init_guard(app)
    errors.init_app(app)
    filters.init_app(app)
    assets.init_app(app)
