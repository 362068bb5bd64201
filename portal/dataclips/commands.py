"""Making and wiping dataclips (dataclips-and-accounts §1.3, §1.9)."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa

from portal.core import clock, db
from portal.core.errors import Invalid
from portal.core.ids import new_id
from portal.core.text import N_
from portal.dataclips import inputs
from portal.dataclips.models import Dataclip, DataclipBody, DataclipType

WRAPPED = (DataclipType.HTTP_REQUEST, DataclipType.KAFKA)
TAKEN = N_("has already been taken")

# The database parses the text itself, and so keeps every digit. One statement: webhooks wait for it.
_INSERT = sa.text("""
    WITH clip AS (
        INSERT INTO dataclips (id, project_id, type, name, inserted_at, updated_at)
        VALUES (:id, :project_id, :type, :name, :now, :now)
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO dataclip_bodies (dataclip_id, body, request)
    SELECT id, CAST(:body AS jsonb) - 'configuration', CAST(:request AS jsonb) FROM clip
    RETURNING dataclip_id
""")
_INSERT_WIPED = sa.text("""
    INSERT INTO dataclips (id, project_id, type, wiped_at, inserted_at, updated_at)
    VALUES (:id, :project_id, :type, :wiped_at, :now, :now)
    ON CONFLICT DO NOTHING
    RETURNING id
""")


def create(
    project_id: uuid.UUID,
    kind: DataclipType | str,
    body: object,
    *,
    request: object | None = None,
    dataclip_id: uuid.UUID | None = None,
    name: str | None = None,
) -> uuid.UUID:
    """Store one JSON object and answer its id (dataclips-and-accounts §1.3).

    `body` is JSON text or a dict; text is stored digit for digit. A top-level key
    `configuration` is dropped; nested ones stay. `request` (a dict) goes with
    http_request and kafka only. `dataclip_id` is one that a worker chose. Raises Invalid on
    `body`, `request`, `type`, `name` (taken in this project) or `id` (taken), TooLarge above
    `limits().dataclip_bytes`.
    """
    clip_type = _type(kind)
    if request is not None and clip_type not in WRAPPED:
        raise Invalid({"request": [N_("belongs only to what arrived from outside")]})
    values = {
        "id": dataclip_id or new_id(),
        "project_id": project_id,
        "type": clip_type.value,
        "name": inputs.clean_name(name),
        "body": inputs.body_text(body),
        "request": inputs.request_text(request),
        "now": clock.now(),
    }
    with db.unit_of_work():
        stored: uuid.UUID | None = db.session().scalar(_INSERT, values)
        if stored is None:
            raise Invalid({_taken_field(project_id, values["name"]): [TAKEN]})
    return stored


def create_wiped(
    project_id: uuid.UUID, kind: DataclipType | str, *, dataclip_id: uuid.UUID | None = None
) -> uuid.UUID:
    """Store a dataclip that never had content, for projects that keep none (workorders §8.4.4).

    `wiped_at` is now, in whole seconds. Raises Invalid on `id` when it is taken.
    """
    now = clock.now()
    values = {
        "id": dataclip_id or new_id(),
        "project_id": project_id,
        "type": _type(kind).value,
        "wiped_at": now.replace(microsecond=0),
        "now": now,
    }
    with db.unit_of_work():
        stored: uuid.UUID | None = db.session().scalar(_INSERT_WIPED, values)
        if stored is None:
            raise Invalid({"id": [TAKEN]})
    return stored


def wipe(project_id: uuid.UUID, dataclip_id: uuid.UUID) -> datetime | None:
    """Erase body and request for good; row, type and references stay (dataclips-and-accounts §1.9).

    Answers the moment of wiping (whole seconds), or None when nothing was wiped: the
    dataclip is named, global, wiped already or not of this project. That is no error.
    """
    now = clock.now()
    with db.unit_of_work():
        wiped_at: datetime | None = db.session().scalar(
            sa.update(Dataclip)
            .where(
                Dataclip.id == dataclip_id,
                Dataclip.project_id == project_id,
                Dataclip.type != DataclipType.GLOBAL,
                Dataclip.name.is_(None),
                Dataclip.wiped_at.is_(None),
            )
            .values(wiped_at=now.replace(microsecond=0), updated_at=now)
            .returning(Dataclip.wiped_at)
        )
        if wiped_at is not None:
            db.session().execute(sa.delete(DataclipBody).where(DataclipBody.dataclip_id == dataclip_id))
    return wiped_at


def _type(kind: DataclipType | str) -> DataclipType:
    try:
        return DataclipType(kind)
    except ValueError as error:
        raise Invalid({"type": [N_("is invalid")]}) from error


def _taken_field(project_id: uuid.UUID, name: object) -> str:
    """Which unique value refused the row: the name if somebody in the project has it, else the id."""
    if name is None:
        return "id"
    taken = sa.exists().where(Dataclip.project_id == project_id, Dataclip.name == name)
    return "name" if db.session().scalar(sa.select(taken)) else "id"
