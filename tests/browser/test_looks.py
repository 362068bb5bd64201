"""Every page in light and dark, wide and narrow: nothing keeps people out or is wider than the window."""

from __future__ import annotations

import pytest

from portal import accounts, demo, projects, workorders
from tests.browser.conftest import PASSWORD
from tests.support.browsing import Visitor

DEMO = 120


@pytest.fixture
def paths(committed, person):
    """The pages to look at, filled with the demo's data."""
    demo.load(person, work_orders=DEMO)
    bad = workorders.read_filters([("state", "failed"), ("state", "crashed")]).filters
    mine = [projects.get(each.id) for each in projects.list_for(accounts.actor_of(person))]
    project, order = next(
        (each, row) for each in mine for row in workorders.search(each, bad).items if row.last_run_id
    )
    base = f"/projects/{project.id}"
    committed.commit()
    return {
        "projects": "/projects",
        "history": f"{base}/history",
        "found": f"{base}/history?q=visit&state=failed",
        "nothing": f"{base}/history?q=nowhere&state=lost&in=log",
        "refused": f"{base}/history?active_from=2026-11-20T10Z&active_to=2026-11-19T10Z",
        "order": f"{base}/history/{order.id}",
        "run": f"{base}/runs/{order.last_run_id}",
        "exports": f"{base}/exports",
    }


def look(visitor: Visitor, name: str, path: str) -> list[str]:
    visitor.open(path)
    visitor.page.wait_for_load_state("domcontentloaded")
    found = [f"{name}: {text}" for text in visitor.inaccessible() + visitor.refused()]
    return found + ([f"{name}: {visitor.overflow()} pixels too wide"] if visitor.overflow() > 0 else [])


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_accessible_in_light_and_dark(visit, person, paths, width):
    found = []
    for theme in ("light", "dark"):
        visitor = visit(viewport={"width": width, "height": 900}, color_scheme=theme)
        found += look(visitor, f"login {theme}", "/login")
        visitor.log_in(person.email, PASSWORD)
        for name, path in paths.items():
            found += look(visitor, f"{name} {theme}", path)
        visitor.open(paths["history"])
        visitor.page.locator("[data-expand]").first.click()
        visitor.page.locator(".run").first.wait_for()
        found += [f"opened {theme}: {text}" for text in visitor.inaccessible()]
        visitor.complaints[:] = [text for text in visitor.complaints if "422" not in text]
    assert found == []
