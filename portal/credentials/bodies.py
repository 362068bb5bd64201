"""The values of credentials, one body for each environment (dataclips-and-accounts §4.1)."""

from __future__ import annotations

import uuid
from collections.abc import Collection

import sqlalchemy as sa

from portal import audit
from portal.core import clock, db
from portal.core.access import Actor
from portal.core.db import Json
from portal.core.ids import new_id
from portal.credentials import sealing
from portal.credentials.models import Credential, CredentialBody
from portal.credentials.secret_values import secrets_in

# The environment of projects that name none.
MAIN = "main"
_ANY = sa.text("SELECT EXISTS (SELECT FROM credential_bodies)")


def set_body(credential: Credential, environment: str, values: Json, *, actor: Actor) -> None:
    """Store the values for one environment, sealed; what was there before is gone.

    Audited as an update that names the environment, never a value. The caller has checked
    that the actor may. Raises Unavailable without a key.
    """
    with db.unit_of_work():
        db.lock(credential)
        row = db.session().scalar(
            sa.select(CredentialBody).filter_by(credential_id=credential.id, name=environment)
        )
        if row is None:
            row = CredentialBody(id=new_id(), credential_id=credential.id, name=environment)
            db.session().add(row)
        row.body, row.updated_at = sealing.seal(row.id, values), clock.now()
        db.session().flush()
        audit.record(
            "updated", "credential", credential.id, actor=actor, details={"environments": [environment]}
        )


def find_body(credential_id: uuid.UUID, environment: str) -> Json | None:
    """The values for one environment; None where there are none: no other environment steps in (§4.1).

    Raises Unavailable when they cannot be opened.
    """
    row = db.session().scalar(
        sa.select(CredentialBody).filter_by(credential_id=credential_id, name=environment)
    )
    return sealing.unseal(row.id, row.body) if row is not None else None


def any_bodies() -> bool:
    """Whether any credential has values at all; the cheapest question, for those who ask often."""
    return bool(db.session().scalar(_ANY))


def secrets_of(credential_ids: Collection[uuid.UUID], environment: str | None) -> list[str]:
    """What must not be shown of these credentials in one environment, the longest first (§1.11).

    Raises Unavailable when a body cannot be opened: rather nothing is shown than a secret.
    """
    found = {text for texts in secrets_by_credential(credential_ids, environment).values() for text in texts}
    return sorted(found, key=lambda text: (-len(text), text))


def secrets_by_credential(
    credential_ids: Collection[uuid.UUID], environment: str | None
) -> dict[uuid.UUID, list[str]]:
    """As `secrets_of`, apart for each credential that has a body there. One statement, none for none."""
    if not credential_ids:
        return {}
    rows = db.session().execute(
        sa.select(CredentialBody.credential_id, CredentialBody.id, CredentialBody.body).where(
            CredentialBody.credential_id.in_(credential_ids), CredentialBody.name == (environment or MAIN)
        )
    )
    return {row.credential_id: secrets_in(sealing.unseal(row.id, row.body)) for row in rows}
