"""Server-sent events: for members only, capped, collapsed, and gone when the right is gone."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from portal.blueprints import live
from portal.core import broker, events
from portal.core.listener import Mailbox
from tests.support.clients import logged_in
from tests.support.processes import eventually


@pytest.fixture
def log_in(app):
    return lambda user: logged_in(app, user)


@pytest.fixture
def streams(cast, log_in, queue):
    """`streams(user, query)` opens one and answers it; all are closed at the end."""
    opened = []

    def start(user, query="", **headers):
        url = f"/projects/{cast.project.id}/events{query}"
        answer = log_in(user).get(url, headers=headers, buffered=False)
        opened.append(answer)
        return answer

    yield start
    for each in opened:
        each.close()


def heard():
    return dict(broker.client().pubsub_numsub(events.channel())).get(events.channel().encode(), 0) > 0


def read_event(chunks):
    for chunk in chunks:
        text = chunk.decode()
        if "event:" in text:
            return dict(line.split(": ", 1) for line in text.strip().splitlines())
    raise AssertionError("the stream ended without an event")


def test_a_change_reaches_the_browser_as_a_named_event(cast, streams):
    answer = streams(cast.viewer)
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    chunks = iter(answer.response)
    assert next(chunks).decode().startswith("retry:")
    eventually(heard)
    item = uuid.uuid4()
    events.publish(events.project_topic(uuid.uuid4()), "not-for-us", item)
    events.publish(events.project_topic(cast.project.id), "workorder-updated", item)
    event = read_event(chunks)
    assert event["event"] == "workorder-updated"
    assert json.loads(event["data"]) == {"ids": [str(item)]}
    assert event["id"]


def test_over_the_cap_the_page_is_left_to_poll(app, cast, streams):
    cap = max(1, app.config["SETTINGS"].web_threads // 4)
    assert [streams(cast.viewer).status_code for _ in range(cap + 1)] == [200] * cap + [204]


def test_a_closed_stream_gives_its_seat_back(app, cast, streams):
    for _ in range(3 * app.config["SETTINGS"].web_threads):
        answer = streams(cast.viewer)
        assert answer.status_code == 200
        answer.close()


def test_strangers_find_no_stream_and_nobody_listens_to_a_foreign_run(cast, streams):
    assert streams(cast.stranger).status_code == 404
    assert streams(cast.viewer, f"?run={uuid.uuid4()}").status_code == 404
    assert streams(cast.viewer, "?run=x").status_code == 422


def test_whoever_begins_to_listen_is_told_to_look_again(cast, streams):
    greeting = next(iter(streams(cast.viewer).response)).decode()
    assert "event: live-resumed" in greeting


def test_a_stream_breathes_and_ends_with_the_right_to_it(monkeypatch):
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.0)
    answers = iter([True, True, False])
    chunks = list(live.messages(Mailbox(["a"]), lambda: next(answers)))
    assert chunks[1:] == [": still here\n\n"] * 2


def test_a_stream_ends_after_some_minutes(monkeypatch):
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(live, "LONGEST_SECONDS", 0.1)
    started = time.monotonic()
    assert len(list(live.messages(Mailbox(["a"]), lambda: True))) > 2
    assert time.monotonic() - started < 1


def test_a_stream_ends_when_the_process_stops(monkeypatch):
    mailbox = Mailbox(["a"])
    chunks = live.messages(mailbox, lambda: True)
    next(chunks)
    mailbox.close()
    assert list(chunks) == []


def test_rights_are_looked_up_anew(app, committed):
    from portal import accounts
    from portal.core.db import db
    from tests.support.cast import Cast

    cast = Cast.make()
    token = accounts.start_session(cast.viewer)
    committed.commit()
    allowed = live._still_allowed(app, cast.actor(cast.viewer), token, cast.project.id)
    assert allowed()
    assert not live._still_allowed(app, cast.actor(cast.stranger), token, cast.project.id)()
    accounts.end_session(token)
    committed.commit()
    assert not allowed()
    db.session.remove()
