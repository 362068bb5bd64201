"""Playing a worker and reading back what stands in the database."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from redis.client import PubSub

from portal import workorders
from portal.core.db import Base, session
from portal.core.errors import Invalid
from portal.workorders import Created
from portal.workorders.models import Run, Workorder
from tests.support.factories import MadeWorkflow

T = TypeVar("T", bound=Base)


def row(model: type[T], key: uuid.UUID | tuple[uuid.UUID, ...] | None) -> T:
    """The row as it is stored now."""
    found = session().get(model, key, populate_existing=True)
    assert found is not None
    return found


def run_of(created: Created) -> Run:
    """The run that was made."""
    return row(Run, created.run_id)


def order_of(created: Created) -> Workorder:
    """The work order that was made."""
    return row(Workorder, created.work_order_id)


def received(flow: MadeWorkflow, body: object = None, **more: Any) -> Created:
    """A work order as the workflow's trigger makes it; its run is available."""
    return workorders.create_for_trigger(flow.trigger.id, body=body or {"patient": "P-1"}, **more)


def claimed(flow: MadeWorkflow, body: object = None) -> Created:
    """A work order whose run a worker holds."""
    created = received(flow, body)
    assert workorders.claim_run(_run_id(created), "worker-1")
    return created


def started(flow: MadeWorkflow, body: object = None) -> Created:
    """A work order whose run works."""
    created = claimed(flow, body)
    workorders.start_run(_run_id(created))
    return created


def finished(flow: MadeWorkflow, state: str = "failed") -> Created:
    """A work order whose run has ended."""
    created = started(flow)
    workorders.complete_run(_run_id(created), state=state)
    return created


def step_of(flow: MadeWorkflow, created: Created, job: str, **more: Any) -> uuid.UUID:
    """A started step; its input is the run's unless another is given."""
    more.setdefault("input_dataclip_id", created.dataclip_id)
    return workorders.start_step(_run_id(created), uuid.uuid4(), flow.jobs[job].id, **more)


def done_step(flow: MadeWorkflow, created: Created, job: str, **more: Any) -> tuple[uuid.UUID, uuid.UUID]:
    """A step that ended well: its id and its output's."""
    step_id, output_id = step_of(flow, created, job, **more), uuid.uuid4()
    workorders.complete_step(
        _run_id(created),
        step_id,
        "success",
        output_dataclip=json.dumps({"from": job}),
        output_dataclip_id=output_id,
    )
    return step_id, output_id


def _run_id(created: Created) -> uuid.UUID:
    assert created.run_id is not None
    return created.run_id


def refusals(deed: Callable[[], object]) -> dict[str, list[str]]:
    """The problems by field that `deed` is refused with."""
    with pytest.raises(Invalid) as refused:
        deed()
    return {name: list(texts) for name, texts in refused.value.fields.items()}


class News:
    """What was told to other processes since the last look."""

    def __init__(self, subscription: PubSub) -> None:
        self._subscription = subscription

    def heard(self) -> list[tuple[str, str, str]]:
        """(topic, event, id) in the order of telling."""
        found = []
        while message := self._subscription.get_message(ignore_subscribe_messages=True, timeout=0.05):
            news = json.loads(message["data"])
            found.append((news["topic"], news["event"], news["id"]))
        return found

    def events(self) -> list[str]:
        """The names alone."""
        return [event for _topic, event, _item in self.heard()]
