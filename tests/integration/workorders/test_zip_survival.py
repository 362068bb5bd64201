"""A ZIP export survives lost workers, lost files and full disks (reliability §1, §2)."""

from __future__ import annotations

import os
import resource
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import operations, workorders
from portal.core import clock, storage
from portal.core.db import session
from portal.core.errors import Unavailable
from portal.operations import Operation, turn
from portal.projects import FileStatus, ProjectFile
from portal.workorders import ExportFormat, SearchFilters, export_files, jobs, zip_export
from tests.support.archives import verified
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_workflow
from tests.support.past import happen
from tests.support.processes import Forked, crash_at_every_statement, end_lease, eventually, worker

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Scene = tuple[Cast, MadeWorkflow]


@pytest.fixture
def scene(committed: sa.orm.Session) -> Scene:
    """A cast and a workflow that other processes see too."""
    cast = Cast.make()
    flow = make_workflow(cast.project)
    committed.commit()
    return cast, flow


def past(flow: MadeWorkflow, number: int, **more: object) -> None:
    for n in range(number):
        happen(flow, at=NOW - timedelta(minutes=n), logs=[f"line {n}"], steps=[{"visit": n}], **more)
    session().commit()


def ask(cast: Cast) -> ProjectFile:
    """At one moment always, so that all archives of the same rows are the same."""
    with clock.frozen_at(NOW + timedelta(days=1)):
        file = workorders.request_export(
            cast.project, SearchFilters(), actor=cast.actor(cast.owner), format=ExportFormat.ZIP
        )
    session().commit()
    return file


def fresh(file: ProjectFile) -> ProjectFile:
    found = session().get_one(ProjectFile, file.id, populate_existing=True)
    session().rollback()
    return found


def content(file: ProjectFile) -> bytes:
    with storage.open_for_read(fresh(file).path or "") as stream:
        return stream.read()


def left(file: ProjectFile) -> set[str]:
    return {suffix for suffix in export_files.SUFFIXES if storage.exists(export_files.key(file, suffix))}


def done_of(file: ProjectFile) -> int:
    done = session().scalar(sa.select(Operation.done).where(Operation.id == file.operation_id))
    session().rollback()
    return done or 0


