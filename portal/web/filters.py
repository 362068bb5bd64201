"""What every template may call."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask import Flask, g, request, url_for
from flask_wtf.csrf import generate_csrf

from portal import projects
from portal.core import access, clock
from portal.web import times

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
        times=times,
        addresses=addresses,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(lambda: {"request_id": g.get("request_id", "")})


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
    pattern = url_for(endpoint, **whole)
    return lambda key: pattern.replace(str(NOBODY), str(key))


def theme() -> str:
    """`system`, `light` or `dark`, as the cookie says."""
    chosen = request.cookies.get("theme", "system")
    return chosen if chosen in THEMES else "system"
