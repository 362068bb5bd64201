"""Retrying many: from a job, from the start, given steps (workorders §10.2-10.4, §18.66-77)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.core import clock
from portal.core.db import session
from portal.core.errors import TooMany
from portal.operations import Operation
from portal.workorders import Deed, Selection, bulk_work
from portal.workorders.models import Run, RunStep, Workorder
from tests.support.bulk import NOW, did, many, new_runs, preview, start
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow
from tests.support.history import claimed, done_step, finished, order_of, received, run_of
from tests.support.past import happen


@pytest.fixture
def limited() -> Iterator[list[int]]:
    """A limiter that allows one run and refuses more; the numbers it was asked for."""
    asked: list[int] = []

    def refuse(_project_id: uuid.UUID, runs: int) -> str | None:
        asked.append(runs)
        return f"No room for {runs} runs" if runs > 1 else None

    before = workorders.limit_runs(refuse)
    yield asked
    workorders.limit_runs(before)


def test_18_71_new_runs_follow_the_order_received(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_work, "BATCH", 4)
    orders = many(flow, 9)
    session().commit()
    backwards = tuple(each.id for each in reversed(orders))
    did(start(cast, preview(cast, Selection(ids=backwards))))
    assert [run.work_order_id for run in new_runs(cast)] == [each.id for each in orders]
    assert [each.work_order_id for each in workorders.claim(9)] == [each.id for each in orders]


def test_a_retried_work_order_is_like_one_retried_alone(cast: Cast, flow: MadeWorkflow) -> None:
    alone, together = happen(flow, at=NOW, state="failed"), happen(flow, at=NOW, state="crashed")
    rejected = received(flow, runs_allowed=False)
    session().commit()
    actor = cast.actor(cast.editor)
    with clock.frozen_at(clock.now()):
        single = workorders.retry_from_start(cast.project.id, alone.id, actor=actor)
        did(start(cast, preview(cast, Selection(ids=(together.id, rejected.work_order_id)))))
    runs = {run.work_order_id: run for run in new_runs(cast)}
    first, second, third = (runs[id_] for id_ in (alone.id, together.id, rejected.work_order_id))
    assert first.id == single.run_id
    columns = [column.name for column in Run.__table__.columns]
    own = {"id", "work_order_id", "dataclip_id"}
    same = [name for name in columns if name not in own]
    for run in (second, third):
        assert {name: getattr(run, name) for name in same} == {name: getattr(first, name) for name in same}
    assert (second.dataclip_id, third.dataclip_id) == (together.order.dataclip_id, rejected.dataclip_id)
    states = {row.id: (row.state, row.last_activity) for row in session().scalars(sa.select(Workorder))}
    assert len(set(states.values())) == 1


def test_18_66_the_latest_run_without_steps_gives_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    created = finished(flow)
    answer = from_job(cast, flow, "First", created.work_order_id)
    assert (answer.enqueued, answer.discarded) == (0, 0)
    assert new_runs(cast) == []


def from_job(cast: Cast, flow: MadeWorkflow, job: str, *ids: uuid.UUID) -> workorders.Enqueued:
    actor = cast.actor(cast.editor)
    return workorders.retry_many_from_job(cast.project.id, ids, flow.jobs[job].id, actor=actor)


def ran(flow: MadeWorkflow, *names: str) -> tuple[workorders.Created, dict[str, tuple[uuid.UUID, uuid.UUID]]]:
    """A work order that failed after these jobs; step and output of each."""
    created = claimed(flow)
    workorders.start_run(run_of(created).id)
    steps = {name: done_step(flow, created, name) for name in names}
    workorders.complete_run(run_of(created).id, state="failed")
    return created, steps


def carried(run: Run) -> set[uuid.UUID]:
    return set(session().scalars(sa.select(RunStep.step_id).where(RunStep.run_id == run.id)))


def test_18_67_from_the_first_job_nothing_is_carried(cast: Cast, flow: MadeWorkflow) -> None:
    created, _ = ran(flow, "First", "Second")
    answer = from_job(cast, flow, "First", created.work_order_id)
    assert (answer.enqueued, answer.discarded) == (1, 0)
    assert carried(new_runs(cast)[0]) == set()


def test_18_68_from_a_middle_job_the_earlier_step_is_carried(cast: Cast, flow: MadeWorkflow) -> None:
    created, steps = ran(flow, "First", "Second", "Third")
    from_job(cast, flow, "Second", created.work_order_id)
    (run,) = new_runs(cast)
    assert carried(run) == {steps["First"][0]}
    assert run.starting_job_id == flow.jobs["Second"].id


def test_18_69_of_two_runs_the_newest_is_taken(cast: Cast, flow: MadeWorkflow) -> None:
    created, steps = ran(flow, "First")
    actor = cast.actor(cast.owner)
    again = workorders.retry_from_step(cast.project.id, run_of(created).id, steps["First"][0], actor=actor)
    workorders.claim_run(run_of(again).id)
    workorders.start_run(run_of(again).id)
    _, output = done_step(flow, again, "Second")
    newest, _ = done_step(flow, again, "First", input_dataclip_id=output)
    workorders.complete_run(run_of(again).id, state="failed")
    from_job(cast, flow, "Second", created.work_order_id)
    (run,) = new_runs(cast)
    assert carried(run) == {newest}
    from_job(cast, flow, "First", created.work_order_id)
    assert new_runs(cast)[0].dataclip_id == created.dataclip_id


def test_18_69_its_input_is_that_of_the_newest_runs_step(cast: Cast, flow: MadeWorkflow) -> None:
    created, steps = ran(flow, "First")
    _, output = steps["First"]
    actor = cast.actor(cast.owner)
    again = workorders.retry_from_start(cast.project.id, created.work_order_id, actor=actor)
    workorders.claim_run(run_of(again).id)
    workorders.start_run(run_of(again).id)
    done_step(flow, again, "First", input_dataclip_id=output)
    workorders.complete_run(run_of(again).id, state="failed")
    from_job(cast, flow, "First", created.work_order_id)
    assert new_runs(cast)[0].dataclip_id == output


def test_18_70_a_newest_run_without_the_job_is_skipped(cast: Cast, flow: MadeWorkflow) -> None:
    created, _ = ran(flow, "First", "Second")
    actor = cast.actor(cast.owner)
    again = workorders.retry_from_start(cast.project.id, created.work_order_id, actor=actor)
    workorders.claim_run(run_of(again).id)
    workorders.start_run(run_of(again).id)
    done_step(flow, again, "First")
    workorders.complete_run(run_of(again).id, state="failed")
    answer = from_job(cast, flow, "Second", created.work_order_id)
    assert (answer.enqueued, answer.discarded) == (0, 0)


def test_18_71_steps_are_retried_in_the_order_given(cast: Cast, flow: MadeWorkflow) -> None:
    (one, first), (two, second) = ran(flow, "First", "Second"), ran(flow, "First", "Second")
    given = [(run_of(two).id, second["Second"][0]), (run_of(one).id, first["Second"][0])]
    actor = cast.actor(cast.editor)
    answer = workorders.retry_run_steps(cast.project.id, given, actor=actor)
    assert (answer.enqueued, answer.discarded) == (2, 0)
    assert [run.work_order_id for run in new_runs(cast)] == [two.work_order_id, one.work_order_id]
    assert [carried(run) for run in new_runs(cast)] == [{second["First"][0]}, {first["First"][0]}]
    from_job(cast, flow, "Second", two.work_order_id, one.work_order_id)


def test_10_4_what_cannot_be_retried_is_discarded(cast: Cast, flow: MadeWorkflow) -> None:
    created, steps = ran(flow, "First")
    given = [(run_of(created).id, steps["First"][0]), (run_of(created).id, uuid.uuid4())]
    actor = cast.actor(cast.editor)
    answer = workorders.retry_run_steps(cast.project.id, given, actor=actor)
    assert (answer.enqueued, answer.discarded) == (1, 1)
    assert workorders.retry_run_steps(cast.project.id, [], actor=actor).enqueued == 0


def test_18_72_the_limiter_is_asked_once_and_its_refusal_is_the_answer(
    cast: Cast, flow: MadeWorkflow, limited: list[int]
) -> None:
    (one, _), (two, _) = ran(flow, "First"), ran(flow, "First")
    limited.clear()
    with pytest.raises(TooMany, match="No room for 2 runs"):
        from_job(cast, flow, "First", one.work_order_id, two.work_order_id)
    shown = preview(cast)
    with pytest.raises(TooMany, match="No room for 2 runs"):
        start(cast, shown)
    assert limited == [2, 2]
    assert new_runs(cast) == []
    assert session().scalar(sa.select(sa.func.count(Operation.id))) == 0


def test_18_73_one_of_two_has_the_job(cast: Cast, flow: MadeWorkflow) -> None:
    (one, _), (two, _) = ran(flow, "First", "Second"), ran(flow, "First")
    answer = from_job(cast, flow, "Second", one.work_order_id, two.work_order_id)
    assert (answer.enqueued, answer.discarded) == (1, 0)


def test_18_76_a_rejected_one_and_a_wiped_one(cast: Cast, flow: MadeWorkflow) -> None:
    rejected = received(flow, runs_allowed=False)
    wiped = happen(flow, at=NOW, state="failed", wiped=True)
    session().commit()
    actor = cast.actor(cast.editor)
    ids = [rejected.work_order_id, wiped.id]
    enqueued, discarded, operation = workorders.retry_many_from_start(cast.project, ids, actor=actor)
    assert (enqueued, discarded) == (1, 1)
    assert operation is not None
    did(operation)
    assert order_of(rejected).state == "pending"
    assert workorders.retry_many_from_start(cast.project, [], actor=actor) == (0, 0, None)


def test_18_77_many_are_retried_in_batches_and_nothing_before(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_work, "BATCH", 100)
    ids = [each.id for each in many(flow, 101)]
    session().commit()
    batches: list[int] = []
    monkeypatch.setattr(
        bulk_work, "requeue", lambda *args, **more: batches.append(len(args[1])) or requeue(*args, **more)
    )
    from portal.workorders.requeue import requeue

    enqueued, discarded, operation = workorders.retry_many_from_start(
        cast.project, ids, actor=cast.actor(cast.editor)
    )
    assert (enqueued, discarded) == (101, 0)
    assert new_runs(cast) == []
    assert operation is not None
    did(operation)
    assert batches == [100, 1]
    assert len(new_runs(cast)) == 101


def test_bulk_from_a_job_carries_what_need_not_be_repeated(cast: Cast, flow: MadeWorkflow) -> None:
    (one, first), (two, second) = ran(flow, "First", "Second"), ran(flow, "First", "Second")
    shown = preview(cast, deed=Deed.RETRY_FROM_JOB, job_id=flow.jobs["Second"].id)
    operation = did(start(cast, shown))
    assert operation.result == {"done": 2, "skipped": {}}
    assert [run.work_order_id for run in new_runs(cast)] == [one.work_order_id, two.work_order_id]
    assert [carried(run) for run in new_runs(cast)] == [{first["First"][0]}, {second["First"][0]}]
