"""News to browsers as server-sent events: that something changed, never what.

Each open stream holds a thread of the web server, so only a quarter of the threads of a
process may do that; over the cap the answer is 204 and the page goes on polling. A
stream looks at the reader's rights now and then, and ends after some minutes: the
browser comes again, through the guard.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import structlog
from flask import Blueprint, Flask, Response, g, make_response, request
from flask.blueprints import BlueprintSetupState
from flask_login import current_user

from portal import accounts, projects, workorders
from portal.core import access, clock, events, listener
from portal.core.access import Actor
from portal.core.errors import Invalid, PortalError
from portal.core.failures import as_portal_error
from portal.core.text import N_
from portal.web import guarded
from portal.web.apps import this_app

log = structlog.get_logger(__name__)
bp = Blueprint("live", __name__)

PERMISSION = "workorders:read"
# A page that was closed is noticed at the next write, and keeps its seat until then.
BEAT_SECONDS = 4.0
CHECK_SECONDS = 15.0
LONGEST_SECONDS = 300.0
_numbers = itertools.count(1)


@bp.record
def _prepare(state: BlueprintSetupState) -> None:
    threads = int(state.app.config["SETTINGS"].web_threads)
    listener.stop_with_the_server()
    state.app.extensions["live_streams"] = threading.BoundedSemaphore(max(1, threads // 4))


@bp.get("/projects/<uuid:project_id>/events")
@guarded(PERMISSION)
def stream(project_id: uuid.UUID) -> Response:
    """The events of a project, and with `?run=<id>` those of one of its runs; 204 when too many listen."""
    topics = [events.project_topic(project_id), *_run_topics(project_id)]
    app = this_app()
    seats: threading.BoundedSemaphore = app.extensions["live_streams"]
    if not seats.acquire(blocking=False):
        return make_response("", 204)
    leaving = ExitStack()  # may be closed twice
    leaving.callback(seats.release)
    mailbox = listener.open_mailbox(topics)
    leaving.callback(listener.drop, mailbox)
    allowed = _still_allowed(app, g.actor, current_user.get_id(), project_id)
    response = Response(messages(mailbox, allowed), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    # Not in the generator: one that was never started runs no `finally`.
    response.call_on_close(leaving.close)
    return response


def _run_topics(project_id: uuid.UUID) -> list[str]:
    if "run" not in request.args:
        return []
    try:
        run_id = uuid.UUID(request.args["run"])
    except ValueError:
        raise Invalid({"run": [N_("This is not an id.")]}) from None
    return [events.run_topic(workorders.run_page(project_id, run_id).id)]


def messages(mailbox: listener.Mailbox, allowed: Callable[[], bool]) -> Iterator[str]:
    """The text of one stream: a comment each 4 seconds, an event for each news, until its end.

    It begins with `live-resumed`: what the page shows is older than the stream, by a
    moment or, after a break, by more, so the reader is told to look again.
    """
    end = time.monotonic() + LONGEST_SECONDS
    yield "retry: 3000\n: hello\n\n" + _event("live-resumed", [])
    check_at = time.monotonic() + CHECK_SECONDS
    while time.monotonic() < end:
        news = mailbox.take(BEAT_SECONDS)
        if time.monotonic() >= check_at:
            if not allowed():
                return
            check_at = time.monotonic() + CHECK_SECONDS
        if mailbox.closed:
            return
        yield _event(news.event, news.ids) if news else ": still here\n\n"


def _event(name: str, ids: list[str]) -> str:
    # The browser sends the number back when it comes again; it tells only that it was here before.
    number = f"{int(clock.now().timestamp() * 1000)}-{next(_numbers)}"
    return f"id: {number}\nevent: {name}\ndata: {json.dumps({'ids': ids})}\n\n"


def _still_allowed(app: Flask, actor: Actor, token: str, project_id: uuid.UUID) -> Callable[[], bool]:
    def check() -> bool:
        with app.app_context():
            try:
                if accounts.user_of_session(token) is None:
                    return False
                return access.allows(PERMISSION, actor, projects.standing(actor, project_id))
            except PortalError:
                return False
            except Exception as error:
                if as_portal_error(error) is None:
                    log.exception("stream_not_checked")
                return False

    return check
