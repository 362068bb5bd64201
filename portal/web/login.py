"""Who the request is from: Flask-Login over server-side session rows, or a bearer token under /api.

The cookie holds a random token; the row behind it can be listed and revoked, and a
blocked account's sessions die at once (dataclips-and-accounts §5.2). Under /api cookies
count for nothing: the header alone says who asks (dataclips-and-accounts §5.4).
"""

from __future__ import annotations

from flask import Flask, g, request, session, url_for
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user

from portal import accounts
from portal.core.access import Actor
from portal.web import protection, render

manager = LoginManager()
API = "/api/"
# What somebody may reach who still has the one-time password of the first start.
BEFORE_NEW_PASSWORD = {
    "accounts.password",
    "accounts.save_password",
    "accounts.logout",
    "accounts.theme",
    None,
}


class SignedIn:
    """The signed-in person of one request, as Flask-Login wants them."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, user: accounts.User, token: str) -> None:
        self.user, self.token = user, token

    def get_id(self) -> str:
        """The session token: what the cookie keeps."""
        return self.token

    @property
    def actor(self) -> Actor:
        """The person as policies and audit entries see them."""
        return accounts.actor_of(self.user)

    @property
    def name(self) -> str:
        """First and last name."""
        return self.user.name

    @property
    def email(self) -> str:
        """E-mail address."""
        return self.user.email

    @property
    def is_superuser(self) -> bool:
        """Whether the account has the admin area."""
        return self.actor.is_superuser


class PageSession(SecureCookieSessionInterface):
    """Only whole pages renew the cookie.

    A part of a page that was asked for earlier and answers later would bring an older cookie back,
    and undo what another answer had just put into it: a message for the next page, say.
    """

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """What has changed is always sent."""
        return session.modified or (not render.is_partial() and super().should_set_cookie(app, session))


def init_app(app: Flask) -> None:
    """Read the session on each request and put the actor into `g`."""
    app.session_interface = PageSession()
    manager.init_app(app)
    manager.user_loader(_load)
    app.before_request(_know_the_actor)
    app.before_request(_replace_one_time_password)


def _load(token: str) -> SignedIn | None:
    user = accounts.user_of_session(token)
    return SignedIn(user, token) if user else None


def _know_the_actor() -> None:
    g.standing = None
    g.actor = None
    if request.path.startswith(API):
        g.actor = _bearer()
    elif current_user.is_authenticated:
        g.actor = current_user.actor


def _bearer() -> Actor | None:
    """Whom the Authorization header names; None without one. Raises NotSignedIn for a bad token.

    Bad ones are counted per address, and answered 429 past the limit of log-ins.
    """
    given = request.headers.get("Authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    user = accounts.user_of_token(token.strip()) if scheme.lower() == "bearer" else None
    if user is None:
        protection.refuse_bad_token()
    return accounts.actor_of(user)


def _replace_one_time_password() -> ResponseReturnValue | None:
    if (
        g.actor is None
        or request.path.startswith(API)
        or not current_user.user.password_is_one_time
        or request.endpoint in BEFORE_NEW_PASSWORD
    ):
        return None
    return render.redirect_to(url_for("accounts.password"))


def begin(user: accounts.User) -> None:
    """Start a session for `user`, in a cookie that shares nothing with the one before (fixation)."""
    token = accounts.start_session(user)
    session.clear()
    session.permanent = True
    login_user(SignedIn(user, token))
    g.actor = accounts.actor_of(user)


def end() -> None:
    """End the present session, here and in the database."""
    if current_user.is_authenticated:
        accounts.end_session(current_user.token)
    logout_user()
    session.clear()
    g.actor = None
