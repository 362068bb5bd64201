"""Log-in and out, the password, the theme."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, flash, g, make_response, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from portal import accounts
from portal.core.errors import NotAllowed
from portal.web import forms, guarded, login, public, render
from portal.web import protection as limits
from portal.web.filters import THEMES

bp = Blueprint("accounts", __name__)
YEAR = 31_536_000


@bp.get("/login", endpoint="login_page")
@public("nobody is logged in yet")
def log_in_form() -> Response:
    """The log-in page; whoever is logged in goes on to the projects."""
    if current_user.is_authenticated:
        return render.redirect_to(_safe(request.args.get("next")))
    return render.page("accounts/login.html", form=forms.empty(next=request.args.get("next", "")))


@bp.post("/login", endpoint="login")
@public("nobody is logged in yet")
@limits.log_in_by_address
@limits.log_in_by_account
def log_in() -> Response:
    """Check e-mail and password; every failure looks the same (dataclips-and-accounts §5.2)."""
    form = forms.read(accounts.LogIn)
    try:
        user = accounts.sign_in(form.data.email, form.data.password)
    except NotAllowed as refusal:
        form.errors[""] = [_(refusal.message)]
        return render.invalid("accounts/login.html", form=form)
    login.begin(user)
    return render.redirect_to(_safe(form.data.next))


def _safe(target: str | None) -> str:
    """`target` when it is a path of this site, else the projects: a link must not lead elsewhere."""
    parts = urlsplit((target or "").replace("\\", "/"))
    leads_here = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    return target if target and leads_here and not target.startswith("//") else url_for("projects.index")


@bp.post("/logout")
@public("ends whatever session there is; the CSRF token guards it")
def logout() -> Response:
    """End the session."""
    login.end()
    flash(_("You are logged out."))
    return render.redirect_to(url_for("accounts.login_page"))


@bp.get("/account/password", endpoint="password")
@guarded("accounts:use")
def password_form() -> Response:
    """The form that replaces the password."""
    return render.page("accounts/password.html", form=forms.empty(), user=current_user.user)


@bp.post("/account/password", endpoint="save_password")
@guarded("accounts:use")
@limits.log_in_by_address
def save_password() -> Response:
    """Replace the password; other sessions end, this one begins anew."""
    form = forms.read(accounts.NewPassword)
    user = form.attempt(accounts.change_password, g.actor.id, form.data, actor=g.actor) if form.ok else None
    if user is None:
        return render.invalid("accounts/password.html", form=form, user=current_user.user)
    login.begin(user)
    flash(_("Your password has been changed."))
    return render.redirect_to(url_for("projects.index"))


def _back() -> str:
    here = urlsplit(request.referrer or "")
    return (
        _safe(here.path + (f"?{here.query}" if here.query else ""))
        if here.netloc == request.host
        else _safe(None)
    )


@bp.post("/account/theme")
@public("a wish about colours, kept in the visitor's own browser")
def theme() -> Response:
    """Keep the theme in a cookie, so that the server paints the page right at once."""
    chosen = request.form.get("theme", "system")
    response = make_response("", 204) if render.is_htmx() else render.redirect_to(_back())
    response.set_cookie(
        "theme", chosen if chosen in THEMES else "system", max_age=YEAR, samesite="Lax", httponly=True
    )
    return response
