"""Carries ids to the workers through RQ. Everything else stays in PostgreSQL.

An RQ job's id is the operation's id and its fence, which rises at each claim: a message
of an earlier turn can never be taken for the present one. RQ keeps results and failures
for a minute only, retries nothing, and speaks JSON, so who can write to the broker
cannot run code of his own in a worker.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from portal.core import broker

log = structlog.get_logger(__name__)

# In the order in which a worker looks: short turns go before exports that take minutes.
QUEUES = ("interactive", "default", "maintenance", "export")
MAINTENANCE = "maintenance"
KEPT_SECONDS = 60
# The lease decides how long work may be silent; RQ's own limit is only a last resort.
LONGEST_SECONDS = 24 * 3600

Message = tuple[uuid.UUID, int, str]


def message_id(operation_id: uuid.UUID, fence: int) -> str:
    """The RQ job id of an operation that has been claimed `fence` times so far."""
    return f"{operation_id}-{fence}"


def send(operation_id: uuid.UUID, fence: int, queue: str) -> None:
    """Tell the workers of `queue` that an operation waits. Broker away: logged, the sweep does it."""
    try:
        put(
            broker.client(),
            queue,
            "portal.operations.jobs.work",
            message_id(operation_id, fence),
            operation_id,
        )
    except RedisError as error:
        log.warning("operation_not_sent", operation_id=str(operation_id), reason=type(error).__name__)


def send_missing(messages: Iterable[Message]) -> int:
    """Send those messages that do not stand in their queue any more; answers how many were sent.

    Messages that still wait are left alone: with busy workers the queue would otherwise
    grow by all waiting work at each sweep. A broker that is away: logged, 0.
    """
    sent = 0
    try:
        client = broker.client()
        waiting = waiting_ids(client)
        for operation_id, fence, queue in messages:
            name = message_id(operation_id, fence)
            if name not in waiting:
                put(client, queue, "portal.operations.jobs.work", name, operation_id)
                sent += 1
    except RedisError as error:
        log.warning("operations_not_sent", reason=type(error).__name__)
    return sent


def waiting_ids(client: Redis, queues: Iterable[str] = QUEUES) -> set[str]:
    """The RQ job ids that stand in the given queues. Raises RedisError."""
    return {job_id for queue in queues for job_id in _queue(client, queue).get_job_ids()}


def put(client: Redis, queue: str, function: str, job_id: str, *arguments: object) -> None:
    """Put one RQ job into `queue`. Raises RedisError.

    What an earlier message of the same id left behind is removed first: its record may
    be about to expire, and would take the new message with it.
    """
    client.delete(Job.key_for(job_id))
    _queue(client, queue).enqueue_call(
        function,
        args=tuple(str(argument) for argument in arguments),
        job_id=job_id,
        timeout=LONGEST_SECONDS,
        result_ttl=KEPT_SECONDS,
        failure_ttl=KEPT_SECONDS,
    )


def _queue(client: Redis, name: str) -> Queue:
    return Queue(name, connection=client, serializer=JSONSerializer)
