"""Workflows, their jobs, triggers and edges, and their frozen snapshots."""

from portal.workflows.choices import (
    JobName,
    TriggerLine,
    WebhookAddress,
    WorkflowName,
    list_jobs,
    list_names,
    list_triggers,
    list_webhooks,
)
from portal.workflows.commands import create
from portal.workflows.graph import Graph, graph_of
from portal.workflows.inputs import NewEdge, NewJob, NewTrigger, NewWorkflow, Position, ReplyConfig
from portal.workflows.models import (
    ConditionType,
    Edge,
    Job,
    Snapshot,
    Trigger,
    TriggerType,
    VersionSource,
    WebhookReply,
    Workflow,
    WorkflowState,
    WorkflowVersion,
)
from portal.workflows.versions import history, record_version
from portal.workflows.webhooks import Webhook, find_webhook

__all__ = [
    "ConditionType",
    "Edge",
    "Graph",
    "Job",
    "JobName",
    "NewEdge",
    "NewJob",
    "NewTrigger",
    "NewWorkflow",
    "Position",
    "ReplyConfig",
    "Snapshot",
    "Trigger",
    "TriggerLine",
    "TriggerType",
    "VersionSource",
    "Webhook",
    "WebhookAddress",
    "WebhookReply",
    "Workflow",
    "WorkflowName",
    "WorkflowState",
    "WorkflowVersion",
    "create",
    "find_webhook",
    "graph_of",
    "history",
    "list_jobs",
    "list_names",
    "list_triggers",
    "list_webhooks",
    "record_version",
]
