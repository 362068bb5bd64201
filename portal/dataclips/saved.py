"""Inputs that people kept: named dataclips, and what was typed for a run by hand."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal.core import db

MOST_SHOWN = 20
LONGEST_FIND = 200

# As the partial index says it, so that a project with millions of bodies is not walked through.
_SAVED = sa.text("""
    SELECT id, type, name, inserted_at FROM dataclips
    WHERE project_id = :project_id AND (name IS NOT NULL OR type = 'saved_input') AND wiped_at IS NULL
      AND (CAST(:pattern AS text) IS NULL OR name ILIKE :pattern)
    ORDER BY inserted_at DESC, id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class SavedInput:
    """A dataclip that may be run again; `inserted_at` is when it was stored."""

    id: uuid.UUID
    type: str
    name: str | None
    inserted_at: datetime


def list_saved(project_id: uuid.UUID, find: str = "", limit: int = MOST_SHOWN) -> list[SavedInput]:
    """The project's named dataclips and typed inputs that are not wiped, newest first.

    With `find`, those whose name holds it, whatever its case.
    """
    typed = find.replace("\x00", "").strip()[:LONGEST_FIND]
    safe = typed.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    values = {"project_id": project_id, "pattern": f"%{safe}%" if safe else None, "limit": limit}
    return [SavedInput(*row) for row in db.session().execute(_SAVED, values)]
