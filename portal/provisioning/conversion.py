"""From a spec's workflow to the input of the workflows context."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from portal.provisioning.spec_models import EdgeSpec, JobSpec, TriggerSpec, WorkflowSpec
from portal.workflows import (
    ConditionType,
    NewEdge,
    NewJob,
    NewTrigger,
    NewWorkflow,
    Position,
    ReplyConfig,
    TriggerType,
    WebhookReply,
)


def new_workflow(spec: WorkflowSpec, credentials: Mapping[str, uuid.UUID]) -> NewWorkflow:
    """The input that stores `spec`; `credentials` maps credential keys to project credentials.

    A job whose credential is not in the map gets none (projects-and-workflows §5.2.6).
    """
    at = {(place.of_trigger, place.key): Position(x=place.x, y=place.y) for place in spec.positions}
    return NewWorkflow(
        name=spec.name,
        jobs=tuple(_job(job, credentials, at.get((False, job.key))) for job in spec.jobs),
        triggers=tuple(_trigger(trigger, at.get((True, trigger.key))) for trigger in spec.triggers),
        edges=tuple(_edge(edge) for edge in spec.edges),
        concurrency=spec.concurrency,
        enable_job_logs=spec.enable_job_logs,
    )


def _job(spec: JobSpec, credentials: Mapping[str, uuid.UUID], position: Position | None) -> NewJob:
    return NewJob(
        key=spec.key,
        name=spec.name,
        body=spec.body,
        adaptor=spec.adaptor,
        project_credential_id=credentials.get(spec.credential) if spec.credential is not None else None,
        position=position,
    )


def _trigger(spec: TriggerSpec, position: Position | None) -> NewTrigger:
    codes = spec.webhook_response_config
    return NewTrigger(
        key=spec.key,
        type=TriggerType(spec.type),
        enabled=spec.enabled,
        cron_expression=spec.cron_expression,
        cron_cursor_job=spec.cron_cursor_job,
        custom_path=spec.custom_path,
        webhook_reply=WebhookReply(spec.webhook_reply) if spec.webhook_reply else None,
        webhook_response_config=(
            ReplyConfig(success_code=codes.success_code, error_code=codes.error_code) if codes else None
        ),
        position=position,
    )


def _edge(spec: EdgeSpec) -> NewEdge:
    return NewEdge(
        target_job=spec.target_job,
        condition_type=ConditionType(spec.condition_type),
        source_job=spec.source_job,
        source_trigger=spec.source_trigger,
        condition_expression=spec.condition_expression,
        condition_label=spec.condition_label,
        enabled=spec.enabled,
    )
