"""Log lines by month (performance §1)."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

import sqlalchemy as sa

from portal import workorders
from portal.core import clock, db
from portal.core.ids import id_at
from portal.workorders import NewRun
from tests.support.factories import MadeWorkflow
from tests.support.history import received

MAY = datetime(2031, 5, 17, 9, tzinfo=UTC)


def partition_of(run_id: uuid.UUID) -> set[str]:
    found = sa.text("SELECT DISTINCT CAST(tableoid::regclass AS text) FROM log_lines WHERE run_id = :run_id")
    return set(db.session().scalars(found, {"run_id": run_id}))


def plan(run_id: uuid.UUID) -> str:
    asked = sa.text(f"EXPLAIN SELECT message FROM log_lines WHERE run_id = '{run_id}'")
    return "\n".join(db.session().scalars(asked))


def logged(flow: MadeWorkflow, run_id: uuid.UUID) -> None:
    created = received(flow)
    workorders.enqueue(
        NewRun(
            id=run_id,
            work_order_id=created.work_order_id,
            project_id=created.project_id,
            workflow_id=created.workflow_id,
            snapshot_id=flow.snapshot.id,
            dataclip_id=created.dataclip_id,
            options=None,
            starting_trigger_id=flow.trigger.id,
        )
    )
    workorders.append_log(run_id, {"message": "here", "timestamp": MAY})


def test_missing_months_are_made_once(db_session: sa.orm.Session) -> None:
    wanted = ["log_lines_y2031m11", "log_lines_y2031m12", "log_lines_y2032m01"]
    assert workorders.ensure_log_partitions(date(2031, 11, 30), date(2032, 1, 1)) == wanted
    assert workorders.ensure_log_partitions(date(2031, 12, 1), date(2032, 2, 1)) == ["log_lines_y2032m02"]


def test_the_daily_call_prepares_this_month_and_three_more(db_session: sa.orm.Session) -> None:
    with clock.frozen_at(datetime(2031, 11, 21, tzinfo=UTC)):
        assert len(workorders.prepare_log_partitions()) == 4
        assert workorders.prepare_log_partitions() == []


def test_months_that_the_migration_made_are_not_made_again(db_session: sa.orm.Session) -> None:
    assert workorders.prepare_log_partitions() == []


def test_a_runs_lines_are_sought_in_one_partition(flow: MadeWorkflow) -> None:
    workorders.ensure_log_partitions(MAY, MAY)
    run_id = id_at(MAY)
    logged(flow, run_id)
    assert partition_of(run_id) == {"log_lines_y2031m05"}
    assert "log_lines_y2031m05" in plan(run_id)
    assert "log_lines_default" not in plan(run_id)
    assert "Append" not in plan(run_id)


def test_bounds_are_the_months_own(flow: MadeWorkflow) -> None:
    workorders.ensure_log_partitions(MAY, date(2031, 6, 1))
    last, first = (
        id_at(datetime(2031, 5, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        id_at(datetime(2031, 6, 1, tzinfo=UTC)),
    )
    logged(flow, last)
    logged(flow, first)
    assert (partition_of(last), partition_of(first)) == ({"log_lines_y2031m05"}, {"log_lines_y2031m06"})


def test_random_ids_go_to_the_default_partition(flow: MadeWorkflow) -> None:
    # Version 4, with a first half that lies above every month that is made here.
    run_id = uuid.UUID("ffffffff-1111-4111-8111-111111111111")
    logged(flow, run_id)
    assert partition_of(run_id) == {"log_lines_default"}
    assert "log_lines_y" not in plan(run_id)


def test_lines_that_came_before_their_partition_move_into_it(flow: MadeWorkflow) -> None:
    run_id = id_at(MAY)
    logged(flow, run_id)
    assert partition_of(run_id) == {"log_lines_default"}
    workorders.ensure_log_partitions(MAY, MAY)
    assert partition_of(run_id) == {"log_lines_y2031m05"}
    workorders.append_log(run_id, {"message": "more", "timestamp": MAY})
    assert partition_of(run_id) == {"log_lines_y2031m05"}


def test_a_made_partition_is_held_to_the_same_constraints(db_session: sa.orm.Session) -> None:
    workorders.ensure_log_partitions(MAY, MAY)
    asked = sa.text("""
        SELECT c.relname, array_agg(o.contype ORDER BY o.contype) AS kinds,
               (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid) AS indexes
        FROM pg_class c JOIN pg_constraint o ON o.conrelid = c.oid AND o.contype <> 'n'
        WHERE c.relname IN ('log_lines_y2031m05', 'log_lines_default') GROUP BY c.relname, c.oid
    """)
    found = {row.relname: (row.kinds, row.indexes) for row in db.session().execute(asked)}
    assert found["log_lines_y2031m05"] == found["log_lines_default"]
