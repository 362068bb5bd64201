"""The default history page over the application itself: from request to full HTML, against its own SQL."""

from __future__ import annotations

import time
from contextvars import Context

from flask import Flask

from bench import capture
from bench.generate import EMAIL
from bench.outcome import Case
from portal import accounts, projects

MOST = 4.0


def measure(app: Flask, project: projects.Project, rounds: int) -> Case:
    """Ask for the page again and again; in each request, note the part that its statements took."""
    user = accounts.find_by_email(EMAIL)
    if user is None:
        raise RuntimeError("the database of the benchmark lacks its owner")
    client = app.test_client()
    token = accounts.start_session(user)
    with client.session_transaction() as kept:
        kept["_user_id"], kept["_fresh"] = token, True
    case, address = Case("history page, request to full HTML"), f"/projects/{project.id}/history"
    for number in range(rounds + 3):
        with capture.sent() as found:
            begun = time.perf_counter()
            # An empty context: like a request from outside, it looks up its own session.
            answer = Context().run(client.get, address)
            taken = time.perf_counter() - begun
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answered {answer.status_code}")
        if number >= 3:
            case.ours.seconds.append(taken)
            case.floor.seconds.append(found.seconds)
    case.plans = capture.checked(found)
    case.target = f"≤ {MOST:g} × own SQL"
    case.passed = case.ours.median <= MOST * case.floor.median
    case.figures = f"{len(answer.data) // 1024} KB, {len(found.statements)} statements"
    return case
