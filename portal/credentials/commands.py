"""Changes of credentials and of the projects that may use them."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from portal import audit
from portal.core import db
from portal.core.access import Actor
from portal.credentials.models import Credential, ProjectCredential


def add_to_project(credential: Credential, project_id: uuid.UUID, *, actor: Actor) -> ProjectCredential:
    """Let a project use a credential, which is audited (dataclips-and-accounts §3.3, §4.1).

    Answers the row that jobs point to; the present one when the project may use it already.
    The caller has checked that the actor may share this credential.
    """
    with db.unit_of_work():
        pair = {"credential_id": credential.id, "project_id": project_id}
        present = db.session().scalar(sa.select(ProjectCredential).filter_by(**pair))
        if present is not None:
            return present
        row = ProjectCredential(**pair)
        db.session().add(row)
        db.session().flush()
        audit.record(
            "added_to_project",
            "credential",
            credential.id,
            actor=actor,
            project_id=project_id,
            before={"project_id": None},
            after={"project_id": str(project_id)},
        )
    return row
