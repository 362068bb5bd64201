"""A table for effects, a kind of work that leaves them there, and ways to look at both."""

from __future__ import annotations

import time
import uuid

import pytest
import sqlalchemy as sa

from portal import operations
from portal.core.access import SYSTEM
from portal.core.db import session, unit_of_work
from portal.operations import registry
from portal.operations.models import Operation


def leave_effect(operation_id, number):
    session().execute(
        sa.text("INSERT INTO test_effects (operation_id, number) VALUES (:id, :number)"),
        {"id": operation_id, "number": number},
    )


def count(running):
    """Leave one effect per batch; `pause` seconds between two."""
    batches = running.arguments["batches"]
    for number in range(running.checkpoint.get("last", 0) + 1, batches + 1):
        with unit_of_work():
            leave_effect(running.operation_id, number)
            running.advance(checkpoint={"last": number}, done=number, total=batches)
        time.sleep(running.arguments.get("pause", 0))
    return {"counted": batches}


@pytest.fixture
def kinds():
    """Register kinds for one test: `kinds("test:x", function, on_failed=…)`; `test:count` is there."""
    before = dict(registry._handlers)

    def register(kind, function, **options):
        operations.handler(kind, **options)(function)

    register("test:count", count)
    yield register
    registry._handlers.clear()
    registry._handlers.update(before)


@pytest.fixture
def ledger(committed, kinds):
    """Start operations that really commit, and read what became of them."""
    committed.execute(
        sa.text(
            "CREATE TABLE IF NOT EXISTS test_effects "
            "(id bigserial, operation_id uuid, number bigint, at timestamptz DEFAULT clock_timestamp())"
        )
    )
    committed.commit()
    yield Ledger()
    committed.rollback()
    committed.execute(sa.text("DROP TABLE test_effects"))
    committed.commit()


class Ledger:
    """What tests do with the ledger."""

    def start(self, kind="test:count", **options) -> Operation:
        arguments = options.pop("arguments", {"batches": 3})
        return operations.start(kind, project_id=None, actor=SYSTEM, arguments=arguments, **options)

    def read(self, operation_id: uuid.UUID) -> Operation:
        found = session().get_one(Operation, operation_id, populate_existing=True)
        session().rollback()
        return found

    def state(self, operation: Operation) -> str:
        return str(self.read(operation.id).state)

    def effects(self, operation: Operation) -> list[int]:
        rows = session().scalars(
            sa.text("SELECT number FROM test_effects WHERE operation_id = :id ORDER BY id"),
            {"id": operation.id},
        )
        found = list(rows)
        session().rollback()
        return found
