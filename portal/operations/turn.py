"""One turn from the claim to its end, whatever that end is."""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog

from portal.core.db import session, unit_of_work
from portal.core.errors import PortalError, TooMany
from portal.core.text import N_
from portal.operations import messenger, news
from portal.operations.commands import CANCELLED, end_unhappily
from portal.operations.heart import beating
from portal.operations.models import OperationState
from portal.operations.registry import handler_of
from portal.operations.running import NOW, Cancelled, LostLease, Paused, Running, Stopping, claim

log = structlog.get_logger(__name__)

BACK_OFF = timedelta(seconds=2)
LONGEST_BACK_OFF = timedelta(minutes=5)
OUR_FAULT = N_("Something went wrong on our side.")


def take(operation_id: uuid.UUID) -> bool:
    """Claim and work an operation; False when there was nothing to claim.

    Never raises for a failure of the work itself: that is written to the row. Raises
    only when the row cannot be written; its lease then ends and the sweep takes over.
    """
    running = claim(operation_id)
    if running is None:
        log.info("operation_not_claimed", operation_id=str(operation_id))
        return False
    with structlog.contextvars.bound_contextvars(
        operation_id=str(operation_id), kind=running.kind, attempt=running.attempt
    ):
        _work(running)
    return True


def _work(running: Running) -> None:
    log.info("operation_started")
    try:
        with beating(running):
            result = handler_of(running.kind).work(running)
        if not running.finished:
            running.finish(result=result)
        log.info("operation_done", done=running.done)
    except LostLease:
        log.warning("operation_lease_lost")
    except (Cancelled, Paused, Stopping, Exception) as ending:
        # A statement that failed outside any unit leaves the session in a broken transaction.
        session().rollback()
        if running.finished:
            log.exception("operation_failed_after_its_end")
        else:
            _end(running, ending)


def _end(running: Running, ending: BaseException) -> None:
    try:
        if isinstance(ending, Stopping | Paused):
            _hand_back(running)
        elif isinstance(ending, Cancelled):
            _give_up(running, OperationState.CANCELLED, CANCELLED)
        else:
            _fail(running, ending)
    except LostLease:
        log.warning("operation_lease_lost")


def _hand_back(running: Running) -> None:
    """Queue it for another worker; a stop or pause is nobody's failure, so the attempt is given back."""
    log.info("operation_handed_back", done=running.done)
    with unit_of_work() as unit:
        row = running.write(
            state=OperationState.QUEUED,
            attempt=max(running.attempt - 1, 0),
            lease_until=None,
            owner=None,
            run_at=NOW,
            sent_at=NOW,
        )
        # Whoever goes on with a paused one sends it.
        if row.paused_at is None:
            unit.after_commit(messenger.send, running.operation_id, running.fence, running.queue)
        unit.after_commit(news.tell, running.project_id, running.operation_id)


def _fail(running: Running, error: BaseException) -> None:
    expected = isinstance(error, PortalError)
    log.error(
        "operation_failed", exc_info=None if expected else error, reason=str(error) if expected else None
    )
    message = error.message if isinstance(error, PortalError) else OUR_FAULT
    if _is_final(error) or running.attempt >= running.max_attempts:
        _give_up(running, OperationState.FAILED, message)
        return
    running.write(
        state=OperationState.QUEUED,
        lease_until=None,
        owner=None,
        run_at=NOW + min(BACK_OFF * 2 ** (running.attempt - 1), LONGEST_BACK_OFF),
        error=message,
    )


def _is_final(error: BaseException) -> bool:
    """A refusal by a rule of ours stays a refusal; only "too many" and "unavailable" pass with time."""
    return isinstance(error, PortalError) and error.status < 500 and not isinstance(error, TooMany)


def _give_up(running: Running, state: OperationState, message: str) -> None:
    with unit_of_work() as unit:
        operation = running.write(lease_until=None)
        end_unhappily(operation, state, message)
        unit.after_commit(news.tell, running.project_id, running.operation_id)
