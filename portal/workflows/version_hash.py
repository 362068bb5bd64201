"""The hash of a workflow's content (projects-and-workflows §3.7).

Command line tools compute the same hash from their files, so every byte counts:
only values are hashed, in a fixed order, without separators.
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Position = Mapping[str, float]
Value = str | bool | uuid.UUID | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class HashedTrigger:
    """What of a trigger enters the hash."""

    type: str
    enabled: bool = False
    cron_expression: str | None = None
    cron_cursor_job_id: uuid.UUID | str | None = None
    custom_path: str | None = None
    webhook_reply: str | None = None
    webhook_response_config: Mapping[str, Any] | None = None

    def values(self) -> Iterable[Value]:
        """In the order of the field names."""
        return (
            self.cron_cursor_job_id,
            self.cron_expression,
            self.custom_path,
            self.enabled,
            self.type,
            self.webhook_reply,
            self.webhook_response_config,
        )


@dataclass(frozen=True, slots=True)
class HashedJob:
    """What of a job enters the hash."""

    name: str
    adaptor: str
    body: str
    project_credential_id: uuid.UUID | str | None = None
    keychain_credential_id: uuid.UUID | str | None = None

    def values(self) -> Iterable[Value]:
        """In the order of the field names."""
        return self.adaptor, self.body, self.keychain_credential_id, self.name, self.project_credential_id


@dataclass(frozen=True, slots=True)
class HashedEdge:
    """What of an edge enters the hash: `source` a trigger's type or a job's name, `target` a job's name."""

    source: str
    target: str
    condition_type: str
    enabled: bool = True
    condition_expression: str | None = None
    condition_label: str | None = None

    @property
    def name(self) -> str:
        """The generated name, by which edges are sorted."""
        return f"{self.source}-{self.target}"

    def values(self) -> Iterable[Value]:
        """In the order of the field names."""
        return self.condition_expression, self.condition_label, self.condition_type, self.enabled, self.name


@dataclass(frozen=True, slots=True)
class HashedWorkflow:
    """What of a workflow enters the hash. `positions` maps node ids to `{x, y}`, or is None."""

    name: str
    positions: Mapping[str, Position] | None = None
    triggers: tuple[HashedTrigger, ...] = ()
    jobs: tuple[HashedJob, ...] = ()
    edges: tuple[HashedEdge, ...] = ()


def version_hash(workflow: HashedWorkflow) -> str:
    """The first 12 hex digits of the SHA-256 of `hashed_text` (§3.7)."""
    return hashlib.sha256(hashed_text(workflow).encode()).hexdigest()[:12]


def hashed_text(workflow: HashedWorkflow) -> str:
    """The string under the hash: name, positions, then triggers, jobs and edges, each kind in its own order.

    Parts that the rule leaves tied (two triggers of one type, two edges between the
    same ends) are ordered by their own text, so that the hash never depends on the
    order of rows in the database.
    """
    triggers = sorted(workflow.triggers, key=lambda trigger: (trigger.type, _joined(trigger.values())))
    jobs = sorted(workflow.jobs, key=lambda job: (job.name.lower(), job.name))
    edges = sorted(workflow.edges, key=lambda edge: (edge.name.encode(), _joined(edge.values())))
    parts = [_joined((workflow.name, _rounded_up(workflow.positions)))]
    for kind in (triggers, jobs, edges):
        parts += [_joined(part.values()) for part in kind]
    return "".join(parts)


def _joined(values: Iterable[Value]) -> str:
    return "".join(_text(value) for value in values)


def _text(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Mapping():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        case _:
            return str(value)


def _rounded_up(positions: Mapping[str, Position] | None) -> dict[str, dict[str, int]] | None:
    if positions is None:
        return None
    return {node: {axis: math.ceil(number) for axis, number in at.items()} for node, at in positions.items()}
