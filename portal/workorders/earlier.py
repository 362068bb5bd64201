"""Inputs that a job ran with before, to run it by hand with one of them again (workorders §5.2)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal.core import db

MOST_SHOWN = 10
LOOKED_AT = 50

# Only the work orders that were active last are looked through, however long the history is.
_EARLIER = sa.text("""
    WITH lately AS (
        SELECT id, dataclip_id, trigger_id, inserted_at, state FROM work_orders
        WHERE workflow_id = :workflow_id AND project_id = :project_id
        ORDER BY last_activity DESC, id DESC LIMIT :looked_at
    ), given AS (
        SELECT l.dataclip_id, l.inserted_at, l.state FROM lately l
        JOIN edges e ON e.source_trigger_id = l.trigger_id AND e.target_job_id = :job_id
        UNION ALL
        SELECT r.dataclip_id, r.inserted_at, l.state FROM lately l
        JOIN runs r ON r.work_order_id = l.id AND r.starting_job_id = :job_id
        UNION ALL
        SELECT s.input_dataclip_id, s.started_at, l.state FROM lately l
        JOIN runs r ON r.work_order_id = l.id
        JOIN run_steps rs ON rs.run_id = r.id
        JOIN steps s ON s.id = rs.step_id AND s.job_id = :job_id
    ), newest AS (
        SELECT DISTINCT ON (dataclip_id) dataclip_id, inserted_at, state FROM given
        ORDER BY dataclip_id, inserted_at DESC
    )
    SELECT d.id, d.type, d.name, n.inserted_at AS used_at, n.state
    FROM newest n JOIN dataclips d ON d.id = n.dataclip_id AND d.wiped_at IS NULL
    ORDER BY n.inserted_at DESC, d.id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class EarlierInput:
    """A dataclip that the job had as input; `used_at` when last, and what became of that work order."""

    id: uuid.UUID
    type: str
    name: str | None
    used_at: datetime
    state: str


def earlier_inputs(
    project_id: uuid.UUID, workflow_id: uuid.UUID, job_id: uuid.UUID, limit: int = MOST_SHOWN
) -> list[EarlierInput]:
    """What the job ran with in the 50 work orders of its workflow that were active last; newest first.

    Each input once; wiped ones are left out.
    """
    values = {"project_id": project_id, "workflow_id": workflow_id, "job_id": job_id}
    found = db.session().execute(_EARLIER, {**values, "limit": limit, "looked_at": LOOKED_AT})
    return [EarlierInput(*row) for row in found]
