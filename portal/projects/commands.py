"""Changes of projects and members."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from portal import audit
from portal.accounts import User
from portal.core import db
from portal.core.access import Actor
from portal.core.errors import Invalid
from portal.core.text import N_
from portal.projects.inputs import NewProject
from portal.projects.models import Project, ProjectUser, Role


def create(new: NewProject, *, owner: User, actor: Actor, project_id: uuid.UUID | None = None) -> Project:
    """Create a root project with its owner (projects-and-workflows §1.1, §1.2).

    Root names may repeat. Raises Invalid on `id` when `project_id` is taken.
    """
    with db.unit_of_work():
        project = Project(**new.model_dump())
        if project_id is not None:
            if db.session().get(Project, project_id) is not None:
                raise Invalid({"id": [N_("has already been taken")]})
            project.id = project_id
        db.session().add(project)
        db.session().flush()
        db.session().add(ProjectUser(project_id=project.id, user_id=owner.id, role=Role.OWNER))
        db.session().flush()
        audit.record(
            "created",
            "project",
            project.id,
            actor=actor,
            project_id=project.id,
            after={"name": project.name, "owner": str(owner.id)},
        )
    return project


def add_member(project: Project, user: User, role: Role, *, actor: Actor) -> ProjectUser:
    """Give a person a role in a project, which is audited (projects-and-workflows §1.2).

    Raises Invalid on `user` for someone who is a member, on `owner` for a second owner.
    """
    with db.unit_of_work():
        db.lock(project)
        present = _roles(project.id)
        if user.id in present:
            raise Invalid({"user": [N_("user already a member of this project.")]})
        if role is Role.OWNER and Role.OWNER in present.values():
            raise Invalid({"owner": [N_("project can have only one owner")]})
        member = ProjectUser(project_id=project.id, user_id=user.id, role=role)
        db.session().add(member)
        _flush_member()
        audit.record(
            "collaborator_added",
            "project",
            project.id,
            actor=actor,
            project_id=project.id,
            after={"user_id": str(user.id), "role": str(role)},
        )
    return member


def _roles(project_id: uuid.UUID) -> dict[uuid.UUID, Role]:
    rows = db.session().execute(
        sa.select(ProjectUser.user_id, ProjectUser.role).where(ProjectUser.project_id == project_id)
    )
    return dict(row.tuple() for row in rows)


def _flush_member() -> None:
    try:
        db.session().flush()
    except IntegrityError as clash:
        raise Invalid({"user": [N_("user already a member of this project.")]}) from clash
