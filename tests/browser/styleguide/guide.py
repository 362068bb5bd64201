# ruff: noqa: E501
"""A page of patterns to look at while working on templates and CSS; never part of the product.

    .venv/bin/python tests/browser/styleguide/guide.py [port]     serve it
    .venv/bin/python tests/browser/styleguide/shots.py [folder]   take pictures of every page

The pages in templates/ show the structure that real pages follow, filled with made-up data.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace as Item
from typing import Any

from flask import Flask, Response, g, render_template, request
from flask_babel import Babel
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined
from markupsafe import Markup

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
NOW = datetime(2026, 11, 21, 11, 42, 7, tzinfo=UTC)
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGES = ("history", "history-empty", "run", "exports", "projects", "login", "error", "parts")
ENDPOINTS = {
    "projects.index": "/projects",
    "workorders.index": "/history",
    "files.index": "/exports",
    "accounts.login": "/login",
    "accounts.logout": "/logout",
    "accounts.password": "/password",
    "accounts.theme": "/theme",
}
STATES = (
    "failed",
    "success",
    "running",
    "pending",
    "crashed",
    "success",
    "killed",
    "exception",
    "lost",
    "cancelled",
    "rejected",
)
BODY = """{
  "data": {
    "encounter": "OPD-2026-11-0412",
    "facility": "Riverside Clinic",
    "patient": {"given": "Ann", "family": "Example", "born": "1984-02-29"},
    "vitals": {"temperature": 38.4, "pulse": 92, "pregnant": false, "weight": null},
    "diagnoses": ["B54", "J06.9"]
  },
  "references": []
}"""


def create_guide() -> Flask:
    """Build the app; its globals stand in for those of portal.web."""
    # Started as a script, from anywhere: the portal stands two folders up.
    sys.path.insert(0, str(ROOT))
    from portal.web import marks, times

    app = Flask("guide", static_folder=str(ROOT / "portal" / "static"), static_url_path="/static")
    app.jinja_loader = ChoiceLoader(
        [FileSystemLoader(HERE / "templates"), FileSystemLoader(ROOT / "portal" / "templates")]
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.undefined = StrictUndefined
    app.secret_key = "only a style guide"
    Babel(app)
    app.jinja_env.globals.update(
        asset=lambda path: f"/static/{path}",
        now=lambda: NOW,
        theme=lambda: request.args.get("theme", request.cookies.get("theme", "system")),
        csrf_token=lambda: "token",
        switcher=projects,
        kept=lambda template: Markup(app.jinja_env.get_template(template).render()),
        url_for=lambda endpoint, **_values: ENDPOINTS[endpoint],
        **times.names(),
        **marks.names(),
    )
    app.context_processor(lambda: {"current_user": user(), "request_id": "0f3c9a7be21d4c55"})
    app.before_request(stand)
    app.after_request(harden)
    app.add_url_rule("/", "index", lambda: page("history"))
    app.add_url_rule("/history", "workorders.index", lambda: page("history"))
    app.add_url_rule("/exports", "files.index", lambda: page("exports"), methods=["GET", "POST"])
    app.add_url_rule("/<name>", "page", page, methods=["GET", "POST"])
    app.add_url_rule("/part/<name>", "part", lambda name: render_template(f"_{name}.html", **data()))
    return app


def page(name: str) -> Any:
    """Answer one page of the guide."""
    if request.method == "POST":
        return "", 204
    if name == "history" and request.headers.get("HX-Request-Type") == "partial":
        return render_template("_results.html", **data())
    if name not in PAGES:
        message = "There is nothing at this address, or it is in a project that you are not a member of."
        return render_template("errors/page.html", status=404, title="Not found", message=message), 404
    if name == "error":
        message = "The portal made a mistake. It has been written to the log."
        return render_template("errors/page.html", status=500, title="Something went wrong", message=message)
    return render_template(f"{name}.html", **data())


def stand() -> None:
    """Put a standing into g, as the guard does inside a project."""
    inside = request.path.strip("/") not in ("projects", "login", "error")
    project = Item(
        id="p1",
        name="Riverside Clinic intake",
        color="#1d7a5f",
        env="staging",
        parent_id=request.args.get("parent"),
    )
    g.standing = Item(project=project, role="editor") if inside else None


def harden(response: Response) -> Response:
    """The product's policy, so that a breach of it shows here first."""
    response.headers["Content-Security-Policy"] = CSP
    return response


def user() -> Item:
    """Somebody who is logged in."""
    return Item(
        is_authenticated=True, email="operator@clinic.example", name="Demo Operator", is_superuser=True
    )


def projects() -> list[Item]:
    """Three projects, as the switcher wants them."""
    rows = [
        ("p1", "Riverside Clinic intake", "editor", "#1d7a5f"),
        ("p2", "Nightly stock sync", "viewer", "#b4541a"),
        ("p3", "Referral flow", "owner", "#5b4bb5"),
    ]
    return [
        Item(
            id=i,
            name=n,
            role=r,
            color=c,
            description="Demo data, made up from the first to the last row.",
            env="production",
        )
        for i, n, r, c in rows
    ]


def data() -> dict[str, Any]:
    """Everything the sample pages show."""
    return {
        "rows": rows(),
        "run": run(),
        "logs": logs(),
        "body": BODY,
        "tokens": tokens(BODY),
        "exports": exports(),
        "all_projects": projects(),
        "form": form(),
        "bad": bad(),
    }


