"""Hears events from Valkey once per process and fans them out to the open connections.

Each connection has a mailbox. Equal news that come fast are collapsed there, so a burst
of a thousand changes is three messages a second, and a slow reader costs no memory.
The thread starts with the first subscription, after any fork of the web server.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from types import FrameType

import structlog
from redis.exceptions import RedisError

from portal.core import broker, events

log = structlog.get_logger(__name__)

COLLAPSE_SECONDS = 0.3
MOST_IDS = 50
RETRY_SECONDS = 1.0
# A reader looks this often whether its mailbox was closed: closing may not wait for locks.
LOOK_SECONDS = 1.0


@dataclass(slots=True)
class News:
    """`event` happened under `topic`, to the items `ids` (empty: unknown, or too many to name)."""

    topic: str
    event: str
    ids: list[str] = field(default_factory=list)
    _overflown: bool = False

    def add(self, item_id: str | None) -> None:
        """Count one more item in."""
        if item_id is None or len(self.ids) >= MOST_IDS:
            self._overflown = True
        if self._overflown:
            self.ids.clear()
        elif item_id is not None and item_id not in self.ids:
            self.ids.append(item_id)


class Mailbox:
    """What one connection has still to be told; at most one entry per topic and event."""

    def __init__(self, topics: Collection[str]) -> None:
        self.topics = frozenset(topics)
        self.closed = False
        self._waiting: dict[tuple[str, str], News] = {}
        self._last_taken: dict[tuple[str, str], float] = {}
        self._changed = threading.Condition()

    def put(self, topic: str, event: str, item_id: str | None) -> None:
        """Leave news, unless the topic is none of this connection's."""
        if topic not in self.topics:
            return
        with self._changed:
            self._waiting.setdefault((topic, event), News(topic, event)).add(item_id)
            self._changed.notify()

    def close(self) -> None:
        """End the reader for good: `take` answers None, within a second. Takes no lock."""
        self.closed = True

    def take(self, timeout: float) -> News | None:
        """The next news, or None after `timeout` seconds or once closed.

        News of the same topic and event come at least 0.3 seconds apart; the last is never lost.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self.closed:
                key, ripe_in = self._ripest()
                if key is not None and ripe_in <= 0:
                    self._last_taken[key] = time.monotonic()
                    return self._waiting.pop(key)
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(min(left, ripe_in, LOOK_SECONDS))
        return None

    def _ripest(self) -> tuple[tuple[str, str] | None, float]:
        present = time.monotonic()
        waits = {key: self._last_taken.get(key, 0) + COLLAPSE_SECONDS - present for key in self._waiting}
        if not waits:
            return None, threading.TIMEOUT_MAX
        key = min(waits, key=waits.__getitem__)
        return key, waits[key]


class Listener:
    """The one subscriber of a process, and its mailboxes."""

    def __init__(self) -> None:
        self._mailboxes: set[Mailbox] = set()
        self._guard = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def open(self, topics: Collection[str]) -> Mailbox:
        """A mailbox that fills from now on; closed from the start when the process is about to stop."""
        mailbox = Mailbox(topics)
        with self._guard:
            if self._stopped.is_set():
                mailbox.close()
            self._mailboxes.add(mailbox)
            self._ensure_thread()
        return mailbox

    def drop(self, mailbox: Mailbox) -> None:
        """Forget a mailbox; twice is no error."""
        with self._guard:
            self._mailboxes.discard(mailbox)

    def stop(self) -> None:
        """Close every mailbox. Takes no lock, so a signal handler may call it."""
        self._stopped.set()
        for mailbox in tuple(self._mailboxes):
            mailbox.close()

    def deliver(self, data: bytes) -> None:
        """Put one message, as it travels, into the mailboxes that want it. Strange ones are dropped."""
        try:
            message = json.loads(data)
            topic, event, item_id = message["topic"], message["event"], message["id"]
        except (ValueError, KeyError, TypeError):
            log.warning("event_not_understood")
            return
        with self._guard:
            mailboxes = tuple(self._mailboxes)
        for mailbox in mailboxes:
            mailbox.put(topic, event, item_id)

    def _ensure_thread(self) -> None:
        # A thread does not survive a fork: the process that asks must have its own.
        if self._thread is None or not self._thread.is_alive() or self._pid != os.getpid():
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._listen, name="events-listener", daemon=True)
            self._thread.start()

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                self._hear()
            except (RedisError, OSError) as error:
                log.warning("events_not_heard", reason=type(error).__name__)
            except Exception:
                # Open streams would hear nothing more if this thread ended.
                log.exception("events_not_heard")
            self._stopped.wait(RETRY_SECONDS)

    def _hear(self) -> None:
        client = broker.client()  # kept here: a client that is collected closes its connections
        with client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(events.channel())
            while not self._stopped.is_set():
                message = channel.get_message(timeout=1.0)
                if message is not None:
                    self.deliver(message["data"])


_listener = Listener()


def open_mailbox(topics: Collection[str]) -> Mailbox:
    """Start hearing `topics`; `drop` ends it."""
    return _listener.open(topics)


def drop(mailbox: Mailbox) -> None:
    """Forget a mailbox; twice is no error."""
    _listener.drop(mailbox)


def stop() -> None:
    """End every open stream of this process, for good: it is about to stop. Fit for a signal handler."""
    _listener.stop()


def stop_with_the_server() -> None:
    """On SIGTERM end the open streams first, then do what the web server does by itself.

    Nothing happens where no server has set a handler (commands, tests), or outside the main thread.
    """
    servers_own = signal.getsignal(signal.SIGTERM)
    if not callable(servers_own) or threading.current_thread() is not threading.main_thread():
        return

    def first_stop(number: int, frame: FrameType | None) -> None:
        stop()
        servers_own(number, frame)

    signal.signal(signal.SIGTERM, first_stop)
