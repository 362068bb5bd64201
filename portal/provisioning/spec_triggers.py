"""The triggers of a v1 spec (projects-and-workflows §3.3, §5.2)."""

from __future__ import annotations

from collections.abc import Mapping

from portal.core.text import N_
from portal.provisioning.document import Fields
from portal.provisioning.problems import Place
from portal.provisioning.references import resolved
from portal.provisioning.spec_models import ReplySpec, TriggerSpec
from portal.workflows.rules import DEFAULT_CRON, REPLY_CODES, cron_problem, custom_path_problem

TYPES = ("webhook", "cron", "kafka")
REPLIES = ("before_start", "after_completion", "custom")
OF_CRON = ("cron_expression", "cron_cursor_job")
OF_WEBHOOK = ("custom_path", "webhook_reply", "webhook_response_config")
UNREAD = {"id", "comment", "has_auth_method", "kafka_configuration"}


def read_triggers(
    workflow: Fields, jobs: Mapping[str, str], paths: dict[str, Place]
) -> tuple[TriggerSpec, ...]:
    """The triggers of `workflow`.

    `jobs` maps job keys to names; `paths` holds the custom paths that the project
    has used so far, and gets those of this workflow.
    """
    return tuple(
        _trigger(key, line, fields, jobs, paths) for key, line, fields in workflow.records("triggers")
    )


def _trigger(
    key: str, line: int, fields: Fields, jobs: Mapping[str, str], paths: dict[str, Place]
) -> TriggerSpec:
    kind = fields.choice("type", TYPES) or "webhook"
    own = {"kafka_configuration"} if kind == "kafka" else set()
    fields.only({"type", "enabled", *own, *OF_CRON, *OF_WEBHOOK}, unread=UNREAD - own)
    enabled = fields.boolean("enabled", True)
    if kind == "cron":
        return _cron(key, line, fields, jobs, enabled)
    if kind == "kafka":
        fields.warning("type", N_("kafka triggers are gone; it became a disabled webhook trigger"))
        enabled = False
    return _webhook(key, line, fields, paths, enabled)


def _cron(key: str, line: int, fields: Fields, jobs: Mapping[str, str], enabled: bool) -> TriggerSpec:
    _warn_of_foreign(fields, OF_WEBHOOK, "cron")
    expression = fields.text("cron_expression", cron_problem, trim=True)
    return TriggerSpec(
        key=key,
        type="cron",
        enabled=enabled,
        line=line,
        cron_expression=expression or DEFAULT_CRON,
        cron_cursor_job=resolved(fields, "cron_cursor_job", jobs, "job"),
    )


def _webhook(key: str, line: int, fields: Fields, paths: dict[str, Place], enabled: bool) -> TriggerSpec:
    _warn_of_foreign(fields, OF_CRON, "webhook")
    reply = fields.choice("webhook_reply", REPLIES) or "before_start"
    return TriggerSpec(
        key=key,
        type="webhook",
        enabled=enabled,
        line=line,
        custom_path=_custom_path(fields, paths),
        webhook_reply=reply,
        webhook_response_config=_reply_codes(fields, reply),
    )


def _warn_of_foreign(fields: Fields, keys: tuple[str, ...], kind: str) -> None:
    for key in keys:
        if fields.given(key) is not None:
            fields.warning(key, f"means nothing on a {kind} trigger, and was left out")


def _custom_path(fields: Fields, paths: dict[str, Place]) -> str | None:
    path = fields.text("custom_path", lambda text: custom_path_problem(text) if text else None, trim=True)
    if not path:
        return None
    if path in paths:
        message = N_("is already used by another workflow in this project")
        fields.problem("custom_path", f"{message} (line {paths[path].line})")
    paths.setdefault(path, fields.at("custom_path"))
    return path


def _reply_codes(fields: Fields, reply: str) -> ReplySpec | None:
    inner = fields.map("webhook_response_config")
    if inner is None:
        return None
    inner.only({"success_code", "error_code"})
    codes = ReplySpec(
        inner.whole_number("success_code", REPLY_CODES), inner.whole_number("error_code", REPLY_CODES)
    )
    if reply != "after_completion":
        fields.warning(
            "webhook_response_config", N_("left out, for it needs webhook_reply: after_completion")
        )
        return None
    return codes if codes != ReplySpec(None, None) else None