def rows() -> list[Item]:
    """Work orders in every state."""
    dice = random.Random(7)
    flows = ("Register a patient visit", "Sync stock levels", "Refer to district hospital")
    found = []
    for number, state in enumerate(STATES):
        when = NOW - timedelta(minutes=3 + number * number * 7)
        found.append(
            Item(
                id=f"019a9{dice.randrange(16**3):03x}-{dice.randrange(16**4):04x}-7{dice.randrange(16**3):03x}-9{dice.randrange(16**3):03x}-{dice.randrange(16**12):012x}",
                state=state, workflow=flows[number % 3], trigger=("webhook", "cron")[number % 2],
                input=f"OPD-2026-11-{412 - number:04d}" if number % 3 == 0 else None, input_id=f"{dice.randrange(16**8):08x}",
                runs=0 if state == "rejected" else 1 + number % 3 % 2, received=when - timedelta(seconds=4), activity=when,
                duration=None if state in ("pending", "rejected") else 380 * (number + 1) ** 2, error="AdaptorError" if state in ("failed", "crashed") else None,
            )
        )  # fmt: skip
    return found


def run() -> Item:
    """One failed run with its steps; times in milliseconds from its start."""
    names = [
        ("Validate the visit", "success", 0, 340),
        ("Look up the patient", "success", 390, 1810),
        ("Convert to FHIR", "success", 2230, 260),
        ("Post to the registry", "fail", 2510, 1690),
    ]
    steps = [
        Item(
            id=f"s{n}",
            name=name,
            state=state,
            start=start,
            length=length,
            adaptor="http@7.2.0",
            error="AdaptorError" if state == "fail" else None,
        )
        for n, (name, state, start, length) in enumerate(names)
    ]
    return Item(
        id="019a9c1e-77aa-7c11-9a30-4be19d2f6c05",
        state="failed",
        started=NOW - timedelta(minutes=3),
        finished=NOW,
        duration=4240,
        steps=steps,
        worker="worker-2",
        error="AdaptorError",
    )


def logs() -> list[Item]:
    """Lines of every level."""
    lines = [
        ("info", "R/T", "Starting run 019a9c1e"),
        ("always", "R/T", "Versions:\n  node.js 22.12.0\n  worker 1.14.2\n  @openfn/language-http 7.2.0"),
        ("debug", "R/T", "Loaded 4 jobs from snapshot 12"),
        ("success", "R/T", "Validate the visit completed in 340ms"),
        ("info", "JOB", "Looking up Ann Example, born 1984-02-29"),
        ("warn", "JOB", "Two patients match; taking the one with the newest visit"),
        ("info", "ADA", "POST https://registry.example/fhir/Encounter"),
        (
            "error",
            "ADA",
            'AdaptorError: 422 Unprocessable Entity: {"issue":[{"severity":"error","details":"Encounter.period.end lies before Encounter.period.start"}]}',
        ),
        ("error", "R/T", "Step Post to the registry failed with AdaptorError"),
    ]
    return [
        Item(no=n + 1, level=level, source=source, message=text, at=NOW + timedelta(milliseconds=377 * n))
        for n, (level, source, text) in enumerate(lines)
    ]


def exports() -> list[Item]:
    """Exports in every state."""
    return [
        Item(
            id="e1",
            state="in_progress",
            done=1840,
            total=12400,
            filters=["State: Failed", "Text: malaria"],
            who="Demo Operator",
            at=NOW - timedelta(seconds=20),
            size=None,
            error=None,
        ),
        Item(
            id="e2",
            state="completed",
            done=2011,
            total=2011,
            filters=[],
            who="Demo Operator",
            at=NOW - timedelta(hours=2),
            size=412_300,
            error=None,
        ),
        Item(
            id="e3",
            state="failed",
            done=600,
            total=9000,
            filters=["Workflow: Sync stock levels"],
            who="Other Operator",
            at=NOW - timedelta(days=1),
            size=None,
            error="The disk of the server was full. Nothing was kept.",
        ),
        Item(
            id="e4",
            state="enqueued",
            done=0,
            total=None,
            filters=["Since 1 Nov 2026"],
            who="Other Operator",
            at=NOW - timedelta(days=2),
            size=None,
            error=None,
        ),
    ]


def form() -> Item:
    """A form nobody filled in."""
    return Item(errors={}, values={"state": ["failed", "crashed"], "q": "malaria"})


def bad() -> Item:
    """A form that was refused."""
    return Item(
        errors={"email": ["E-mail or password is wrong."]}, values={"email": "operator@clinic.example"}
    )


def tokens(text: str) -> list[tuple[str, str]]:
    """Split JSON for colours."""
    import re

    found = []
    for part in re.findall(
        r'"(?:[^"\\]|\\.)*"\s*:|"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[^"\d\-tfn]+|.', text
    ):
        kind = (
            "key"
            if part.endswith(":")
            else "str"
            if part.startswith('"')
            else "num"
            if part[0] in "-0123456789"
            else "lit"
            if part in ("true", "false", "null")
            else ""
        )
        found.append((kind, part))
    return found


if __name__ == "__main__":
    create_guide().run(port=int(sys.argv[1]) if len(sys.argv) > 1 else 5055)
