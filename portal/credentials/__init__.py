"""Credentials and the projects that may use them."""

from portal.credentials.bodies import any_bodies, find_body, secrets_by_credential, secrets_of, set_body
from portal.credentials.commands import add_to_project
from portal.credentials.models import Credential, ProjectCredential
from portal.credentials.queries import find_own
from portal.credentials.sealing import configure, seal, unseal

__all__ = [
    "Credential",
    "ProjectCredential",
    "add_to_project",
    "any_bodies",
    "configure",
    "find_body",
    "find_own",
    "seal",
    "secrets_by_credential",
    "secrets_of",
    "set_body",
    "unseal",
]
