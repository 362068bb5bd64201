"""Rows for tests: valid, from the few arguments that a test is about."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from portal.accounts.models import AccountRole, User
from portal.core.db import session
from portal.projects.models import Project, ProjectUser, Role
from portal.workflows.models import (
    ConditionType,
    Edge,
    Job,
    Snapshot,
    Trigger,
    TriggerType,
    WebhookReply,
    Workflow,
)

_numbers = itertools.count(1)


def _add(row: Any) -> Any:
    session().add(row)
    session().flush()
    return row


def make_user(email: str | None = None, *, superuser: bool = False, **columns: Any) -> User:
    """An account without a password; tests that log in by form give `hashed_password`."""
    number = next(_numbers)
    defaults = {"first_name": "Test", "last_name": f"Person {number}"}
    role = AccountRole.SUPERUSER if superuser else AccountRole.USER
    found: User = _add(User(email=email or f"person{number}@example.org", role=role, **(defaults | columns)))
    return found


def make_project(
    name: str | None = None, *, members: dict[User, Role] | None = None, **columns: Any
) -> Project:
    """A root project with these members."""
    columns.setdefault("env", "main")
    project: Project = _add(Project(name=name or f"project-{next(_numbers)}", **columns))
    for user, role in (members or {}).items():
        _add(ProjectUser(project_id=project.id, user_id=user.id, role=role))
    return project


class MadeWorkflow:
    """A workflow with its parts by name: `jobs["Validate"]`, `trigger`, `snapshot`."""

    def __init__(
        self, workflow: Workflow, trigger: Trigger, jobs: dict[str, Job], snapshot: Snapshot
    ) -> None:
        self.workflow, self.trigger, self.jobs, self.snapshot = workflow, trigger, jobs, snapshot

    @property
    def id(self) -> uuid.UUID:
        """The workflow's id."""
        return self.workflow.id


def make_workflow(
    project: Project,
    name: str | None = None,
    *,
    jobs: tuple[str, ...] = ("First", "Second", "Third"),
    edges: tuple[tuple[str, str], ...] | None = None,
    trigger: TriggerType = TriggerType.WEBHOOK,
    enabled: bool = True,
    **columns: Any,
) -> MadeWorkflow:
    """A workflow whose trigger leads to its first job and each job to the next, with its snapshot.

    `edges` (source job, target job) replaces the chain.
    """
    workflow = _add(
        Workflow(project_id=project.id, name=name or f"Workflow {next(_numbers)}", lock_version=1, **columns)
    )
    starter = _add(
        Trigger(
            workflow_id=workflow.id,
            project_id=project.id,
            type=trigger,
            enabled=enabled,
            webhook_reply=WebhookReply.BEFORE_START if trigger is TriggerType.WEBHOOK else None,
            cron_expression="0 0 * * *" if trigger is TriggerType.CRON else None,
        )
    )
    made = {
        job: _add(
            Job(
                workflow_id=workflow.id,
                name=job,
                body="fn(state => state)",
                adaptor="@openfn/language-common@latest",
            )
        )
        for job in jobs
    }
    pairs = list(itertools.pairwise(jobs)) if edges is None else list(edges)
    rows = [_edge(workflow, made[jobs[0]], source_trigger_id=starter.id, condition=ConditionType.ALWAYS)]
    rows += [_edge(workflow, made[target], source_job_id=made[source].id) for source, target in pairs]
    return MadeWorkflow(workflow, starter, made, make_snapshot(workflow, made.values(), [starter], rows))


def _edge(
    workflow: Workflow, target: Job, condition: ConditionType = ConditionType.ON_JOB_SUCCESS, **source: Any
) -> Edge:
    found: Edge = _add(
        Edge(workflow_id=workflow.id, target_job_id=target.id, condition_type=condition, **source)
    )
    return found


def make_snapshot(workflow: Workflow, jobs: Any, triggers: Any, edges: Any) -> Snapshot:
    """The frozen copy of the workflow as it stands now, at its lock_version."""
    found: Snapshot = _add(
        Snapshot(
            workflow_id=workflow.id,
            lock_version=workflow.lock_version,
            name=workflow.name,
            jobs=[_frozen(job, "id", "name", "adaptor", "body") for job in jobs],
            triggers=[_frozen(trigger, "id", "type", "enabled", "cron_expression") for trigger in triggers],
            edges=[
                _frozen(
                    edge,
                    "id",
                    "source_job_id",
                    "source_trigger_id",
                    "target_job_id",
                    "condition_type",
                    "enabled",
                )
                for edge in edges
            ],
        )
    )
    return found


def _frozen(row: Any, *names: str) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    return {name: str(value) if isinstance(value, uuid.UUID) else value for name, value in values.items()}
