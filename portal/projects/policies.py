"""Who may do what in a project (projects-and-workflows §1.8). Subject: the actor's `Standing`."""

from __future__ import annotations

from dataclasses import dataclass

from portal.core.access import Actor, policy
from portal.projects.models import ProjectFile
from portal.projects.standing import EVERYONE, KEEPERS, Standing


@dataclass(frozen=True, slots=True)
class FileSteering:
    """Subject of what changes a stored file: the file, and the actor's standing in its project."""

    file: ProjectFile
    standing: Standing


@policy("projects:read")
def may_read(actor: Actor, standing: Standing) -> bool:
    """Every member, and support where the project lets it in."""
    return standing.has(EVERYONE)


@policy("projects:download_file")
def may_download_file(actor: Actor, standing: Standing) -> bool:
    """Everyone who may see the history may download its exports (workorders §13.10, §16)."""
    return standing.has(EVERYONE)


@policy("projects:steer_file")
def may_steer_file(actor: Actor, steering: FileSteering) -> bool:
    """Cancel, try again, remove: who asked for it, while in the project, and the project's keepers."""
    mine = steering.file.created_by_id == actor.id
    return steering.standing.has(EVERYONE if mine else KEEPERS)
