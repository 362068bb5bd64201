"""Pausing and going on, results item by item, and idempotency keys (reliability §1)."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from portal import operations
from portal.audit import AuditEvent
from portal.core.access import Actor
from portal.core.db import session, unit_of_work
from portal.core.errors import Conflict, Invalid
from portal.operations import Item, ItemResult, jobs
from portal.operations.models import OnceKey, Operation, OperationItem
from tests.integration.operations.conftest import leave_effect
from tests.support.processes import Forked, end_lease, forget_sending

ANNA = Actor(uuid.UUID(int=1))


def entries():
    found = session().execute(sa.select(AuditEvent.event, AuditEvent.actor_id).order_by(AuditEvent.id))
    return [(event, actor_id) for event, actor_id in found]


@pytest.fixture
def interrupted(ledger, kinds):
    """An operation that is paused by somebody while its second batch is under way."""

    def count(running):
        for number in range(running.checkpoint.get("last", 0) + 1, 5):
            with unit_of_work():
                leave_effect(running.operation_id, number)
                if number == 2:
                    operations.pause(session().get_one(Operation, running.operation_id), actor=ANNA)
                running.advance(checkpoint={"last": number}, done=number)

    kinds("test:interrupted", count)
    operation = ledger.start("test:interrupted")
    jobs.work(str(operation.id))
    return operation


def test_a_running_operation_pauses_after_its_batch_and_loses_no_attempt(ledger, interrupted):
    row = ledger.read(interrupted.id)
    assert (row.state, row.attempt, row.lease_until, row.checkpoint) == ("queued", 0, None, {"last": 2})
    assert row.paused_at is not None
    assert ledger.effects(interrupted) == [1, 2]


def test_a_paused_operation_is_neither_claimed_nor_sent(ledger, interrupted, queue):
    queue.flushdb()
    forget_sending(interrupted.id)
    assert operations.sweep().unanswered == 0
    jobs.work(str(interrupted.id))
    assert ledger.effects(interrupted) == [1, 2]
    assert queue.llen("rq:queue:default") == 0


def test_going_on_sends_it_and_works_from_the_checkpoint(ledger, interrupted, queue):
    queue.flushdb()
    operations.resume(ledger.read(interrupted.id), actor=ANNA)
    assert queue.llen("rq:queue:default") == 1
    jobs.work(str(interrupted.id))
    assert ledger.state(interrupted) == "done"
    assert ledger.effects(interrupted) == [1, 2, 3, 4]
    assert entries() == [("paused", ANNA.id), ("resumed", ANNA.id)]


def test_a_waiting_operation_pauses_at_once_and_can_be_cancelled(ledger):
    operation = ledger.start()
    operations.pause(operation, actor=ANNA)
    operations.pause(operation, actor=ANNA)
    jobs.work(str(operation.id))
    assert ledger.effects(operation) == []
    operations.ask_cancel(operation, actor=ANNA)
    assert ledger.state(operation) == "cancelled"
    operations.resume(operation, actor=ANNA)
    assert entries() == [("paused", ANNA.id), ("cancelled", ANNA.id)]


def test_a_worker_lost_after_the_pause_was_asked_leaves_it_paused(ledger):
    operation = ledger.start()
    operations.running.claim(operation.id)
    operations.pause(operation, actor=ANNA)
    end_lease(operation.id)
    assert operations.sweep().returned == 1
    jobs.work(str(operation.id))
    assert ledger.effects(operation) == []
    operations.resume(ledger.read(operation.id), actor=ANNA)
    jobs.work(str(operation.id))
    assert ledger.effects(operation) == [1, 2, 3]


def test_trying_again_is_audited_and_forgets_the_pause(ledger):
    operation = ledger.start()
    operations.pause(operation, actor=ANNA)
    operations.ask_cancel(operation, actor=ANNA)
    operations.try_again(operation, actor=ANNA)
    jobs.work(str(operation.id))
    assert ledger.state(operation) == "done"
    assert [event for event, _ in entries()] == ["paused", "cancelled", "tried_again"]


def test_items_are_listed_by_key_and_by_what_was_not_done(ledger):
    operation = ledger.start()
    ids = sorted(uuid.uuid4() for _ in range(7))
    items = [
        Item(id_, ItemResult.SKIPPED, "changed") if n % 3 == 0 else Item(id_, ItemResult.DONE, made_id=id_)
        for n, id_ in enumerate(ids)
    ]
    operations.record_items(operation.id, items)
    first = operations.items(operation.id, size=5)
    rest = operations.items(operation.id, first.next_cursor, size=5)
    assert [item.item_id for item in (*first.items, *rest.items)] == ids
    assert rest.next_cursor is None
    failed = operations.items(operation.id, only_failed=True)
    assert [(item.item_id, item.reason) for item in failed.items] == [
        (id_, "changed") for id_ in (ids[0], ids[3], ids[6])
    ]
    assert operations.count_not_done(operation.id) == {"changed": 3}
    with pytest.raises(Invalid):
        operations.items(operation.id, first.next_cursor, only_failed=True)


def test_an_item_is_dealt_with_once(ledger):
    operation = ledger.start()
    item = Item(uuid.uuid4(), ItemResult.DONE)
    operations.record_items(operation.id, [item])

    def again():
        with unit_of_work():
            leave_effect(operation.id, 1)
            operations.record_items(operation.id, [item])

    with pytest.raises(IntegrityError):
        again()
    assert ledger.effects(operation) == []


def test_items_go_with_their_operation_and_keys_after_a_day(ledger, monkeypatch):
    monkeypatch.setattr(operations.sweeping, "ITEM_BATCH", 2)
    old, young = ledger.start(), ledger.start()
    for operation in (old, young):
        items = [Item(uuid.uuid4(), ItemResult.DONE) for _ in range(5)]
        operations.record_items(operation.id, items)
        jobs.work(str(operation.id))
    session().execute(
        sa.update(Operation)
        .where(Operation.id == old.id)
        .values(finished_at=Operation.finished_at - timedelta(days=8))
    )
    operations.once(ANNA, "old", "x", dict)
    operations.once(ANNA, "young", "x", dict)
    session().execute(
        sa.update(OnceKey)
        .where(OnceKey.key == "old")
        .values(inserted_at=OnceKey.inserted_at - timedelta(hours=25))
    )
    session().commit()
    assert operations.prune() == 1
    assert set(session().scalars(sa.select(OperationItem.operation_id))) == {young.id}
    assert list(session().scalars(sa.select(OnceKey.key))) == ["young"]


def test_the_same_key_has_one_effect_and_one_answer(ledger):
    operation = ledger.start()

    def work():
        leave_effect(operation.id, 1)
        return {"answer": len(ledger_effects())}

    def ledger_effects():
        return session().scalars(sa.text("SELECT number FROM test_effects")).all()

    assert operations.once(ANNA, "k", "count", work) == {"answer": 1}
    assert operations.once(ANNA, "k", "count", work) == {"answer": 1}
    assert ledger.effects(operation) == [1]
    with pytest.raises(Conflict):
        operations.once(ANNA, "k", "other", work)
    assert operations.once(Actor(uuid.UUID(int=2)), "k", "count", work) == {"answer": 2}
    for bad in ("", "x" * 201, "a\x00b"):
        with pytest.raises(Invalid):
            operations.once(ANNA, bad, "count", work)


def test_a_failed_request_leaves_its_key_free(ledger):
    def fail():
        leave_effect(uuid.uuid4(), 1)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        operations.once(ANNA, "k", "count", fail)
    assert operations.once(ANNA, "k", "count", lambda: {"fine": True}) == {"fine": True}
    assert session().scalar(sa.text("SELECT count(*) FROM test_effects")) == 0


def test_the_same_key_at_the_same_time_has_one_effect(app, ledger):
    operation = ledger.start()

    def work():
        leave_effect(operation.id, 1)
        session().execute(sa.text("SELECT pg_sleep(0.1)"))
        return {"made": str(operation.id)}

    def ask():
        assert operations.once(ANNA, "k", "count", work) == {"made": str(operation.id)}

    twins = [Forked(app, ask) for _ in range(4)]
    assert [twin.wait() for twin in twins] == [0] * 4
    assert ledger.effects(operation) == [1]
