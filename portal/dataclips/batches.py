"""Making many dataclips at once, for what is brought in rather than received."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal.core import db
from portal.core.errors import Invalid
from portal.core.text import N_
from portal.dataclips import inputs
from portal.dataclips.commands import TAKEN, WRAPPED
from portal.dataclips.models import DataclipType

_INSERT = sa.text("""
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:ids AS uuid[]), CAST(:projects AS uuid[]), CAST(:types AS text[]),
            CAST(:times AS timestamptz[]), CAST(:bodies AS text[]), CAST(:requests AS text[]))
            AS g (id, project_id, type, at, body, request)
    ), clips AS (
        INSERT INTO dataclips (id, project_id, type, inserted_at, updated_at)
        SELECT id, project_id, type, at, at FROM given
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO dataclip_bodies (dataclip_id, body, request)
    SELECT id, CAST(body AS jsonb) - 'configuration', CAST(request AS jsonb)
    FROM given JOIN clips USING (id)
    RETURNING dataclip_id
""")


@dataclass(frozen=True, slots=True)
class NewDataclip:
    """A dataclip that was made elsewhere or earlier, at `at` (aware)."""

    id: uuid.UUID
    project_id: uuid.UUID
    kind: DataclipType
    body: object
    at: datetime
    request: object | None = None


def create_many(clips: Sequence[NewDataclip]) -> None:
    """Store many dataclips with one statement, all or none; each as `create` would.

    Raises Invalid on `body`, `request` or `id` (one of them is taken), TooLarge.
    """
    if not clips:
        return
    if any(clip.request is not None and clip.kind not in WRAPPED for clip in clips):
        raise Invalid({"request": [N_("belongs only to what arrived from outside")]})
    values = {
        "ids": [clip.id for clip in clips],
        "projects": [clip.project_id for clip in clips],
        "types": [clip.kind.value for clip in clips],
        "times": [clip.at for clip in clips],
        "bodies": [inputs.body_text(clip.body) for clip in clips],
        "requests": [inputs.request_text(clip.request) for clip in clips],
    }
    with db.unit_of_work():
        if len(db.session().execute(_INSERT, values).all()) != len(clips):
            raise Invalid({"id": [TAKEN]})
