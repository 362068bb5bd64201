"""Where the demo plays: the projects made from the specs, and the ids that its workflows were given."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources

from portal import projects, provisioning, workflows
from portal.accounts import User
from portal.core.access import Actor
from portal.core.errors import Conflict
from portal.core.text import N_
from portal.demo.flows import Flow

LOADED = N_("The demo projects are here already; nothing was loaded.")
SPECS = ("clinic", "stock", "referrals")


@dataclass(frozen=True, slots=True)
class Stage:
    """One workflow of the demo: ids of its project, trigger and jobs; its named inputs as they are made."""

    project_id: uuid.UUID
    workflow_id: uuid.UUID
    trigger_id: uuid.UUID
    jobs: Mapping[str, uuid.UUID]
    named: dict[str, uuid.UUID] = field(default_factory=dict)


def refuse_twice() -> None:
    """Raise Conflict when a project carries the name of a demo project."""
    present = {project.name for project in projects.list_all()}
    if present & {_name(reading) for reading in map(_read, SPECS)}:
        raise Conflict(LOADED)


def build(flows: Iterable[Flow], *, owner: User, actor: Actor) -> dict[str, Stage]:
    """Import the demo projects; answers the stage of each flow by the name of its workflow."""
    imported = {spec: provisioning.import_project(_read(spec), owner=owner, actor=actor) for spec in SPECS}
    return {flow.workflow: _stage(flow, imported[flow.spec].workflows) for flow in flows}


def _stage(flow: Flow, made: Iterable[workflows.Workflow]) -> Stage:
    workflow = next(workflow for workflow in made if workflow.name == flow.workflow)
    graph = workflows.graph_of(workflow)
    return Stage(
        project_id=workflow.project_id,
        workflow_id=workflow.id,
        trigger_id=graph.triggers[0].id,
        jobs={job.name: job.id for job in graph.jobs},
    )


def _read(spec: str) -> provisioning.SpecReading:
    document = resources.files("portal.demo").joinpath("specs", f"{spec}.yaml").read_bytes()
    return provisioning.read_project_spec(document)


def _name(reading: provisioning.SpecReading) -> str:
    if reading.document is None:
        raise ValueError(f"a demo spec cannot be read: {reading.problems}")
    return reading.document.name
