"""One workflow of a v1 spec: jobs, positions, names that must differ (projects-and-workflows §3.1, §3.2)."""

from __future__ import annotations

import graphlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.core.text import N_
from portal.provisioning import nodes
from portal.provisioning.body_files import BodyFileError, BodyFiles
from portal.provisioning.document import BLANK, Fields
from portal.provisioning.problems import Place
from portal.provisioning.references import resolved
from portal.provisioning.spec_edges import read_edges
from portal.provisioning.spec_models import EdgeSpec, JobSpec, PositionSpec, TriggerSpec, WorkflowSpec
from portal.provisioning.spec_triggers import read_triggers
from portal.workflows.rules import DEFAULT_ADAPTOR, adaptor_problem, job_name_problem, workflow_name_problem

KNOWN = {"name", "jobs", "triggers", "edges", "concurrency", "enable_job_logs", "positions"}
UNREAD = {"id", "lock_version", "project_id", "inserted_at", "updated_at", "deleted_at", "version_history"}
JOB_KNOWN = {"name", "adaptor", "body", "credential"}
JOB_UNREAD = {"id", "project_credential_id", "keychain_credential_id", "keychain_credential"}
MAX_CONCURRENCY = range(1, 2**31)


@dataclass(slots=True)
class WorkflowReader:
    """Reads the workflows of one project, one after the other.

    `credentials` maps the project's credential keys to hyphenated names.
    """

    credentials: Mapping[str, str]
    files: BodyFiles
    _names: dict[str, Place] = field(default_factory=dict)
    _paths: dict[str, Place] = field(default_factory=dict)

    def read(self, key: str, line: int, fields: Fields) -> WorkflowSpec:
        """One workflow; what does not fit is noted, and stands in the answer as a blank."""
        fields.only(KNOWN, unread=UNREAD)
        name = fields.required_text("name", workflow_name_problem, trim=True)
        _unique(name, fields, self._names, N_("a workflow with this name already exists in this project."))
        jobs = self._jobs(fields)
        names = _job_names(fields)
        triggers = read_triggers(fields, names, self._paths)
        types = _trigger_types(fields, triggers)
        edges = read_edges(fields, names, types)
        _warn_of_loop(fields, edges)
        return WorkflowSpec(
            key=key,
            name=name or "",
            jobs=jobs,
            triggers=triggers,
            edges=edges,
            concurrency=fields.whole_number("concurrency", MAX_CONCURRENCY),
            enable_job_logs=fields.boolean("enable_job_logs", True),
            positions=_positions(fields, names, types),
            line=line,
        )

    def _jobs(self, fields: Fields) -> tuple[JobSpec, ...]:
        names: dict[str, Place] = {}
        return tuple(self._job(key, line, inner, names) for key, line, inner in fields.records("jobs"))

    def _job(self, key: str, line: int, fields: Fields, names: dict[str, Place]) -> JobSpec:
        fields.only(JOB_KNOWN, unread=JOB_UNREAD)
        name = fields.required_text("name", job_name_problem, trim=True)
        _unique(name, fields, names, N_("job name has already been taken"))
        adaptor = fields.text("adaptor", adaptor_problem, trim=True)
        return JobSpec(
            key=key,
            name=name or "",
            adaptor=adaptor or DEFAULT_ADAPTOR,
            body=self._body(fields) or "",
            credential=resolved(fields, "credential", self.credentials, "credential"),
            line=line,
        )

    def _body(self, fields: Fields) -> str | None:
        inner = fields.map("body") if isinstance(fields.given("body"), nodes.Mapping) else None
        if inner is None:
            return fields.required_text("body")
        inner.only({"path"})
        path = inner.required_text("path", trim=True)
        if path is None:
            return None
        try:
            return self.files.body(path)
        except BodyFileError as problem:
            inner.problem("path", problem.message)
            return None


def _unique(name: str | None, fields: Fields, taken: dict[str, Place], message: str) -> None:
    if not name:
        return
    if name in taken:
        fields.problem("name", f"{message.rstrip('.')} (line {taken[name].line})")
    taken.setdefault(name, fields.at("name"))


def _job_names(fields: Fields) -> dict[str, str]:
    """Key to name, of unfit jobs too, so that edges to them are not reported as well."""
    return {key: _name_of(node) or key for key, node in fields.keys_of("jobs").items()}


def _name_of(node: nodes.Node) -> str | None:
    entry = node.entries.get("name") if isinstance(node, nodes.Mapping) else None
    name = entry.node if entry else None
    return name.text.strip() if isinstance(name, nodes.Scalar) else None


def _trigger_types(fields: Fields, triggers: tuple[TriggerSpec, ...]) -> dict[str, str]:
    """Key to type: an export names triggers by their type."""
    types = {trigger.key: trigger.type for trigger in triggers}
    return {key: types.get(key, key) for key in fields.keys_of("triggers")}


def _warn_of_loop(fields: Fields, edges: tuple[EdgeSpec, ...]) -> None:
    """Loops are allowed between jobs (§3.4 forbids only an edge to itself), but seldom meant."""
    sources: dict[str, set[str]] = {}
    for edge in edges:
        if edge.source_job is not None:
            sources.setdefault(edge.target_job, set()).add(edge.source_job)
    try:
        graphlib.TopologicalSorter(sources).prepare()
    except graphlib.CycleError as loop:
        fields.warning("edges", f"the jobs {' -> '.join(loop.args[1])} form a loop")


def _positions(
    fields: Fields, jobs: Mapping[str, str], triggers: Mapping[str, str]
) -> tuple[PositionSpec, ...]:
    found = []
    for key, _line, inner in fields.records("positions"):
        inner.only({"x", "y"})
        at = _number(inner, "x"), _number(inner, "y")
        if key not in jobs and key not in triggers:
            inner.notes.warning(inner.place, N_("names neither a job nor a trigger, and was left out"))
        elif at[0] is not None and at[1] is not None:
            found.append(PositionSpec(key, key not in jobs, at[0], at[1]))
    return tuple(found)


def _number(fields: Fields, key: str) -> float | None:
    node = fields.given(key)
    value = node.value if isinstance(node, nodes.Scalar) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    if not fields.unreadable(key):
        fields.problem(key, BLANK if node is None else N_("must be a number"))
    return None
