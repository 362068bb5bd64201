"""Webhooks a second: the real web server on loopback, against the bare inserts of the same rows."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import requests

from bench.generate import trigger_for_ingress
from bench.outcome import Case
from config.children import web_command
from config.settings import Settings
from portal.core.ids import new_id

CLIENTS = 4
BODY = {"form": "F-1", "patient": {"name": "Poppy Sampleton", "born": "1992-04-10"}, "notes": "first visit"}
_CLEAN = (
    "DELETE FROM runs WHERE project_id = %(project)s",
    "DELETE FROM work_orders WHERE project_id = %(project)s",
    # Their bodies go with them.
    "DELETE FROM dataclips WHERE project_id = %(project)s",
)


_PLACE = """
    SELECT t.project_id, t.workflow_id, s.id
    FROM triggers t JOIN snapshots s USING (workflow_id) WHERE t.id = %s
"""
_INSERTS = (
    """INSERT INTO dataclips (id, project_id, type, inserted_at, updated_at)
    VALUES (%(clip)s, %(project)s, 'http_request', now(), now())""",
    "INSERT INTO dataclip_bodies (dataclip_id, body) VALUES (%(clip)s, %(body)s)",
    """INSERT INTO work_orders (id, project_id, workflow_id, snapshot_id, trigger_id, dataclip_id, state,
        last_activity, inserted_at, updated_at)
    VALUES (%(order)s, %(project)s, %(workflow)s, %(snapshot)s, %(trigger)s, %(clip)s, 'pending',
        now(), now(), now())""",
    """INSERT INTO runs (id, work_order_id, project_id, workflow_id, snapshot_id, dataclip_id,
        starting_trigger_id, state, priority, inserted_at, updated_at)
    VALUES (%(run)s, %(order)s, %(project)s, %(workflow)s, %(snapshot)s, %(clip)s, %(trigger)s, 'available',
        1, now(), now())""",
)


def measure(settings: Settings, plain: psycopg.Connection, seconds: float) -> Case:
    """Post from four clients for so many seconds, then insert the same rows bare; what came in is removed."""
    trigger_id = trigger_for_ingress(plain)
    case = Case("webhook ingress, seconds a message")
    port = _free_port()
    served = settings.model_copy(update={"portal_port": port, "portal_host": "127.0.0.1"})
    with _web(served):
        address = f"{served.address}/i/{trigger_id}"
        _wait_for(address)
        count, taken = _post(address, seconds)
    case.ours.seconds.append(taken / count)
    case.floor.seconds.append(_bare(plain, trigger_id, seconds / 2))
    _clean(plain, trigger_id)
    case.figures = (
        f"{count / taken:,.0f} a second from {CLIENTS} clients; bare inserts {1 / case.floor.median:,.0f}"
    )
    return case


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _web(settings: Settings) -> Iterator[None]:
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "PORTAL_DATA_DIR": str(settings.portal_data_dir),
        "LOG_LEVEL": "error",
    }
    root = Path(__file__).resolve().parent.parent
    process = subprocess.Popen(web_command(settings), env=environment, cwd=root, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if requests.get(address, timeout=5).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise RuntimeError("the web server did not start")


def _post(address: str, seconds: float) -> tuple[int, float]:
    """The number of messages that were taken, and the seconds that this took."""
    counts: list[int] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        count, body = 0, json.dumps(BODY)
        with requests.Session() as posting:
            while time.perf_counter() < end:
                answer = posting.post(
                    address, data=body, headers={"Content-Type": "application/json"}, timeout=30
                )
                answer.raise_for_status()
                count += 1
        counts.append(count)

    begun = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < CLIENTS:
        raise RuntimeError("a message was refused")
    return sum(counts), time.perf_counter() - begun


def _bare(plain: psycopg.Connection, trigger_id: uuid.UUID, seconds: float) -> float:
    """Seconds for the inserts of one message, each message committed, on one connection."""
    place = plain.execute(_PLACE, [trigger_id]).fetchone()
    if place is None:
        raise RuntimeError("no trigger")
    given = dict(zip(("project", "workflow", "snapshot"), place, strict=True)) | {"trigger": trigger_id}
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        values = given | {"clip": new_id(), "order": new_id(), "run": new_id(), "body": json.dumps(BODY)}
        with plain.transaction(), plain.pipeline():
            for statement in _INSERTS:
                plain.execute(statement, values)
        count += 1
    return (time.perf_counter() - begun) / count


def _clean(plain: psycopg.Connection, trigger_id: uuid.UUID) -> None:
    row = plain.execute("SELECT project_id FROM triggers WHERE id = %s", [trigger_id]).fetchone()
    for statement in _CLEAN:
        plain.execute(statement, {"project": row[0] if row else None})
