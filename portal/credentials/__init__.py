"""Credentials and the projects that may use them."""

from portal.credentials.commands import add_to_project
from portal.credentials.models import Credential, ProjectCredential
from portal.credentials.queries import find_own

__all__ = ["Credential", "ProjectCredential", "add_to_project", "find_own"]
