"""Security headers, Vary and caching: one static policy for every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from config.settings import Settings

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
# Answers with people's data that no cache shall keep, whatever their type.
DATA = "/api/"
VARY = ("HX-Request", "HX-Request-Type", "Cookie")


def init_app(app: Flask, settings: Settings) -> None:
    """Add the headers to every answer; believe as many proxies as the settings say."""
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.after_request(_harden)
    app.after_request(_vary)


def _harden(response: Response) -> Response:
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.path.startswith(DATA):
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _vary(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.vary.update(VARY)
        if not response.headers.get("Cache-Control"):
            response.headers["Cache-Control"] = "no-store"
    return response
