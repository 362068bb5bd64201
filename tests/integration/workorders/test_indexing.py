"""Filling the search rows: in batches, never failing for ever, never behind (workorders §9.3.7)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import dataclips, workorders
from portal.core import clock
from portal.core.db import session, unit_of_work
from portal.dataclips.models import DataclipBody
from portal.workorders import SearchFilters, indexing
from portal.workorders.indexing import forget_bodies, index_backlog, index_due
from portal.workorders.models import Run, RunSearch, RunState, Workorder
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_workflow
from tests.support.past import Happened, happen, log

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def hits(cast: Cast, term: str, *places: str) -> set[object]:
    filters = SearchFilters.model_validate({"q": term, "search_in": places or ["log", "body"]})
    return {row.id for row in workorders.search(cast.project, filters).items}


def due_at(run: Run) -> datetime | None:
    return session().scalar(sa.select(Run.search_due_at).where(Run.id == run.id))


def rows_of(made: Happened) -> list[RunSearch]:
    statement = sa.select(RunSearch).where(RunSearch.work_order_id == made.id).order_by(RunSearch.part)
    return list(session().scalars(statement.execution_options(populate_existing=True)))


def index_all() -> int:
    done = 0
    while handled := index_due():
        done += handled
    return done


def test_words_are_found_once_the_run_was_indexed(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, logs=["harbour"])
    assert hits(cast, "harbour") == set()
    assert index_due() == 1
    assert hits(cast, "harbour") == {made.id}
    assert due_at(made.run) is None
    assert index_due() == 0


def test_what_is_not_due_yet_waits(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, logs=["harbour"])
    made.run.search_due_at = clock.now() + timedelta(seconds=10)
    session().flush()
    assert (index_due(), index_backlog().runs, workorders.anything_due()) == (0, 0, False)
    with clock.frozen_at(clock.now() + timedelta(seconds=14)):
        backlog = index_backlog()
        assert backlog.runs == 1
        assert timedelta(seconds=3) < backlog.lag < timedelta(seconds=5)
        assert workorders.anything_due()
        assert index_due() == 1


def test_limit_and_batches_deal_with_all_in_turn(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BATCH_LINES", 3)
    made = [happen(flow, logs=[f"line {number}"] * 2) for number in range(7)]
    assert index_due(limit=3) == 3
    assert index_backlog().runs == 4
    assert index_all() == 4
    assert hits(cast, "line") == {each.id for each in made}


def test_new_lines_replace_what_was_indexed(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, logs=["first"])
    index_due()
    log(made.run, ["second"])
    index_due()
    assert hits(cast, "first") == hits(cast, "second") == {made.id}
    assert len(rows_of(made)) == 1


def test_the_domain_marks_what_search_must_read(cast: Cast, flow: MadeWorkflow) -> None:
    created = workorders.create_for_trigger(flow.trigger.id, body='{"patient": "Marigold"}')
    run = session().get_one(Run, created.run_id)
    assert index_due() == 1
    assert hits(cast, "marigold", "body") == {created.work_order_id}
    workorders.claim_run(run.id, "worker-1")
    workorders.start_run(run.id)
    workorders.append_logs(run.id, [{"message": "thistle", "timestamp": 1_790_000_000_000}])
    workorders.complete_run(run.id, state="success")
    index_all()
    assert hits(cast, "thistle", "log") == {created.work_order_id}


def test_a_run_that_changes_meanwhile_stays_due(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = happen(flow, logs=["early"])
    build = indexing._index

    def meddle(ids: list[object]) -> list[object]:
        settled = build(ids)
        monkeypatch.setattr(indexing, "_index", build)
        # The due time itself does not change: least() keeps the earlier one.
        with session().begin_nested():
            session().execute(sa.text("UPDATE runs SET log_count = log_count"))
        return settled

    monkeypatch.setattr(indexing, "_index", meddle)
    assert index_due() == 0
    assert due_at(made.run) is not None
    assert index_due() == 1


def test_a_newer_activity_moves_all_runs_of_the_work_order(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, at=NOW - timedelta(days=200), logs=["lantern"], body={"x": "lamp"})
    others = [happen(flow, at=NOW - timedelta(days=100), logs=["lantern"]).id for _ in range(3)]
    index_all()
    retry = Run(
        work_order_id=made.id,
        project_id=cast.project.id,
        workflow_id=flow.id,
        snapshot_id=flow.snapshot.id,
        dataclip_id=made.order.dataclip_id,
        starting_trigger_id=flow.trigger.id,
        state=RunState.SUCCESS,
    )
    session().add(retry)
    made.order.last_activity = NOW
    session().flush()
    index_all()
    assert {row.at for row in rows_of(made)} == {NOW}
    first, second = rows_of(made)
    prefix = f"{cast.project.number}.{int(NOW.timestamp() // 2_419_200)}/"
    for row in (first, second):
        text = f"{row.logs} {row.bodies}"
        assert all(word.strip("'").startswith(prefix) for word in text.split())
    page = workorders.search(cast.project, SearchFilters(q="lantern"), size=2).items
    assert page[0].id == made.id
    assert hits(cast, "lantern") == {made.id, *others}


def test_a_long_log_fills_several_parts(cast: Cast, flow: MadeWorkflow) -> None:
    lines = [" ".join(f"w{number}x{place}" for place in range(400)) for number in range(200)]
    made = happen(flow, logs=[*lines, "the very last words"])
    index_all()
    assert len(rows_of(made)) > 3
    assert hits(cast, "w0x0 w0x1") == hits(cast, "w199x399") == hits(cast, "very last") == {made.id}
    (row,) = workorders.search(cast.project, SearchFilters(q="very last")).items
    assert row.evidence[0].segments[1] == ("very", True)


def test_a_line_of_megabytes_is_read_in_pieces(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(
        flow, logs=["begin " + "ab-cd-" * 10 + " ".join(f"q{n}" for n in range(100_000)) + " finis"]
    )
    index_all()
    assert hits(cast, "begin") == hits(cast, "q99999 finis") == hits(cast, "q50000") == {made.id}


def test_a_word_too_long_for_an_index_is_left_out(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, logs=["short " + "x" * 2_040, "y" * 100_000, "z" * 3_000])
    index_all()
    assert hits(cast, "short") == {made.id}
    assert hits(cast, "x" * 100) == hits(cast, "y" * 100) == set()


def test_a_body_of_megabytes_is_found_by_its_words(cast: Cast, flow: MadeWorkflow) -> None:
    body = {
        "rows": [{"name": f"person{n}", "note": "two\nlines"} for n in range(12_000)],
        "end": "omega last",
    }
    made = happen(flow, body=body)
    index_all()
    for term in ("person0", "person11999", "omega last", "lines"):
        assert hits(cast, term, "body") == {made.id}, term
    assert hits(cast, "nlines", "body") == set()


def test_a_run_that_cannot_be_indexed_holds_up_nobody(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = happen(flow, logs=["poison"], at=NOW)
    good = [happen(flow, logs=["antidote"]).id for _ in range(4)]
    trap = f"trap AS MATERIALIZED (SELECT 1 / (NOT '{bad.run.id}' = ANY(:ids))::int)"
    statement = indexing._INSERT.text.replace("WITH due", f"WITH {trap}, due") + " CROSS JOIN trap"
    monkeypatch.setattr(indexing, "_INSERT", sa.text(statement))
    assert index_all() == 5
    assert hits(cast, "antidote") == set(good)
    assert due_at(bad.run) is None


def test_wiping_takes_the_words_out_at_once(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, body={"name": "Eglantine"}, logs=["kept"], steps=[{"x": "Bramble"}])
    index_all()
    assert hits(cast, "eglantine") == hits(cast, "bramble") == {made.id}
    with unit_of_work():
        assert dataclips.wipe(cast.project.id, made.order.dataclip_id)
        forget_bodies([made.order.dataclip_id])
    assert "eglantine" not in "".join(str(row.bodies) for row in rows_of(made))
    assert hits(cast, "eglantine") == set()
    index_all()
    assert hits(cast, "kept") == hits(cast, "bramble") == {made.id}
    assert hits(cast, "eglantine") == set()


def test_a_wiped_body_is_not_found_even_while_the_index_is_behind(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, body={"name": "Eglantine"})
    index_all()
    session().execute(sa.delete(DataclipBody).where(DataclipBody.dataclip_id == made.order.dataclip_id))
    assert hits(cast, "eglantine") == set()


def test_only_one_process_indexes_at_a_time(app: Flask, committed: sa.orm.Session) -> None:
    cast = Cast.make()
    happen(make_workflow(cast.project), logs=["word"])
    committed.commit()
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with app.app_context(), unit_of_work():
            from portal.core import db

            assert db.try_advisory_lock("workorders:index")
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    try:
        assert index_due() == 0
    finally:
        leave.set()
        thread.join()
    assert index_due() == 1


@pytest.mark.parametrize("strength", ["NO KEY UPDATE", "UPDATE"])
def test_a_locked_run_is_passed_over_and_stays_due(
    app: Flask, committed: sa.orm.Session, strength: str
) -> None:
    cast = Cast.make()
    flow = make_workflow(cast.project)
    busy, idle = happen(flow, logs=["word"]).run.id, happen(flow, logs=["word"]).run.id
    committed.commit()
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with app.app_context(), unit_of_work():
            session().execute(sa.text(f"SELECT FROM runs WHERE id = :id FOR {strength}"), {"id": busy})
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    try:
        committed.execute(sa.text("SET lock_timeout = '50ms'"))
        assert index_due() == 1
        committed.execute(sa.text("RESET lock_timeout"))
        left = committed.scalars(sa.select(Run.id).where(Run.search_due_at.is_not(None))).all()
        committed.rollback()
        assert left == [busy]
    finally:
        leave.set()
        thread.join()
    assert index_due() == 1
    assert idle != busy


def test_waiting_lists_of_the_indexes_are_worked_in(
    app: Flask, committed: sa.orm.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "CLEAN_AFTER", 2)
    monkeypatch.setattr(indexing._Pending, "rows", 0)
    cast = Cast.make()
    flow = make_workflow(cast.project)
    for _ in range(2):
        happen(flow, logs=["word"])
    committed.commit()
    index_due()
    cleaned = committed.scalar(sa.text("SELECT gin_clean_pending_list('ix_run_search_logs')"))
    assert cleaned == 0
    assert indexing._Pending.rows == 0


def test_search_rows_go_with_nothing_left_over(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, logs=["gone soon"])
    index_all()
    session().execute(sa.text("DELETE FROM log_lines"))
    session().execute(sa.text("UPDATE runs SET search_due_at = :now"), {"now": clock.now()})
    session().execute(sa.delete(DataclipBody))
    index_all()
    assert rows_of(made) == []
    assert session().get(Workorder, made.id) is not None
