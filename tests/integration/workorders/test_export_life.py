"""How long exports are kept, and how they are removed (workorders §13.9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from portal import workorders
from portal.audit import AuditEvent
from portal.core import clock, storage
from portal.core.db import session
from portal.operations import turn
from portal.projects import Project, ProjectFile
from portal.workorders import SearchFilters
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_workflow

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def scene(committed: sa.orm.Session) -> tuple[Cast, MadeWorkflow]:
    """A cast and a workflow that other processes see too."""
    cast = Cast.make()
    flow = make_workflow(cast.project)
    committed.commit()
    return cast, flow


def ask(cast: Cast) -> ProjectFile:
    file = workorders.request_export(cast.project, SearchFilters(), actor=cast.actor(cast.owner))
    session().commit()
    return file


def fresh(file: ProjectFile) -> ProjectFile:
    found = session().get_one(ProjectFile, file.id, populate_existing=True)
    session().rollback()
    return found


def finished(cast: Cast) -> ProjectFile:
    file = ask(cast)
    assert turn.take(file.operation_id)
    return fresh(file)


def test_exports_are_kept_as_long_as_the_history_or_as_the_setting_says(
    scene: tuple[Cast, MadeWorkflow],
) -> None:
    """workorders §13.9"""
    cast, _ = scene
    with clock.frozen_at(NOW):
        assert finished(cast).expires_at == NOW + timedelta(days=30)
        session().get_one(Project, cast.project.id).history_retention_period = 7
        session().commit()
        assert finished(cast).expires_at == NOW + timedelta(days=7)


def test_what_is_over_its_time_is_removed_bytes_first_and_audited(scene: tuple[Cast, MadeWorkflow]) -> None:
    cast, _ = scene
    with clock.frozen_at(NOW):
        old = finished(cast)
        waiting = ask(cast)
    with clock.frozen_at(NOW + timedelta(days=1)):
        young = finished(cast)
    with clock.frozen_at(NOW + timedelta(days=30)):
        assert workorders.delete_expired_exports() == 1
        assert workorders.delete_expired_exports() == 0
    session().expire_all()
    assert {file.id for file in session().scalars(sa.select(ProjectFile))} == {waiting.id, young.id}
    assert not storage.exists(old.path or "")
    assert storage.exists(young.path or "")
    entry = session().scalars(sa.select(AuditEvent).where(AuditEvent.event == "deleted")).one()
    assert (entry.item_id, entry.details["file_id"]) == (cast.project.id, str(old.id))


def test_bytes_that_cannot_be_removed_keep_their_row(
    scene: tuple[Cast, MadeWorkflow], monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, _ = scene
    with clock.frozen_at(NOW):
        file = finished(cast)

    def refuse(key: str) -> None:
        raise PermissionError(key)

    with clock.frozen_at(NOW + timedelta(days=31)):
        with monkeypatch.context() as patched:
            patched.setattr(storage, "delete", refuse)
            assert workorders.delete_expired_exports() == 0
        assert session().get(ProjectFile, file.id, populate_existing=True) is not None
        assert workorders.delete_expired_exports() == 1
