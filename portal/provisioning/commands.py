"""Writing a project that was read from a spec: all of it, or nothing (projects-and-workflows §5.2)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from portal import credentials, projects, workflows
from portal.accounts import User
from portal.core import db
from portal.core.access import Actor
from portal.core.errors import Invalid
from portal.provisioning.conversion import new_workflow
from portal.provisioning.problems import Place, Problem
from portal.provisioning.spec_models import CredentialSpec, ProjectSpec, SpecReading
from portal.workflows import Graph, TriggerType


class SpecRefused(Invalid):
    """The document has problems, and nothing was written. `problems` holds all of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        fields: dict[str, list[str]] = {}
        for problem in problems:
            line = f" (line {problem.line})" if problem.line else ""
            fields.setdefault(problem.path, []).append(problem.message + line)
        super().__init__(fields)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Webhook:
    """The address of an imported webhook trigger. `path` is what follows the portal's own address."""

    workflow_id: uuid.UUID
    trigger_id: uuid.UUID
    enabled: bool

    @property
    def path(self) -> str:
        """Where to post (§3.9)."""
        return f"/i/{self.trigger_id}"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import has made, and what it left out or changed."""

    project: projects.Project
    workflows: tuple[workflows.Workflow, ...]
    webhooks: tuple[Webhook, ...]
    warnings: tuple[Problem, ...]


def import_project(reading: SpecReading, *, owner: User, actor: Actor) -> ImportResult:
    """Store a new project of `owner` with everything that `reading` holds, in one unit of work.

    A job keeps its credential when the spec names the owner's e-mail and the owner has one
    of that name; any other is left out with a warning, for an import must never hand out
    somebody else's secret. Raises SpecRefused when the reading has problems.
    """
    spec = reading.document
    if spec is None:
        raise SpecRefused(reading.problems)
    with db.unit_of_work():
        project = projects.create(_new_project(spec), owner=owner, actor=actor)
        usable, warnings = _credentials(spec, project, owner, actor)
        graphs = [
            workflows.create(project.id, new_workflow(workflow, usable), actor=actor)
            for workflow in spec.workflows
        ]
    return ImportResult(
        project=project,
        workflows=tuple(graph.workflow for graph in graphs),
        webhooks=tuple(hook for graph in graphs for hook in _webhooks(graph)),
        warnings=(*reading.warnings, *warnings),
    )


def _new_project(spec: ProjectSpec) -> projects.NewProject:
    given = {"description": spec.description, "color": spec.color, "env": spec.env}
    return projects.NewProject.model_validate(
        {"name": spec.name} | {key: value for key, value in given.items() if value is not None}
    )


def _credentials(
    spec: ProjectSpec, project: projects.Project, owner: User, actor: Actor
) -> tuple[dict[str, uuid.UUID], list[Problem]]:
    """Project credentials by the keys of the spec, and a warning for each that is left out."""
    mine = [wanted for wanted in spec.credentials if wanted.owner.casefold() == owner.email.casefold()]
    present = credentials.find_own(owner, {wanted.name for wanted in mine})
    usable: dict[str, uuid.UUID] = {}
    warnings = []
    for wanted in spec.credentials:
        if wanted in mine and wanted.name in present:
            usable[wanted.key] = credentials.add_to_project(present[wanted.name], project.id, actor=actor).id
        else:
            warnings.append(_left_out(wanted, owner))
    return usable, warnings


def _left_out(wanted: CredentialSpec, owner: User) -> Problem:
    place = Place("credentials", None).under(wanted.key, wanted.line)
    reason = f"{owner.email} has no credential {wanted.name!r}"
    if wanted.owner.casefold() != owner.email.casefold():
        reason = f"belongs to {wanted.owner}, not to {owner.email}"
    return Problem(place.path, place.line, f"{reason}; its jobs are left without a credential")


def _webhooks(graph: Graph) -> list[Webhook]:
    return [
        Webhook(graph.workflow.id, trigger.id, trigger.enabled)
        for trigger in graph.triggers
        if trigger.type is TriggerType.WEBHOOK
    ]
