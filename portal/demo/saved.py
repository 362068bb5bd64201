"""Views of the history that a project's people share: what they look at each morning."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from portal import projects, workorders
from portal.core.access import Actor

TROUBLE = "state=failed&state=crashed&state=killed&state=exception&state=lost"
# For every demo project.
VIEWS = {
    "Needs attention": TROUBLE,
    "Time-outs": "q=timeout&in=log",
    "Under way": "state=pending&state=running",
}


def save_views(project_ids: Iterable[uuid.UUID], actor: Actor) -> None:
    """Share the views with each project, by the command that people use."""
    for project_id in sorted(set(project_ids)):
        project = projects.get(project_id)
        for name, filters in VIEWS.items():
            new = workorders.NewView.model_validate({"name": name, "shared": True, "filters": filters})
            workorders.create_view(project, new, actor=actor)
