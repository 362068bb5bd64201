"""What every template may call."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Flask, current_app, g, request, url_for
from flask_wtf.csrf import generate_csrf
from jinja2 import Environment
from markupsafe import Markup

from portal import projects
from portal.core import access, clock, ids
from portal.web import marks, times
from portal.web.i18n import locale_name

NOBODY = uuid.UUID(int=0)
THEMES = ("system", "light", "dark")


def init_app(app: Flask) -> None:
    """Register the names; an unknown name in a template is an error in tests."""
    app.jinja_env.globals.update(
        allows=allows,
        switcher=switcher,
        theme=theme,
        csrf_token=generate_csrf,
        now=clock.now,
        addresses=addresses,
        kept=kept,
        once_key=ids.new_id,
        **times.names(),
        **marks.names(),
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(lambda: {"request_id": g.get("request_id", "")})


def kept(template: str) -> Markup:
    """A part that is the same on every page of one language: rendered once, then repeated."""
    return _kept(current_app.jinja_env, template, locale_name())


@lru_cache(maxsize=64)
def _kept(environment: Environment, template: str, _locale: str) -> Markup:
    return Markup(environment.get_template(template).render())  # noqa: S704 - a template of ours, escaped as any


def allows(permission: str, subject: Any = None) -> bool:
    """Whether the present actor may do `permission`, to `subject` or in the present project."""
    return access.allows(permission, g.get("actor"), subject if subject is not None else g.get("standing"))


def switcher() -> list[projects.Membership]:
    """The projects of the signed-in person, for the project switcher; asked for once a request."""
    if g.get("actor") is None:
        return []
    if "switcher" not in g:
        g.switcher = projects.list_for(g.actor)
    found: list[projects.Membership] = g.switcher
    return found


def addresses(endpoint: str, varying: str, **values: Any) -> Callable[[uuid.UUID], str]:
    """A function from a key to the address that has it as `varying`; built once for a whole list."""
    whole: dict[str, Any] = values | {varying: NOBODY}
    before, after = url_for(endpoint, **whole).split(str(NOBODY))
    return lambda key: f"{before}{key}{after}"


def theme() -> str:
    """`system`, `light` or `dark`, as the cookie says."""
    chosen = request.cookies.get("theme", "system")
    return chosen if chosen in THEMES else "system"
