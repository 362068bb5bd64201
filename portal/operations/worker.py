"""The worker: RQ's, with our context around each job and our way to stop.

RQ forks for each job. The child drops the parent's database connections, works inside an
application context, and stops at its next checkpoint on SIGTERM, which the parent passes
on and which also comes when the parent dies.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer

from portal.core import broker, db
from portal.operations.messenger import QUEUES
from portal.operations.running import stop_soon

log = structlog.get_logger(__name__)
Context = Callable[[], AbstractContextManager[Any]]
PR_SET_PDEATHSIG = 1
LONGEST_WAIT_SECONDS = 5.0


class PortalWorker(Worker):
    """RQ's forking worker. `context` gives the application context in which a job runs."""

    max_connection_wait_time = LONGEST_WAIT_SECONDS
    context: Context

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """In the child: fresh connections, an application context, the job's id on each log line."""
        db.db.engine.dispose(close=False)
        structlog.contextvars.clear_contextvars()
        with self.context(), structlog.contextvars.bound_contextvars(job_id=job.id):
            return super().perform_job(job, queue)

    def setup_work_horse_signals(self) -> None:
        """In the child: SIGTERM asks for a stop at the next checkpoint; Ctrl-C is for the parent."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, stop_soon)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    def handle_warm_shutdown_request(self) -> None:
        """In the parent: pass the wish to stop on to the child, which sits in a process group of its own."""
        log.info("worker_stops")
        if self.horse_pid:
            self.kill_horse(signal.SIGTERM)

    @property
    def was_asked_to_stop(self) -> bool:
        """Whether a signal, and not an outage, ended `work`."""
        return self._shutdown_requested_date is not None


def run_worker(context: Context, queues: Sequence[str] = QUEUES) -> None:
    """Work on `queues`, the first before the others, until SIGTERM or SIGINT.

    `context` opens an application context (`app.app_context`). While the broker is away
    the worker waits for it. Raises ValueError for an unknown queue.
    """
    if unknown := set(queues) - set(QUEUES):
        raise ValueError(f"there is no queue {', '.join(sorted(unknown))}")
    stop = threading.Event()
    while not stop.is_set():
        _catch_signals(stop)
        connection = Redis.from_url(broker.url(), socket_connect_timeout=1, health_check_interval=30)
        if _answers(connection):
            _work(connection, context, queues, stop)
        else:
            stop.wait(1)
    log.info("worker_stopped")


def _catch_signals(stop: threading.Event) -> None:
    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)


def _answers(connection: Redis) -> bool:
    try:
        return bool(connection.ping())
    except RedisError as error:
        log.warning("worker_waits_for_broker", reason=type(error).__name__)
        return False


def _work(connection: Redis, context: Context, queues: Sequence[str], stop: threading.Event) -> None:
    """Run one RQ worker until it is stopped or loses the broker."""
    try:
        worker = PortalWorker(
            list(queues),
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=60,
            maintenance_interval=60,
            log_job_description=False,
        )
        worker.context = context
        log.info("worker_started", queues=list(queues))
    except RedisError as error:
        log.warning("worker_lost_broker", reason=type(error).__name__)
        stop.wait(1)
        return
    try:
        worker.work(logging_level="WARNING")
    except RedisError as error:
        log.warning("worker_lost_broker", reason=type(error).__name__)
    if worker.was_asked_to_stop:
        stop.set()
    else:
        stop.wait(1)
