"""Who may do what with history (workorders §16)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

import portal.dataclips
import portal.workorders  # noqa: F401 - registers the permissions
from portal.core.access import Actor, allows
from portal.projects import SUPPORT, Project, Role, Standing

ACTOR = Actor(id=uuid.UUID(int=1))
READING = ("workorders:read", "workorders:export", "dataclips:read")
MAKING = ("workorders:run", "workorders:retry", "workorders:cancel")


def standing(role: str, **project: Any) -> Standing:
    return Standing(Project(name="p", **({"requires_mfa": False} | project)), role, False)


@pytest.mark.parametrize("role", [*Role, SUPPORT])
def test_16_everyone_in_the_project_reads_and_exports(role: str) -> None:
    assert all(allows(name, ACTOR, standing(role)) for name in READING)


@pytest.mark.parametrize("role", [*Role, SUPPORT])
def test_16_only_viewers_may_not_run_retry_or_cancel(role: str) -> None:
    allowed = {allows(name, ACTOR, standing(role)) for name in MAKING}
    assert allowed == {role != Role.VIEWER}


@pytest.mark.parametrize("name", [*READING, *MAKING])
def test_16_a_project_that_is_winding_down_refuses_everyone(name: str) -> None:
    closing = datetime(2026, 12, 1, tzinfo=UTC)
    assert not allows(name, ACTOR, standing(Role.OWNER, scheduled_deletion=closing))
    assert not allows(name, ACTOR, standing(Role.OWNER, requires_mfa=True))
    assert not allows(name, None, standing(Role.OWNER))
