"""A run as its executor sees it (workorders §5.6, §7)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from portal import dataclips, workorders
from portal.core import db
from portal.core.errors import Conflict, NotFound
from portal.credentials.models import Credential, ProjectCredential
from portal.dataclips.models import Dataclip
from portal.projects.models import RetentionPolicy
from portal.workflows.models import TriggerType
from portal.workorders import Priority, RunOptions, indexing
from portal.workorders.models import Run, RunSearch
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project, make_workflow
from tests.support.history import News, claimed, order_of, received, row, run_of


def keep_nothing(cast: Cast) -> None:
    cast.project.retention_policy = RetentionPolicy.ERASE_ALL
    db.session().commit()


def clip_of(created: workorders.Created) -> Dataclip:
    return row(Dataclip, created.dataclip_id)


def test_a_run_comes_with_the_graph_of_its_own_version(flow: MadeWorkflow) -> None:
    created = claimed(flow)
    flow.workflow.lock_version = 2
    db.session().commit()
    run = workorders.run_for_worker(run_of(created).id)
    assert (run.id, run.project_id, run.work_order_id, run.workflow_id) == (
        created.run_id,
        created.project_id,
        created.work_order_id,
        created.workflow_id,
    )
    assert (run.state, run.lock_version, run.start) == ("claimed", 1, flow.trigger.id)
    assert [job["name"] for job in run.jobs] == ["First", "Second", "Third"]
    assert [trigger["id"] for trigger in run.triggers] == [str(flow.trigger.id)]
    assert len(run.edges) == 3
    assert run.dataclip_id == created.dataclip_id


def test_a_run_of_a_person_starts_at_its_job(flow: MadeWorkflow, cast: Cast) -> None:
    job = flow.jobs["Second"]
    made = workorders.create_manual(
        cast.project.id, flow.id, job.id, actor=cast.actor(cast.editor), body="{}"
    )
    assert workorders.run_for_worker(run_of(made).id).start == job.id


def test_7_options_are_those_of_the_run_and_saving_is_called_output(flow: MadeWorkflow, cast: Cast) -> None:
    before = received(flow)
    keep_nothing(cast)
    after = received(flow)
    kept, erased = (workorders.run_options(run_of(each).id) for each in (before, after))
    assert (kept.save_dataclips, erased.save_dataclips) == (True, False)
    assert kept.for_worker() == {
        "run_timeout_ms": 300_000,
        "output_dataclips": True,
        "run_memory_limit_mb": None,
        "enable_job_logs": True,
    }


def test_7_without_options_a_run_has_the_systems(flow: MadeWorkflow) -> None:
    created = received(flow)
    db.session().execute(sa.update(Run).where(Run.id == created.run_id).values(options=None))
    assert workorders.run_options(run_of(created).id) == RunOptions(300_000, True, None, True)


def test_5_6_what_arrived_is_wrapped_and_anything_else_is_bare(flow: MadeWorkflow, cast: Cast) -> None:
    webhook = received(flow, {"a": 1}, request={"method": "POST"})
    cron = make_workflow(cast.project, trigger=TriggerType.CRON)
    bare = received(cron, {"b": 2})
    assert json.loads(workorders.run_input(run_of(webhook).id) or "") == {
        "data": {"a": 1},
        "request": {"method": "POST"},
    }
    assert json.loads(workorders.run_input(run_of(bare).id) or "") == {"b": 2}
    assert json.loads(workorders.run_body(run_of(webhook).id) or "") == {"a": 1}
    assert json.loads(workorders.run_request(run_of(webhook).id) or "") == {"method": "POST"}
    assert workorders.run_request(run_of(bare).id) is None


def test_numbers_reach_the_worker_to_the_last_digit(flow: MadeWorkflow) -> None:
    created = received(flow, '{"n": 12345678901234567890.10}')
    assert "12345678901234567890.10" in (workorders.run_input(run_of(created).id) or "")


def test_5_6_where_nothing_is_kept_the_input_is_wiped_when_it_was_read(
    flow: MadeWorkflow, cast: Cast, news: News
) -> None:
    keep_nothing(cast)
    created = received(flow, {"name": "Bukayo"})
    run_id = run_of(created).id
    workorders.index_due()
    assert words(run_id)
    news.heard()
    assert json.loads(workorders.read_input(run_id) or "")["data"] == {"name": "Bukayo"}
    assert clip_of(created).wiped_at is not None
    assert not words(run_id)
    assert news.heard() == [(f"run:{run_id}", "dataclip-updated", str(created.dataclip_id))]
    assert json.loads(workorders.read_input(run_id) or "") == {"data": None, "request": None}
    assert (workorders.run_body(run_id), workorders.run_request(run_id)) == (None, None)
    assert news.heard() == []


def words(run_id: uuid.UUID) -> bool:
    found = sa.select(sa.func.bool_or(sa.func.length(RunSearch.bodies) > 0)).where(RunSearch.run_id == run_id)
    return bool(db.session().scalar(found))


def test_5_6_wiping_and_forgetting_stand_or_fall_together(
    flow: MadeWorkflow, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_nothing(cast)
    created = received(flow)
    run_id = run_of(created).id

    def broken(_ids: object) -> None:
        raise RuntimeError("no luck")

    monkeypatch.setattr(indexing, "forget_bodies", broken)
    with pytest.raises(RuntimeError):
        workorders.read_input(run_id)
    assert clip_of(created).wiped_at is None
    assert workorders.run_body(run_id)


def test_5_6_what_is_kept_or_named_is_not_wiped(flow: MadeWorkflow, cast: Cast) -> None:
    kept = received(flow)
    assert not workorders.wipe_after_reading(run_of(kept).id)
    keep_nothing(cast)
    named = dataclips.create(cast.project.id, "saved_input", "{}", name="Keep me")
    created = workorders.create_for_trigger(flow.trigger.id, dataclip_id=named)
    assert not workorders.wipe_after_reading(run_of(created).id)
    assert row(Dataclip, named).wiped_at is None
    assert clip_of(kept).wiped_at is None


def test_a_run_reaches_the_credentials_of_its_own_version_and_no_other(
    flow: MadeWorkflow, cast: Cast
) -> None:
    session = db.session()
    mine, other = (Credential(name=name, schema="raw", user_id=cast.owner.id) for name in ("mine", "another"))
    session.add_all([mine, other])
    session.flush()
    shared, unused = (
        ProjectCredential(project_id=cast.project.id, credential_id=each.id) for each in (mine, other)
    )
    session.add_all([shared, unused])
    session.flush()
    jobs = [dict(job) for job in flow.snapshot.jobs]
    jobs[1]["project_credential_id"] = str(shared.id)
    flow.snapshot.jobs = jobs
    session.flush()
    run_id = run_of(received(flow)).id
    assert workorders.credential_of_run(run_id, mine.id).name == "mine"
    assert workorders.credential_of_run(run_id, shared.id).name == "mine"
    for stranger in (other.id, unused.id, uuid.uuid4()):
        with pytest.raises(NotFound):
            workorders.credential_of_run(run_id, stranger)


def test_a_run_that_waits_can_be_put_elsewhere_in_the_queue(flow: MadeWorkflow) -> None:
    slow, urgent = received(flow), received(flow)
    workorders.update_run(urgent.project_id, run_of(urgent).id, priority=Priority.IMMEDIATE, queue="fast")
    run = run_of(urgent)
    assert (run.priority, run.queue, run.state) == (0, "fast", "available")
    assert [each.id for each in workorders.claim(2)] == [urgent.run_id, slow.run_id]
    with pytest.raises(Conflict):
        workorders.update_run(urgent.project_id, run.id, queue="slow")
    with pytest.raises(NotFound):
        workorders.update_run(make_project().id, run.id, queue="slow")
    assert run_of(urgent).queue == "fast"


def test_many_runs_are_updated_where_they_wait_in_the_project_alone(flow: MadeWorkflow, news: News) -> None:
    waiting, held = received(flow), claimed(flow)
    foreign = received(make_workflow(make_project()))
    ids = [run_of(each).id for each in (waiting, held, foreign)]
    state = order_of(waiting).state
    news.heard()
    assert workorders.update_runs(waiting.project_id, ids, queue="night") == 1
    assert [run_of(each).queue for each in (waiting, held, foreign)] == ["night", "default", "default"]
    assert (order_of(waiting).state, news.events()) == (
        state,
        ["workorder-updated", "run-updated", "run-updated"],
    )


@pytest.mark.parametrize(
    "read",
    [
        workorders.run_for_worker,
        workorders.run_options,
        workorders.run_input,
        workorders.run_body,
        workorders.run_request,
        workorders.read_input,
        workorders.wipe_after_reading,
        workorders.project_of_run,
    ],
)
def test_an_unknown_run_is_not_found(db_session: sa.orm.Session, read: Callable[..., object]) -> None:
    with pytest.raises(NotFound):
        read(uuid.uuid4())
