"""What comes in about workflows: parts refer to each other by keys, ids are given when stored.

The models refuse what no workflow may be (projects-and-workflows §3.1-3.4). What only the
database knows (names and paths taken, whose credential it is) is left to the command.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from portal.core.text import N_
from portal.workflows import rules
from portal.workflows.models import ConditionType, TriggerType, WebhookReply

Check = Callable[[str], str | None]


def _passing(check: Check) -> AfterValidator:
    def validate(value: str) -> str:
        if message := check(value):
            raise ValueError(message)
        return value

    return AfterValidator(validate)


def _text_problem(text: str) -> str | None:
    if not text.strip():
        return rules.BLANK
    return N_("can't contain a null byte") if "\0" in text else None


Trimmed = StringConstraints(strip_whitespace=True)
Key = Annotated[str, Field(description="how other parts of the same input refer to this one")]
WorkflowName = Annotated[str, Trimmed, _passing(rules.workflow_name_problem)]
JobName = Annotated[str, Trimmed, _passing(rules.job_name_problem)]
Adaptor = Annotated[str, Trimmed, _passing(rules.adaptor_problem)]
Cron = Annotated[str, Trimmed, _passing(rules.cron_problem)]
CustomPath = Annotated[str, Trimmed, _passing(rules.custom_path_problem)]
Body = Annotated[str, _passing(_text_problem)]
Expression = Annotated[str, _passing(rules.condition_expression_problem)]
Label = Annotated[str, Trimmed, _passing(rules.condition_label_problem)]
ReplyCode = Annotated[int, Field(ge=rules.REPLY_CODES.start, lt=rules.REPLY_CODES.stop)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Position(_Part):
    """Where a node stands on the canvas."""

    x: Annotated[float, Field(allow_inf_nan=False)]
    y: Annotated[float, Field(allow_inf_nan=False)]


class NewJob(_Part):
    """A job (§3.2)."""

    key: Key
    name: JobName
    body: Body
    adaptor: Adaptor = rules.DEFAULT_ADAPTOR
    project_credential_id: uuid.UUID | None = None
    position: Position | None = None


class ReplyConfig(_Part):
    """Status codes of a webhook that answers after the run."""

    success_code: ReplyCode | None = None
    error_code: ReplyCode | None = None


class NewTrigger(_Part):
    """A trigger (§3.3). Fields that mean nothing on its type are cleared, as the rule for saving says."""

    key: Key
    type: TriggerType = TriggerType.WEBHOOK
    enabled: bool = False
    cron_expression: Cron | None = None
    cron_cursor_job: Key | None = None
    custom_path: CustomPath | None = None
    webhook_reply: WebhookReply | None = None
    webhook_response_config: ReplyConfig | None = None
    position: Position | None = None

    def settled(self) -> Self:
        """This trigger with foreign fields cleared and the defaults of its type filled in."""
        return self.model_copy(
            update=self._of_cron() if self.type is TriggerType.CRON else self._of_webhook()
        )

    def _of_cron(self) -> dict[str, object]:
        cleared = dict.fromkeys(("custom_path", "webhook_reply", "webhook_response_config"))
        return {**cleared, "cron_expression": self.cron_expression or rules.DEFAULT_CRON}

    def _of_webhook(self) -> dict[str, object]:
        reply = self.webhook_reply or WebhookReply.BEFORE_START
        answers_late = reply is WebhookReply.AFTER_COMPLETION
        return {
            "cron_expression": None,
            "cron_cursor_job": None,
            "webhook_reply": reply,
            "webhook_response_config": self.webhook_response_config if answers_late else None,
        }


class NewEdge(_Part):
    """An edge (§3.4) between keys."""

    target_job: Key
    condition_type: ConditionType
    source_job: Key | None = None
    source_trigger: Key | None = None
    condition_expression: Expression | None = None
    condition_label: Label | None = None
    enabled: bool = True

    @model_validator(mode="after")
    def _has_one_source_and_a_fitting_condition(self) -> Self:
        if self.source_job is None and self.source_trigger is None:
            raise ValueError(N_("source_job or source_trigger must be present"))
        if self.source_job is not None and self.source_trigger is not None:
            raise ValueError(N_("source_job and source_trigger exclude each other"))
        if self.source_job == self.target_job:
            raise ValueError(N_("target job must be different from source job"))
        of_trigger = {ConditionType.ALWAYS, ConditionType.JS_EXPRESSION}
        if self.source_trigger is not None and self.condition_type not in of_trigger:
            raise ValueError(N_("must be always or js_expression when a trigger is the source"))
        if (
            self.condition_type is ConditionType.JS_EXPRESSION
            and not (self.condition_expression or "").strip()
        ):
            raise ValueError(N_("needs a condition_expression"))
        return self


class NewWorkflow(_Part):
    """A whole workflow (§3.1)."""

    name: WorkflowName
    jobs: tuple[NewJob, ...] = ()
    triggers: tuple[NewTrigger, ...] = ()
    edges: tuple[NewEdge, ...] = ()
    concurrency: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    enable_job_logs: bool = True

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        jobs, triggers = {job.key for job in self.jobs}, {trigger.key for trigger in self.triggers}
        _refuse_repeated((job.key for job in self.jobs), N_("job key is used twice"))
        _refuse_repeated((trigger.key for trigger in self.triggers), N_("trigger key is used twice"))
        _refuse_repeated((job.name for job in self.jobs), N_("job name has already been taken"))
        ends = {edge.target_job for edge in self.edges} | {edge.source_job for edge in self.edges}
        cursors = {trigger.cron_cursor_job for trigger in self.triggers}
        sources = {edge.source_trigger for edge in self.edges}
        if (ends | cursors) - jobs - {None} or sources - triggers - {None}:
            raise ValueError(N_("job or trigger doesn't exist, or is not in the same workflow"))
        return self


def _refuse_repeated(values: Iterable[str], message: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{message}: {value}")
        seen.add(value)