@pytest.mark.slow
def test_zip_crash_every_statement(scene: Scene, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    cast, flow = scene
    monkeypatch.setattr(zip_export, "BATCH", 2)
    monkeypatch.setattr(zip_export, "BODIES", 2)
    past(flow, 3)
    undisturbed = ask(cast)
    turn.take(undisturbed.operation_id)
    wanted, entries = content(undisturbed), entries_of(undisturbed)

    def check(operation: Operation) -> None:
        file = session().get_one(ProjectFile, uuid.UUID(operation.arguments["file_id"]))
        assert (file.status, file.rows) == (FileStatus.COMPLETED, 3)
        assert entries_of(file) == entries
        assert content(file) == wanted
        assert left(file) == {"zip"}

    def make() -> Operation:
        return session().get_one(Operation, ask(cast).operation_id)

    assert crash_at_every_statement(app, make, check) > 20


def test_kill_9_in_the_middle_leaves_one_whole_archive(
    scene: Scene, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, flow = scene
    monkeypatch.setattr(zip_export, "BATCH", 2)
    past(flow, 30)
    plain = ask(cast)
    turn.take(plain.operation_id)
    batch = zip_export._row_batch

    def slowly(work: object, ids: list[str]) -> None:
        time.sleep(0.02)
        batch(work, ids)  # type: ignore[arg-type]

    monkeypatch.setattr(zip_export, "_row_batch", slowly)
    file = ask(cast)
    first = worker(app)
    eventually(lambda: done_of(file) >= 4)
    first.kill()
    assert 4 <= done_of(file) < 30
    assert (fresh(file).rows or 0) >= 4
    end_lease(file.operation_id)
    operations.sweep()
    second = worker(app)
    eventually(lambda: fresh(file).status == FileStatus.COMPLETED)
    second.kill()
    assert content(file) == content(plain)


def test_an_assembly_that_was_interrupted_begins_the_assembly_again(
    scene: Scene, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, flow = scene
    past(flow, 4)
    plain, file = ask(cast), ask(cast)
    turn.take(plain.operation_id)
    with monkeypatch.context() as patched:
        patched.setattr(zip_export.ZipWriter, "close", lambda _: os._exit(3))
        assert Forked(app, lambda: turn.take(file.operation_id)).wait() == 3
    end_lease(file.operation_id)
    operations.sweep()
    with monkeypatch.context() as patched:
        patched.setattr(zip_export, "_row_batch", None)
        patched.setattr(zip_export, "_body_batch", None)
        assert turn.take(file.operation_id)
    assert content(file) == content(plain)


def test_lost_parts_are_written_anew(scene: Scene, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    cast, flow = scene
    past(flow, 4)
    plain, file = ask(cast), ask(cast)
    turn.take(plain.operation_id)
    with monkeypatch.context() as patched:
        patched.setattr(zip_export.ZipWriter, "close", lambda _: os._exit(3))
        Forked(app, lambda: turn.take(file.operation_id)).wait()
    storage.delete(export_files.key(file, "runs"))
    end_lease(file.operation_id)
    operations.sweep()
    assert turn.take(file.operation_id)
    assert content(file) == content(plain)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 20,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("format_", ExportFormat)
def test_export_disk_full(scene: Scene, small_disk: None, format_: ExportFormat) -> None:
    """reliability §2: a plain reason, no byte left behind; with room again, another attempt succeeds."""
    cast, flow = scene
    past(flow, 300)
    actor = cast.actor(cast.owner)
    file = workorders.request_export(cast.project, SearchFilters(), actor=actor, format=format_)
    session().commit()
    turn.take(file.operation_id)
    found = fresh(file)
    assert (found.status, found.error) == (FileStatus.FAILED, jobs.NO_ROOM)
    assert (found.size, found.rows, found.path) == (None, None, None)
    assert left(file) == set()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
    workorders.retry_export(cast.project.id, file.id, actor=actor)
    assert fresh(file).status == FileStatus.ENQUEUED
    assert turn.take(file.operation_id)
    assert (fresh(file).rows, fresh(file).error) == (300, None)


def test_cancelling_under_way_removes_what_was_written(
    scene: Scene, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, flow = scene
    past(flow, 6)
    monkeypatch.setattr(zip_export, "BATCH", 2)
    batch = zip_export._row_batch

    def meddle(work: object, ids: list[str]) -> None:
        workorders.cancel_export(cast.project.id, file.id, actor=cast.actor(cast.owner))
        session().commit()
        batch(work, ids)  # type: ignore[arg-type]

    monkeypatch.setattr(zip_export, "_row_batch", meddle)
    file = ask(cast)
    turn.take(file.operation_id)
    assert (fresh(file).status, fresh(file).error) == (FileStatus.FAILED, "Cancelled.")
    assert left(file) == set()


def test_a_worker_that_was_only_paused_does_not_write_into_its_successors_file(
    scene: Scene, app: Flask
) -> None:
    key = f"exports/{uuid.UUID(int=1)}.zip"

    def hold() -> None:
        with storage.open_for_append(key, keep=0) as stream:
            stream.write(b"half a batch")
            stream.flush()
            time.sleep(30)

    paused = Forked(app, hold)
    eventually(lambda: storage.exists(key) and storage.size(key) > 0)
    with pytest.raises(Unavailable):
        storage.open_for_append(key, keep=0)
    assert storage.size(key) == len(b"half a batch")
    paused.kill()
    storage.open_for_append(key, keep=0).close()
    storage.delete(key)


def test_memory_stays_flat(scene: Scene, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive of eight times the work orders, with logs of some megabytes, takes no more memory."""
    monkeypatch.setattr(zip_export, "BATCH", 20)
    cast, flow = scene
    text = "0123456789abcdef" * 4000

    def peak() -> int:
        file = ask(cast)

        def run() -> None:
            turn.take(file.operation_id)
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            os.write(writing, str(own).encode())

        reading, writing = os.pipe()
        assert Forked(app, run).wait(60) == 0
        found = int(os.read(reading, 40))
        verified(storage_path(file))
        return found

    for n in range(20):
        happen(flow, at=NOW - timedelta(minutes=n), logs=[text] * 4, steps=[{"text": text}])
    session().commit()
    few = peak()
    for n in range(140):
        happen(flow, at=NOW - timedelta(hours=n), logs=[text] * 4, steps=[{"text": text}])
    session().commit()
    assert peak() < few + 8_000


def entries_of(file: ProjectFile) -> dict[str, bytes]:
    return verified(storage_path(file))[2]


def storage_path(file: ProjectFile) -> str:
    return str(storage._locate(fresh(file).path or ""))
