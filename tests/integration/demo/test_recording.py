"""A work order that is recorded looks like one that a worker went through, in every column."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core import clock
from portal.core.errors import Invalid
from portal.demo import player, stage
from portal.demo.acting import act
from portal.demo.clinic import INTAKE
from portal.demo.flows import Fate
from portal.demo.plans import FLOWS, Attempt, Plan
from portal.demo.script import write
from portal.demo.stage import Stage
from tests.support.cast import Cast

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
OUTCOMES = [
    Attempt(Fate.SUCCESS),
    Attempt(INTAKE.outage.fate, INTAKE.outage),
    Attempt(Fate.CRASHED, INTAKE.troubles[4]),
]
TABLES = {
    "work_orders": "SELECT * FROM work_orders WHERE id = :id",
    "runs": "SELECT * FROM runs WHERE work_order_id = :id",
    "log_lines": "SELECT l.* FROM log_lines l JOIN runs r ON r.id = l.run_id"
    " WHERE r.work_order_id = :id ORDER BY seq",
}
TABLES["steps"] = (
    "SELECT s.*, rs.inserted_at AS linked_at FROM steps s JOIN run_steps rs ON rs.step_id = s.id"
    " JOIN runs r ON r.id = rs.run_id WHERE r.work_order_id = :id ORDER BY s.started_at"
)
TABLES["clips"] = (
    "SELECT d.type, d.name, d.wiped_at, d.inserted_at, d.updated_at, b.body, b.request FROM dataclips d"
    " JOIN dataclip_bodies b ON b.dataclip_id = d.id WHERE d.id IN (SELECT dataclip_id FROM work_orders"
    " WHERE id = :id UNION SELECT unnest(ARRAY[s.input_dataclip_id, s.output_dataclip_id]) FROM steps s"
    " JOIN run_steps rs ON rs.step_id = s.id JOIN runs r ON r.id = rs.run_id WHERE r.work_order_id = :id)"
    " ORDER BY d.inserted_at, b.body::text"
)
OWN_IDS = {"id", "work_order_id", "run_id", "step_id"}
CLIPS = {"dataclip_id", "input_dataclip_id", "output_dataclip_id", "final_dataclip_id"}


@pytest.fixture
def clinic(cast: Cast) -> Stage:
    with clock.frozen_at(AT):
        return stage.build(FLOWS, owner=cast.owner, actor=cast.actor(cast.owner))["Patient intake"]


def _stored(session: sa.orm.Session, work_order_id: uuid.UUID) -> dict[str, list[dict[str, Any]]]:
    """All rows of a work order; ids are replaced by whether they are set."""
    found = {}
    for table, query in TABLES.items():
        rows = session.execute(sa.text(query), {"id": work_order_id}).mappings().all()
        found[table] = [
            {name: value is not None if name in OWN_IDS | CLIPS else value for name, value in row.items()}
            for row in rows
        ]
    return found


@pytest.mark.parametrize("attempt", OUTCOMES, ids=lambda attempt: attempt.fate.value)
def test_a_recorded_work_order_equals_one_that_was_played(
    db_session: sa.orm.Session, clinic: Stage, attempt: Attempt
) -> None:
    plan = Plan(AT, INTAKE, (attempt,), seed=5)
    recorded = workorders.record_past([player._past(plan, clinic)])[0]

    rng = Random(plan.seed)
    body = INTAKE.body(rng, AT)
    with clock.frozen_at(AT):
        created = player._Player(plan, clinic, None)._create(body)  # type: ignore[arg-type]
    script = write(INTAKE, body, INTAKE.path(body), attempt, AT, rng)
    assert created.run_id is not None
    assert created.dataclip_id is not None
    act(script, created.run_id, created.dataclip_id, clinic)

    assert _stored(db_session, recorded) == _stored(db_session, created.work_order_id)


def test_a_step_of_a_job_that_the_snapshot_does_not_hold_is_refused(
    db_session: sa.orm.Session, clinic: Stage
) -> None:
    past = player._past(Plan(AT, INTAKE, (Attempt(Fate.SUCCESS),), seed=5), clinic)
    object.__setattr__(past.steps[0], "job_id", uuid.uuid4())
    with pytest.raises(Invalid):
        workorders.record_past([past])
    assert db_session.scalar(sa.text("SELECT count(*) FROM work_orders")) == 0


def test_a_state_that_is_not_final_is_refused(db_session: sa.orm.Session, clinic: Stage) -> None:
    past = player._past(Plan(AT, INTAKE, (Attempt(Fate.SUCCESS),), seed=5), clinic)
    object.__setattr__(past, "state", "started")
    with pytest.raises(Invalid):
        workorders.record_past([past])
