"""Deny first: every route says which permission it needs, or why it needs none.

The check runs before the view. A route under a project also gets the actor's
standing there (`g.standing`): 404 for strangers, 403 for too low a role.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

from portal import projects
from portal.core import access
from portal.core.errors import NotSignedIn

View = TypeVar("View", bound=Callable[..., Any])
MARK = "__portal_guard__"


def guarded(permission: str) -> Callable[[View], View]:
    """Let the view run only for actors whom the policy `permission` allows.

    With `project_id` in the URL the policy's subject is the actor's `projects.Standing`
    there; otherwise the subject is None.
    """
    return lambda view: _mark(view, permission)


def public(reason: str) -> Callable[[View], View]:
    """Let everybody run the view; `reason` says why that is right."""
    return lambda view: _mark(view, None, reason)


def _mark(view: View, permission: str | None, reason: str = "") -> View:
    setattr(view, MARK, (permission, reason))
    return view


def init_app(app: Flask) -> None:
    """Check the mark of the view before each request."""
    app.before_request(_enforce)


def _enforce() -> None:
    if request.endpoint is None:
        return
    permission, _ = getattr(current_app.view_functions[request.endpoint], MARK, ("nobody:may", ""))
    if permission is None:
        return
    if g.actor is None:
        raise NotSignedIn
    project_id = (request.view_args or {}).get("project_id")
    if project_id is not None:
        g.standing = projects.standing(g.actor, project_id)
    access.require(permission, g.actor, g.standing)


def refuse_unguarded_routes(app: Flask) -> None:
    """Raise RuntimeError when a route is neither guarded nor public, or names an unknown permission."""
    for endpoint, view in app.view_functions.items():
        mark = getattr(view, MARK, None)
        if mark is None:
            raise RuntimeError(f"route {endpoint} is neither @guarded nor @public")
        permission, reason = mark
        if permission is None and not reason:
            raise RuntimeError(f"route {endpoint} is public without a reason")
        if permission is not None and not access.known(permission):
            raise RuntimeError(f"route {endpoint} names {permission}, which no policy decides")
