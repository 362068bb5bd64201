"""A project spec as it was read: names resolved to keys, defaults filled in, rules checked.

Nothing here knows the database. `line` fields lead back into the document.
"""

from __future__ import annotations

from dataclasses import dataclass

from portal.provisioning.problems import Problem


@dataclass(frozen=True, slots=True)
class CredentialSpec:
    """A credential that jobs refer to by `key`: its name and its owner's e-mail, never a secret."""

    key: str
    name: str
    owner: str
    line: int


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job. `credential` is the key of one of the project's credentials, or None."""

    key: str
    name: str
    adaptor: str
    body: str
    credential: str | None
    line: int


@dataclass(frozen=True, slots=True)
class ReplySpec:
    """Status codes of a webhook that answers after the run; None leaves the default."""

    success_code: int | None
    error_code: int | None


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """A trigger, `webhook` or `cron`; fields of the other type are None. `cron_cursor_job` is a job's key."""

    key: str
    type: str
    enabled: bool
    line: int
    cron_expression: str | None = None
    cron_cursor_job: str | None = None
    custom_path: str | None = None
    webhook_reply: str | None = None
    webhook_response_config: ReplySpec | None = None


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """An edge between keys: exactly one of the sources is set."""

    key: str
    source_job: str | None
    source_trigger: str | None
    target_job: str
    condition_type: str
    condition_label: str | None
    condition_expression: str | None
    enabled: bool
    line: int


@dataclass(frozen=True, slots=True)
class PositionSpec:
    """Where a node stands on the canvas; `key` is a trigger's when `of_trigger`, else a job's."""

    key: str
    of_trigger: bool
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class WorkflowSpec:
    """A workflow with its parts, in the order of the document."""

    key: str
    name: str
    jobs: tuple[JobSpec, ...]
    triggers: tuple[TriggerSpec, ...]
    edges: tuple[EdgeSpec, ...]
    concurrency: int | None
    enable_job_logs: bool
    positions: tuple[PositionSpec, ...]
    line: int


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """A whole project."""

    name: str
    description: str | None
    env: str | None
    color: str | None
    credentials: tuple[CredentialSpec, ...]
    workflows: tuple[WorkflowSpec, ...]


@dataclass(frozen=True, slots=True)
class SpecReading:
    """What came of a document: `document` is None exactly when there are problems."""

    document: ProjectSpec | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
