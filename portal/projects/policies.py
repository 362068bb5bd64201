"""Who may do what in a project (projects-and-workflows §1.8). Subject: the actor's `Standing`."""

from __future__ import annotations

from portal.core.access import Actor, policy
from portal.projects.standing import EVERYONE, Standing


@policy("projects:read")
def may_read(actor: Actor, standing: Standing) -> bool:
    """Every member, and support where the project lets it in."""
    return standing.has(EVERYONE)


@policy("projects:download_file")
def may_download_file(actor: Actor, standing: Standing) -> bool:
    """Everyone who may see the history may download its exports (workorders §13.10, §16)."""
    return standing.has(EVERYONE)
