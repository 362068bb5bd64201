"""Credentials with values for tests, and workflows whose jobs use them."""

from __future__ import annotations

import base64
from typing import Any

from portal import credentials
from portal.accounts import User
from portal.core.access import Actor
from portal.core.db import session
from portal.credentials.models import Credential, ProjectCredential
from portal.workorders import step_secrets
from tests.support.factories import MadeWorkflow

USERNAME, PASSWORD = "canary-user-7f3a", 'canary"pass\\word ü 91c2'
VALUES = {"username": USERNAME, "password": PASSWORD, "pin": 48151623, "hostUrl": "https://target.example"}


def coded(text: str) -> str:
    """In base64, as people and libraries write it."""
    return base64.b64encode(text.encode()).decode()


# What must be found nowhere; of the password a piece that survives every way of writing it.
CANARIES = (
    USERNAME,
    'canary"pass',
    'canary\\"pass',
    "48151623",
    coded(USERNAME),
    coded(f"{USERNAME}:{PASSWORD}"),
)


def lend(
    flow: MadeWorkflow,
    job: str,
    owner: User,
    *,
    environment: str = "main",
    values: dict[str, Any] | None = None,
) -> Credential:
    """A credential with a body for the environment, used by `job` in the workflow's present version."""
    made = Credential(name=f"vault of {job}", schema="raw", user_id=owner.id)
    session().add(made)
    session().flush()
    link = ProjectCredential(project_id=flow.workflow.project_id, credential_id=made.id)
    session().add(link)
    session().flush()
    flow.snapshot.jobs = [
        each | {"project_credential_id": str(link.id)} if each["name"] == job else each
        for each in flow.snapshot.jobs
    ]
    session().flush()
    credentials.set_body(made, environment, VALUES if values is None else values, actor=Actor(id=owner.id))
    step_secrets.forget()
    return made
