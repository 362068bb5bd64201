"""Reading projects and members."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from portal.accounts import User
from portal.core import db
from portal.core.access import Actor
from portal.core.errors import NotFound
from portal.projects.models import Project, ProjectUser
from portal.projects.standing import SUPPORT


@dataclass(frozen=True, slots=True)
class Membership:
    """A project as it stands in a person's list."""

    id: uuid.UUID
    name: str
    description: str | None
    color: str | None
    env: str | None
    role: str


def list_for(actor: Actor) -> list[Membership]:
    """The root projects of a person by name, scheduled ones left out (projects-and-workflows §1.3).

    A support user also gets roots that allow support access; a membership wins over that.
    """
    role = sa.case((ProjectUser.role.is_(None), SUPPORT), else_=sa.cast(ProjectUser.role, sa.Text))
    mine = ProjectUser.role.is_not(None)
    rows = db.session().execute(
        sa.select(
            Project.id, Project.name, Project.description, Project.color, Project.env, role.label("role")
        )
        .outerjoin(ProjectUser, (ProjectUser.project_id == Project.id) & (ProjectUser.user_id == actor.id))
        .where(Project.parent_id.is_(None), Project.scheduled_deletion.is_(None))
        .where(sa.or_(mine, Project.allow_support_access) if actor.is_support else mine)
        .order_by(Project.name, Project.id)
    )
    return [Membership(*row) for row in rows]


def open_to_member(actor: Actor) -> list[uuid.UUID]:
    """The projects, sandboxes too, that the actor is a member of and may look into (workorders §15).

    Left out are those that wind down, and those that ask for a second factor the actor lacks.
    """
    return list(
        db.session().scalars(
            sa.select(ProjectUser.project_id)
            .join(Project, Project.id == ProjectUser.project_id)
            .join(User, User.id == ProjectUser.user_id)
            .where(ProjectUser.user_id == actor.id, Project.scheduled_deletion.is_(None))
            .where(sa.or_(~Project.requires_mfa, User.mfa_enabled))
            .order_by(ProjectUser.project_id)
        )
    )


def get(project_id: uuid.UUID) -> Project:
    """The project. Raises NotFound."""
    project = db.session().get(Project, project_id)
    if project is None:
        raise NotFound
    return project


def list_all() -> list[Project]:
    """Every project, by name: for operators at the command line."""
    return list(db.session().scalars(sa.select(Project).order_by(Project.name, Project.id)))


def members_of(project_id: uuid.UUID) -> list[tuple[ProjectUser, User]]:
    """The members of a project by first name."""
    rows = db.session().execute(
        sa.select(ProjectUser, User)
        .join(User, User.id == ProjectUser.user_id)
        .where(ProjectUser.project_id == project_id)
        .order_by(User.first_name, User.id)
    )
    return [(row[0], row[1]) for row in rows]
