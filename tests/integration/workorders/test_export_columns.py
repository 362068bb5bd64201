"""The columns of a CSV export: chosen, in their order, and each saying what it says (workorders §13.6)."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from portal import workorders
from portal.core import clock
from portal.core.db import session
from portal.core.errors import Conflict, Invalid
from portal.operations import Operation
from portal.workorders import SearchFilters, csv_columns, csv_export
from portal.workorders.export_request import Asked
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow
from tests.support.past import happen

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALL = tuple(workorders.CSV_COLUMNS)


def written(cast: Cast, columns: tuple[str, ...]) -> str:
    sink, ids = io.BytesIO(), io.BytesIO()
    csv_export.write_csv(
        cast.project, SearchFilters(), cut_off=clock.now(), sink=sink, ids=ids, columns=columns
    )
    return sink.getvalue().decode()


def test_every_column_says_what_its_name_says(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, state="failed", runs=2, error_type="TypeError", at=NOW, steps=[{"a": 1}, {"b": 2}])
    made.run.started_at = NOW - timedelta(milliseconds=1500)
    made.steps[1].exit_reason = "fail"
    session().flush()
    (row,) = csv.DictReader(io.StringIO(written(cast, ALL)))
    assert tuple(row) == ALL
    assert {name: row[name] for name in ALL[11:]} == {
        "last_run_id": str(made.run.id),
        "last_run_state": "failed",
        "duration_ms": "1500",
        "failed_job": "Second",
        "error_group_id": "",
        "workflow_id": str(flow.id),
        "snapshot_id": str(flow.snapshot.id),
    }


def test_a_work_order_without_runs_has_empty_cells(cast: Cast, flow: MadeWorkflow) -> None:
    happen(flow, state="rejected")
    (row,) = csv.DictReader(io.StringIO(written(cast, ALL)))
    assert {row[name] for name in ("last_run_id", "last_run_state", "duration_ms", "failed_job")} == {""}


@pytest.mark.parametrize("name", ALL)
def test_each_column_can_stand_alone(cast: Cast, flow: MadeWorkflow, name: str) -> None:
    happen(flow)
    header, line, end = written(cast, (name,)).split("\r\n")
    assert (header, end) == (name, "")
    assert "," not in line


def test_the_order_is_the_one_asked_for(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, state="success")
    assert written(cast, ("state", "work_order_id")) == f"state,work_order_id\r\nsuccess,{made.id}\r\n"


def test_the_name_of_a_failed_job_is_no_formula(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, state="failed", steps=[{}])
    made.steps[0].exit_reason = "fail"
    flow.snapshot.jobs = [{**job, "name": "=cmd()"} for job in flow.snapshot.jobs]
    session().flush()
    assert written(cast, ("failed_job",)).splitlines()[1] == '"\'=cmd()"'


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([], csv_columns.NONE_CHOSEN),
        (["state", "password"], csv_columns.UNKNOWN),
        (["state", "state"], csv_columns.TWICE),
    ],
)
def test_columns_that_cannot_be_are_refused_on_their_field(
    cast: Cast, flow: MadeWorkflow, columns: list[str], message: str
) -> None:
    with pytest.raises(Invalid) as refused:
        workorders.request_export(
            cast.project, SearchFilters(), actor=cast.actor(cast.viewer), columns=columns
        )
    assert refused.value.fields == {"columns": [message]}


def test_the_choice_stands_in_the_operation(cast: Cast, flow: MadeWorkflow) -> None:
    file = workorders.request_export(
        cast.project, SearchFilters(), actor=cast.actor(cast.viewer), columns=["state", "runs"]
    )
    operation = session().get_one(Operation, file.operation_id)
    assert Asked.from_arguments(operation.arguments).columns == ("state", "runs")


@pytest.mark.parametrize(
    "damage",
    [
        {"cut_off": "yesterday"},
        {"filters": {"states": ["purple"]}},
        {"filters": {"colour": "purple"}},
        {"filters": None},
        {"format": "tar"},
        {"columns": ["password"]},
        {"columns": 7},
    ],
)
def test_stored_arguments_that_mean_nothing_are_refused(damage: dict[str, object]) -> None:
    """workorders §13.4"""
    whole = Asked(SearchFilters(states=("failed",)), NOW).to_arguments()
    assert Asked.from_arguments(whole).filters.states == ("failed",)
    with pytest.raises(Conflict):
        Asked.from_arguments(whole | damage)
