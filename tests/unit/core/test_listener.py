"""Mailboxes: what one connection is told, how often, and at what cost of memory."""

from __future__ import annotations

import json
import threading
import time

from portal.core.listener import COLLAPSE_SECONDS, MOST_IDS, Listener, Mailbox


def test_news_of_other_topics_is_not_kept():
    mailbox = Mailbox(["project:1"])
    mailbox.put("project:2", "changed", "x")
    assert mailbox.take(0) is None


def test_the_first_news_comes_at_once_and_a_burst_after_it_as_one():
    mailbox = Mailbox(["t"])
    mailbox.put("t", "changed", "1")
    started = time.monotonic()
    assert mailbox.take(1).ids == ["1"]
    assert time.monotonic() - started < 0.1
    for number in range(2, 10):
        mailbox.put("t", "changed", str(number))
    assert mailbox.take(1).ids == [str(number) for number in range(2, 10)]
    assert time.monotonic() - started >= COLLAPSE_SECONDS
    assert mailbox.take(0) is None


def test_different_events_do_not_wait_for_each_other():
    mailbox = Mailbox(["t"])
    for name in ("a", "b"):
        mailbox.put("t", name, None)
    started = time.monotonic()
    assert {mailbox.take(1).event, mailbox.take(1).event} == {"a", "b"}
    assert time.monotonic() - started < 0.1


def test_a_slow_reader_costs_no_memory():
    mailbox = Mailbox(["t"])
    for number in range(10 * MOST_IDS):
        mailbox.put("t", "changed", str(number))
    assert mailbox.take(0.5).ids == []
    assert mailbox.take(0) is None


def test_an_item_is_named_once():
    mailbox = Mailbox(["t"])
    for _ in range(3):
        mailbox.put("t", "changed", "same")
    assert mailbox.take(0.5).ids == ["same"]


def test_closing_ends_a_waiting_reader():
    mailbox = Mailbox(["t"])
    threading.Timer(0.05, mailbox.close).start()
    started = time.monotonic()
    assert mailbox.take(30) is None
    assert time.monotonic() - started < 2


def test_strange_messages_are_dropped():
    listener = Listener()
    for data in (b"", b"\xff", b"[]", b"{}", b"null", json.dumps({"topic": "t"}).encode()):
        listener.deliver(data)


def test_a_mailbox_opened_after_the_stop_is_closed():
    listener = Listener()
    listener.stop()
    assert listener.open(["t"]).closed
