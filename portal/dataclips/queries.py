"""Reading dataclips. Bodies leave the database as text, never as Python objects."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal.core import db
from portal.core.errors import NotFound
from portal.dataclips.models import Dataclip

# §1.4: decoding and encoding again would cost many times the memory of the text.
_BODY_TEXT = sa.text("""
    SELECT CASE
        WHEN d.type IN ('http_request', 'kafka')
        THEN CAST(jsonb_build_object('data', b.body, 'request', b.request) AS text)
        ELSE coalesce(CAST(b.body AS text), 'null')
    END
    FROM dataclips d LEFT JOIN dataclip_bodies b ON b.dataclip_id = d.id
    WHERE d.id = :dataclip_id AND d.project_id = :project_id
""")


def get(project_id: uuid.UUID, dataclip_id: uuid.UUID) -> Dataclip:
    """The dataclip without its body. Raises NotFound, also for one of another project."""
    found = db.session().scalar(
        sa.select(Dataclip).where(Dataclip.id == dataclip_id, Dataclip.project_id == project_id)
    )
    if found is None:
        raise NotFound
    return found


def body_text(project_id: uuid.UUID, dataclip_id: uuid.UUID) -> str:
    """The body as JSON text, written by the database (dataclips-and-accounts §1.4).

    For http_request and kafka an object with `data` and `request` (both null when wiped);
    else the bare body, or `null`. Raises NotFound, also for one of another project.
    """
    text: str | None = db.session().scalar(_BODY_TEXT, {"dataclip_id": dataclip_id, "project_id": project_id})
    if text is None:
        raise NotFound
    return text


@dataclass(frozen=True, slots=True)
class Preview:
    """A dataclip for a viewer. `size` of the JSON text in bytes; `text` is indented, None when too large.

    A wiped one has neither size nor text.
    """

    id: uuid.UUID
    type: str
    name: str | None
    inserted_at: datetime
    wiped_at: datetime | None
    size: int | None
    text: str | None


# The materialized step keeps the database from writing a large body as text more than once.
_PREVIEW = sa.text("""
    WITH clip AS MATERIALIZED (
        SELECT d.id, d.type, d.name, d.inserted_at, d.wiped_at, b.dataclip_id IS NOT NULL AS stored, CASE
            WHEN d.type IN ('http_request', 'kafka')
            THEN jsonb_build_object('data', b.body, 'request', b.request) ELSE b.body
        END AS body
        FROM dataclips d LEFT JOIN dataclip_bodies b ON b.dataclip_id = d.id
        WHERE d.id = :dataclip_id AND d.project_id = :project_id
    ), sized AS MATERIALIZED (SELECT clip.*, octet_length(CAST(body AS text)) AS size FROM clip WHERE stored)
    SELECT clip.id, clip.type, clip.name, clip.inserted_at, clip.wiped_at, sized.size,
        CASE WHEN sized.size <= :most THEN jsonb_pretty(sized.body) END
    FROM clip LEFT JOIN sized ON sized.id = clip.id
""")


def preview(project_id: uuid.UUID, dataclip_id: uuid.UUID, *, most: int) -> Preview:
    """The dataclip with its body as indented JSON text, unless that takes more than `most` bytes.

    Large bodies never leave the database. Raises NotFound, also for one of another project.
    """
    values = {"dataclip_id": dataclip_id, "project_id": project_id, "most": most}
    row = db.session().execute(_PREVIEW, values).one_or_none()
    if row is None:
        raise NotFound
    return Preview(*row)
