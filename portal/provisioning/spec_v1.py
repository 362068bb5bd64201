"""Reading a project spec of format v1 (projects-and-workflows §5.1, §5.2).

All problems of a document are gathered, so that its author mends them in one
go. Nothing here touches the database. Format v2 is recognised and refused.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from portal.core.text import N_
from portal.projects import NewProject, name_from
from portal.provisioning.body_files import BodyFiles
from portal.provisioning.document import Fields
from portal.provisioning.nodes import Mapping, Node, Sequence, Unreadable
from portal.provisioning.problems import Notes, Place, in_reading_order
from portal.provisioning.spec_models import CredentialSpec, ProjectSpec, SpecReading, WorkflowSpec
from portal.provisioning.spec_workflow import WorkflowReader
from portal.provisioning.yaml_reader import read_yaml
from portal.workflows.rules import name_problem

KNOWN = {"name", "description", "env", "color", "credentials", "workflows"}
UNREAD = {
    "id",
    "collections",
    "channels",
    "globals",
    "concurrency",
    "allow_support_access",
    "requires_mfa",
    "retention_policy",
    "history_retention_period",
    "dataclip_retention_period",
    "scheduled_deletion",
    "parent_id",
    "inserted_at",
    "updated_at",
    "version_history",
}
V2 = N_("format v2 is not read yet; export the project in format v1")


def read_project_spec(source: bytes | str, *, base_dir: Path | None = None) -> SpecReading:
    """Read `source` as a project spec of format v1.

    `base_dir` is the folder in which `body: {path: …}` is looked up; without it such
    bodies are problems. Answers a document, or every problem found; never raises for
    any content of `source`.
    """
    notes = Notes()
    reading = read_yaml(source)
    notes.problems.extend(reading.problems)
    document = _document(reading.root, BodyFiles(base_dir), notes) if reading.root else None
    if reading.root is None and not notes.problems:
        notes.problem(Place("", None), N_("is empty"))
    problems = in_reading_order(notes.problems)
    return SpecReading(None if problems else document, problems, in_reading_order(notes.warnings))


def _document(root: Node, files: BodyFiles, notes: Notes) -> ProjectSpec | None:
    if isinstance(root, Unreadable):
        return None
    place = Place("", root.line)
    if not isinstance(root, Mapping):
        notes.problem(place, N_("must be a map with name and workflows"))
        return None
    fields = Fields(Place("", root.line), root, notes)
    if sign := _sign_of_v2(fields):
        notes.problem(sign, V2)
        return None
    return _project(fields, files)


def _sign_of_v2(fields: Fields) -> Place | None:
    """Where the document shows that it is of format v2: `schema_version`, a list of workflows, or `steps`."""
    if fields.given("schema_version") is not None:
        return fields.at("schema_version")
    workflows = fields.given("workflows")
    if isinstance(workflows, Sequence):
        return fields.at("workflows")
    if isinstance(workflows, Mapping):
        for key, entry in workflows.entries.items():
            inner = entry.node
            if isinstance(inner, Mapping) and "steps" in inner.entries and "jobs" not in inner.entries:
                steps = inner.entries["steps"]
                return fields.at("workflows").under(key, entry.line).under("steps", steps.line)
    return None


def _project(fields: Fields, files: BodyFiles) -> ProjectSpec:
    fields.only(KNOWN, unread=UNREAD)
    name = fields.required_text("name")
    own = {"name": name} | {key: fields.text(key) for key in ("description", "env", "color")}
    _check_project(fields, own)
    credentials = _credentials(fields)
    return ProjectSpec(
        name=name or "",
        description=own["description"],
        env=own["env"],
        color=own["color"],
        credentials=credentials,
        workflows=_workflows(fields, credentials, files),
    )


def _check_project(fields: Fields, own: dict[str, str | None]) -> None:
    """Note what the projects context refuses; a missing name has been noted already."""
    try:
        NewProject.model_validate(
            {"name": "unnamed"} | {key: own[key] for key in own if own[key] is not None}
        )
    except ValidationError as refusal:
        for error in refusal.errors(include_url=False):
            key = str(error["loc"][0])
            message = str(error.get("ctx", {}).get("error", error["msg"]))
            likely = name_from(own["name"] or "").replace("_", "-").replace(".", "-") if key == "name" else ""
            fields.problem(key, f"{message}; a fitting name is {likely}" if likely else message)


def _credentials(fields: Fields) -> tuple[CredentialSpec, ...]:
    found = []
    for key, line, inner in fields.records("credentials"):
        inner.only({"name", "owner"}, unread={"id", "schema"})
        name = inner.required_text("name", name_problem, trim=True)
        owner = inner.required_text("owner", name_problem, trim=True)
        found.append(CredentialSpec(key, name or "", owner or "", line))
    return tuple(found)


def _workflows(
    fields: Fields, credentials: tuple[CredentialSpec, ...], files: BodyFiles
) -> tuple[WorkflowSpec, ...]:
    full = {credential.key: f"{credential.owner} {credential.name}" for credential in credentials}
    # Unfit ones count too, so that jobs which refer to them are not reported as well.
    names = {key: full.get(key, key) for key in fields.keys_of("credentials")}
    reader = WorkflowReader(credentials=names, files=files)
    return tuple(reader.read(key, line, inner) for key, line, inner in fields.records("workflows"))
