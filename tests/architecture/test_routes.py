"""The factory refuses a route that says nothing about who may use it."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask

from config.settings import Settings
from portal import blueprints
from portal.factory import create_app
from portal.web import guarded
from portal.web.guard import MARK


def _with_route(view: object, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Flask:
    bp = Blueprint("tiny", __name__)
    bp.add_url_rule("/tiny", "view", view)  # type: ignore[arg-type]
    monkeypatch.setattr(blueprints, "PAGES", (*blueprints.PAGES, bp))
    return create_app(settings)


def test_a_bare_route_stops_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"tiny\.view is neither @guarded nor @public"):
        _with_route(lambda: "", settings, monkeypatch)


def test_a_guarded_route_starts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _with_route(guarded("accounts:use")(lambda: ""), settings, monkeypatch)
    assert "tiny.view" in app.view_functions


def test_every_route_under_a_project_is_guarded(app: Flask) -> None:
    """`@public` under a project would show it to strangers."""
    bare = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "project_id" in rule.arguments and getattr(app.view_functions[rule.endpoint], MARK)[0] is None
    ]
    assert bare == []
