"""Reading dataclips. Bodies leave the database as text, never as Python objects."""

from __future__ import annotations

import uuid

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
