"""Pictures of the real pages with the demo's data: wide and phone, light and dark.

    .venv/bin/python -m tests.browser.shots FOLDER [NAME …]

Starts servers of its own in a temporary folder. Prints what the browser and axe complain about.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright

from config import services
from config.settings import Settings
from portal import accounts, demo, operations, projects, workorders
from portal.core import clock
from portal.core.db import db, session
from portal.factory import create_app
from portal.operations import jobs
from tests.support import databases
from tests.support.browsing import launch, served, visitor
from tests.support.processes import eventually, worker

PASSWORD = "correct horse battery"
EMAIL = "operator@clinic.example"
WORK_ORDERS = int(os.environ.get("SHOTS_WORK_ORDERS", "1200"))


@contextmanager
def furnished(folder: Path) -> Iterator[Flask]:
    """An application on fresh servers, with a person and the demo."""
    found = services.start(Settings(portal_data_dir=folder), durable=False)
    try:
        template = databases.make_template(found.addresses.database_url)
        settings = Settings(
            portal_data_dir=folder,
            database_url=databases.copy_template(found.addresses.database_url, template, "shots"),
            redis_url=found.addresses.redis_url,
            secret_key="only for pictures",
            primary_encryption_key="MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            web_threads=64,
        )
        app = create_app(settings)
        with app.app_context():
            furnish()
        yield app
        with app.app_context():
            db.engine.dispose()
    finally:
        found.stop()


def furnish() -> None:
    """A person, three projects, and exports in every state."""
    new = accounts.NewUser(email=EMAIL, first_name="Demo", last_name="Operator", password=PASSWORD)
    person = accounts.create_user(new, role=accounts.AccountRole.SUPERUSER)
    demo.load(person, work_orders=WORK_ORDERS)
    actor = accounts.actor_of(person)
    project = first_project(person)
    for query in ([], [("state", "failed"), ("q", "patient")], [("state", "lost")]):
        filters = workorders.read_filters(query).filters
        form = workorders.ExportFormat.ZIP if query else workorders.ExportFormat.CSV
        workorders.request_export(project, filters, actor=actor, format=form)
    session().commit()


def first_project(person: accounts.User) -> projects.Project:
    """The project of the pictures."""
    found = projects.list_for(accounts.actor_of(person))
    return projects.get(next(each.id for each in found if "clinic" in each.name or "intake" in each.name))


def work_off(app: Flask) -> None:
    """Let a worker do the exports, then leave one failed and one under way."""
    with app.app_context():
        project = first_project(accounts.first_superuser())
        made = worker(app)
        eventually(lambda: not unfinished(project), 60)
        made.kill()
        now = clock.now()
        session().execute(
            sa.text("""UPDATE operations SET state = 'failed', error = 'There is no room left.'
            WHERE id = (SELECT operation_id FROM project_files ORDER BY inserted_at LIMIT 1)""")
        )
        session().execute(
            sa.text("""UPDATE project_files SET status = 'failed', path = NULL,
            error = 'There is no room left to store the export.'
            WHERE id = (SELECT id FROM project_files ORDER BY inserted_at LIMIT 1)""")
        )
        session().execute(
            sa.text("""UPDATE operations SET state = 'running', done = 1840, total = 12400, started_at = :now,
            finished_at = NULL, lease_until = :now + interval '1 hour'
            WHERE id = (SELECT operation_id FROM project_files ORDER BY inserted_at DESC LIMIT 1)"""),
            {"now": now},
        )
        session().execute(
            sa.text("""UPDATE project_files SET status = 'in_progress', path = NULL
            WHERE id = (SELECT id FROM project_files ORDER BY inserted_at DESC LIMIT 1)""")
        )
        session().commit()


def unfinished(project: projects.Project) -> bool:
    found = bool(operations.list_unfinished(project.id))
    session().rollback()
    return found


def pages(app: Flask) -> dict[str, str]:
    """The addresses to take pictures of."""
    with app.app_context():
        project = first_project(accounts.first_superuser())
        base = f"/projects/{project.id}"
        bad = workorders.read_filters([("state", "failed")]).filters
        row = next(row for row in workorders.search(project, bad).items if row.last_run_id)
        steps = workorders.run_page(project.id, row.last_run_id).steps
        two = [each.last_run_id for each in workorders.search(project, bad).items if each.last_run_id][:2]
        chosen = f"?step={steps[-1].id}" if steps else ""
        return {
            "projects": "/projects",
            "overview": base,
            "workflow": f"{base}/workflows/{row.workflow_id}",
            "views": f"{base}/views",
            "saving": f"{base}/history?state=failed&in=log&q=timeout",
            "history": f"{base}/history",
            "found": f"{base}/history?q=patient&state=failed&state=crashed",
            "nothing": f"{base}/history?q=nowhere&state=lost",
            "picked": f"{base}/history?state=success",
            "preview": f"{base}/history",
            "manual": f"{base}/history",
            "order": f"{base}/history/{row.id}",
            "run": f"{base}/runs/{row.last_run_id}",
            "compare": f"{base}/runs/compare?a={two[0]}&b={two[1]}",
            "stopping": f"{base}/runs/{stopping(project)}",
            "choose": f"{base}/runs/compare?a={row.last_run_id}",
            "step": f"{base}/runs/{row.last_run_id}{chosen}",
            "exports": f"{base}/exports",
            "export": f"{base}/history/exports/new?state=failed&q=patient",
            "operation": f"{base}/operations/{in_bulk(project)}",
            "activity": f"{base}/operations",
            "errors": f"{base}/errors",
            "error": f"{base}/errors/{workorders.list_error_groups(project).items[0].id}",
        }


# Some have lost their input since, so that there is something to be left out.
_WIPE = sa.text("""UPDATE dataclips SET wiped_at = now() WHERE id IN (
    SELECT dataclip_id FROM work_orders WHERE state = :state ORDER BY md5(id::text) LIMIT 4)""")


def in_bulk(project: projects.Project) -> uuid.UUID:
    """A bulk retry that has been done; another one that is paused waits in the list."""
    actor = accounts.actor_of(accounts.first_superuser())
    for bad, rest in (("failed", False), ("crashed", True)):
        filters = workorders.read_filters([("state", bad)]).filters
        session().execute(_WIPE, {"state": bad})
        selection = workorders.Selection(filters=filters)
        shown = workorders.preview_bulk(project, workorders.Deed.RETRY, selection)
        made = workorders.start_bulk(project, shown.token, actor=actor)
        if rest:
            operations.pause(made, actor=actor)
        else:
            jobs.work(str(made.id))
            done = made.id
    session().commit()
    return done


def stopping(project: projects.Project) -> uuid.UUID:
    """A run that works and was asked to stop."""
    row = next(row for row in workorders.search(project, workorders.SearchFilters()).items)
    made = workorders.retry_from_start(
        project.id, row.id, actor=accounts.actor_of(accounts.first_superuser())
    )
    assert made.run_id is not None
    workorders.claim_run(made.run_id, "worker-1")
    workorders.start_run(made.run_id)
    workorders.ask_stop(project.id, made.run_id, actor=accounts.actor_of(accounts.first_superuser()))
    return made.run_id


# Of these the picture is what the window shows: bars and dialogs stand where they stand.
AS_SEEN = ("picked", "preview", "manual")


def prepare(page: Page, name: str, *, wide: bool) -> None:
    """Do on the page what its picture is to show."""
    if name in ("history", "picked"):
        page.locator("[data-expand]").first.click()
        page.locator(".run").first.wait_for()
    if name in ("picked", "preview"):
        for box in page.locator("[data-pick]").all()[:2]:
            box.check()
    if name == "preview":
        page.locator("[data-pick-every]").check()
        page.locator(".picked").get_by_role("button", name="Retry", exact=True).click()
        page.locator("#bulk-preview").wait_for()
    if name == "manual":
        page.get_by_role("link", name="Run by hand").click()
        page.get_by_label("New JSON").check()
    if name == "saving" and wide:
        page.locator("#views-list .icon-button").first.click()
        page.locator(".side-edit").wait_for()
    if name == "saving":
        page.get_by_role("button", name="Save view").click()


def take(browser: Browser, address: str, folder: Path, found: dict[str, str]) -> None:
    """One picture for each page, width and theme."""
    for width in (1280, 390):
        for theme in ("light", "dark"):
            each = visitor(browser, address, viewport={"width": width, "height": 900}, color_scheme=theme)
            shots = {"login": "/login", **found}
            for name, path in shots.items():
                if name != "login" and "/login" in each.page.url:
                    each.log_in(EMAIL, PASSWORD)
                each.open(path)
                prepare(each.page, name, wide=width > 1000)
                each.page.wait_for_timeout(400)
                each.page.screenshot(
                    path=folder / f"{name}-{width}-{theme}.png", full_page=name not in AS_SEEN
                )
                for text in (*each.inaccessible(), *each.refused()):
                    print(f"{name} {width} {theme}: {text}")
                if each.overflow() > 0:
                    print(f"{name} {width} {theme}: {each.overflow()} pixels too wide")
            print(*each.complaints, sep="\n", end="")
            each.page.context.close()


def main(folder: Path, only: list[str]) -> None:
    """Take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="portal-shots-") as data, furnished(Path(data)) as app:
        work_off(app)
        found = {name: path for name, path in pages(app).items() if not only or name in only}
        with served(app) as address, sync_playwright() as play:
            browser = launch(play)
            take(browser, address, folder, found)
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
