"""Deny first: routes without a guard, strangers, low roles, bad addresses."""

from __future__ import annotations

import pytest
from flask import Blueprint

from portal.core import access
from portal.factory import create_app
from portal.web import guarded, public, refuse_unguarded_routes
from portal.web.guard import MARK


def with_view(settings, view):
    app = create_app(settings)
    bp = Blueprint("extra", __name__)
    bp.get("/extra")(view)
    app.register_blueprint(bp)
    return app


def test_a_route_that_is_neither_guarded_nor_public_stops_the_start(settings):
    with pytest.raises(RuntimeError, match=r"extra\.bare_view is neither"):
        refuse_unguarded_routes(with_view(settings, bare_view))


def bare_view():
    return "x"


def test_a_permission_that_no_policy_decides_stops_the_start(settings):
    @guarded("tea:drink")
    def view():
        return "x"

    with pytest.raises(RuntimeError, match="tea:drink"):
        refuse_unguarded_routes(with_view(settings, view))


def test_a_public_route_needs_a_reason(settings):
    @public("")
    def view():
        return "x"

    with pytest.raises(RuntimeError, match="without a reason"):
        refuse_unguarded_routes(with_view(settings, view))


def test_an_unknown_permission_is_refused_to_everybody():
    assert not access.allows("tea:drink", access.SYSTEM, None)


def test_every_route_of_the_portal_is_marked(app):
    views = {rule.endpoint: app.view_functions[rule.endpoint] for rule in app.url_map.iter_rules()}
    assert views
    assert all(hasattr(view, MARK) for view in views.values())


def test_who_is_not_logged_in_is_sent_to_log_in_and_back(client, db_session):
    answer = client.get("/projects?x=1")
    assert (answer.status_code, answer.location) == (303, "/login?next=/projects?x%3D1")


def test_htmx_is_sent_to_log_in_as_a_whole_page(client, db_session):
    answer = client.get("/projects", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith("/login")


def test_a_stranger_and_an_unknown_project_look_the_same(cast, log_in):
    browser = log_in(cast.stranger)
    foreign = browser.get(f"/projects/{cast.project.id}")
    unknown = browser.get("/projects/00000000-0000-7000-8000-000000000000")
    assert (foreign.status_code, unknown.status_code) == (404, 404)


def test_being_superuser_gives_no_project(cast, log_in):
    assert log_in(cast.superuser).get(f"/projects/{cast.project.id}").status_code == 404


@pytest.mark.parametrize("role", ["owner", "admin", "editor", "viewer"])
def test_every_member_may_open_the_project(cast, log_in, role):
    assert log_in(getattr(cast, role)).get(f"/projects/{cast.project.id}").status_code == 200


def test_a_project_that_winds_down_refuses_everybody(cast, log_in, db_session):
    from portal.core import clock

    cast.project.scheduled_deletion = clock.now()
    db_session.flush()
    assert log_in(cast.owner).get(f"/projects/{cast.project.id}").status_code == 403


def test_a_project_that_demands_mfa_refuses_who_lacks_it(cast, log_in, db_session):
    cast.project.requires_mfa = True
    db_session.flush()
    assert log_in(cast.owner).get(f"/projects/{cast.project.id}").status_code == 403
    cast.owner.mfa_enabled = True
    db_session.flush()
    assert log_in(cast.owner).get(f"/projects/{cast.project.id}").status_code == 200


def test_support_comes_in_where_the_project_lets_it(cast, log_in, db_session):
    """projects-and-workflows §1.8."""
    cast.stranger.support_user = True
    db_session.flush()
    assert log_in(cast.stranger).get(f"/projects/{cast.project.id}").status_code == 404
    cast.project.allow_support_access = True
    db_session.flush()
    assert log_in(cast.stranger).get(f"/projects/{cast.project.id}").status_code == 200
