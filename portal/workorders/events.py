"""The names of what happens to work orders, and who hears of it (workorders §17).

News says only that something changed; it leaves after the commit. Several lines
logged together are one piece of news, for it would only fetch the same fragment again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from portal.core.db import Unit
from portal.core.events import project_topic, publish, run_topic
from portal.core.listener import MOST_IDS

WORKORDER_CREATED = "workorder-created"
WORKORDER_UPDATED = "workorder-updated"
RUN_CREATED = "run-created"
RUN_UPDATED = "run-updated"
RUN_STOP_ASKED = "run-stop-asked"
STEP_STARTED = "step-started"
STEP_COMPLETED = "step-completed"
LOG_APPENDED = "log-appended"
DATACLIP_UPDATED = "dataclip-updated"
ERROR_GROUP_CHANGED = "error-group-changed"

_told: WeakKeyDictionary[Unit, set[tuple[str, str, uuid.UUID]]] = WeakKeyDictionary()


def _tell(unit: Unit, topic: str, event: str, item_id: uuid.UUID) -> None:
    """Once for each unit: the same news twice would say nothing more."""
    told = _told.setdefault(unit, set())
    if (topic, event, item_id) not in told:
        told.add((topic, event, item_id))
        unit.after_commit(publish, topic, event, item_id)


def to_project(unit: Unit, project_id: uuid.UUID, event: str, item_id: uuid.UUID) -> None:
    """Tell the project's topic of a work order or run, once `unit` is committed."""
    _tell(unit, project_topic(project_id), event, item_id)


def many_to_project(unit: Unit, project_id: uuid.UUID, event: str, item_ids: Sequence[uuid.UUID]) -> None:
    """Tell the project's topic of each item; of very many, only once that there were some.

    Listeners forget the names of more than that anyway, and then look at all they show.
    """
    if len(item_ids) > MOST_IDS:
        unit.after_commit(publish, project_topic(project_id), event)
        return
    for item_id in item_ids:
        to_project(unit, project_id, event, item_id)


def to_run(unit: Unit, run_id: uuid.UUID, event: str, item_id: uuid.UUID) -> None:
    """Tell one run's topic of a step, a log line or the run itself, once `unit` is committed."""
    _tell(unit, run_topic(run_id), event, item_id)


def run_changed(unit: Unit, project_id: uuid.UUID, work_order_id: uuid.UUID, run_id: uuid.UUID) -> None:
    """Tell that a run and with it its work order have a new state."""
    to_project(unit, project_id, WORKORDER_UPDATED, work_order_id)
    to_project(unit, project_id, RUN_UPDATED, run_id)
    to_run(unit, run_id, RUN_UPDATED, run_id)
