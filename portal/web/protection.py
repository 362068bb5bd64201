"""CSRF, cross-site requests, and limits of rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from flask import Flask, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf import CSRFProtect
from limits import parse

from portal.core.errors import NotAllowed, NotSignedIn, TooMany
from portal.core.text import N_

if TYPE_CHECKING:
    from config.settings import Settings

csrf = CSRFProtect()
limiter = Limiter(get_remote_address, headers_enabled=False)
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
# Marked on a blueprint whose callers carry no cookie: webhooks, the token API.
BAD_TOKEN = N_("This token is unknown, was revoked, or its account is blocked.")
NO_COOKIE_PREFIXES = ("/i/", "/api/")


def _per_minute() -> str:
    return f"{current_app.config['LOGIN_ATTEMPTS']} per minute"


def _account() -> str:
    return "account:" + request.form.get("email", "").strip().lower()


# Guessing is limited per address and per account; without the counter log-in is refused (503).
log_in_by_address = limiter.limit(_per_minute, scope="log-in")
log_in_by_account = limiter.limit(_per_minute, key_func=_account, scope="log-in-account")


def refuse_bad_token() -> NoReturn:
    """Count one bad API token of this address, whatever it asked for, and refuse it.

    Raises NotSignedIn, or TooMany past the limit of log-ins a minute. Good tokens go on: the
    limiter's decorators would count whole routes, so its counter is asked itself.
    """
    if not limiter.limiter.hit(parse(_per_minute()), "bad-token", get_remote_address()):
        raise TooMany
    raise NotSignedIn(BAD_TOKEN)


def init_app(app: Flask, settings: Settings) -> None:
    """Demand a token with every unsafe request; count log-ins in Valkey."""
    # No limit shorter than the session: a form left open over lunch must still save.
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    app.config["WTF_CSRF_HEADERS"] = ["X-CSRFToken"]
    app.config["LOGIN_ATTEMPTS"] = settings.login_attempts_per_minute
    app.config["RATELIMIT_STORAGE_URI"] = _limiter_address(settings.redis_url or "")
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"socket_connect_timeout": 1, "socket_timeout": 1}
    csrf.init_app(app)
    limiter.init_app(app)
    app.before_request(_refuse_cross_site)


def _limiter_address(url: str) -> str:
    return url.replace("unix://", "redis+unix://", 1)


def _refuse_cross_site() -> None:
    if request.method in SAFE or request.path.startswith(NO_COOKIE_PREFIXES):
        return
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise NotAllowed(N_("This request came from another site and was refused."))
