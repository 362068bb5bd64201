"""What an actor is in a project, looked up once and judged by pure policies (projects-and-workflows §1.8)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from portal.accounts import User
from portal.core import db
from portal.core.access import Actor
from portal.core.errors import NotFound
from portal.projects.models import Project, ProjectUser, Role

SUPPORT = "support"
EVERYONE = frozenset({Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER, SUPPORT})
MAKERS = frozenset({Role.EDITOR, Role.ADMIN, Role.OWNER, SUPPORT})
KEEPERS = frozenset({Role.ADMIN, Role.OWNER})


@dataclass(frozen=True, slots=True)
class Standing:
    """An actor's role in a project: a member's role, or `support` where the project lets support in.

    A membership always wins over support access. Being superuser gives no standing.
    """

    project: Project
    role: str
    mfa_enabled: bool

    def has(self, roles: Collection[str]) -> bool:
        """Whether the role is among `roles`, the project is not winding down, and its MFA rule is met."""
        closed = self.project.scheduled_deletion is not None
        lacks_mfa = self.project.requires_mfa and not self.mfa_enabled
        return self.role in roles and not closed and not lacks_mfa


def standing(actor: Actor, project_id: uuid.UUID) -> Standing:
    """The actor's standing in the project, read anew.

    Raises NotFound for an unknown project and for a stranger alike, so that
    nobody learns which projects exist.
    """
    row = (
        db.session()
        .execute(
            sa.select(Project, ProjectUser.role, User.mfa_enabled)
            .select_from(Project)
            .join(User, User.id == actor.id)
            .outerjoin(
                ProjectUser, (ProjectUser.project_id == Project.id) & (ProjectUser.user_id == actor.id)
            )
            .where(Project.id == project_id)
        )
        .one_or_none()
    )
    if row is None:
        raise NotFound
    project, mfa_enabled = row[0], row[2]
    member_role: Role | None = row[1]
    if member_role is not None:
        return Standing(project, str(member_role), mfa_enabled)
    if actor.is_support and project.allow_support_access:
        return Standing(project, SUPPORT, mfa_enabled)
    raise NotFound
