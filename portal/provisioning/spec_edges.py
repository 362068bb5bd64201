"""The edges of a v1 spec (projects-and-workflows §3.4, §5.2)."""

from __future__ import annotations

from collections.abc import Mapping

from portal.core.text import N_
from portal.provisioning.document import BLANK, Fields
from portal.provisioning.references import resolved
from portal.provisioning.spec_models import EdgeSpec
from portal.workflows.rules import condition_expression_problem, condition_label_problem

CONDITIONS = ("always", "on_job_success", "on_job_failure", "js_expression")
FROM_TRIGGER = ("always", "js_expression")
KNOWN = {
    "source_job",
    "source_trigger",
    "target_job",
    "condition_type",
    "condition_label",
    "condition_expression",
    "enabled",
}


def read_edges(
    workflow: Fields, jobs: Mapping[str, str], triggers: Mapping[str, str]
) -> tuple[EdgeSpec, ...]:
    """The edges of `workflow` whose ends were found; `jobs` and `triggers` map keys to names or types."""
    edges = (_edge(key, line, fields, jobs, triggers) for key, line, fields in workflow.records("edges"))
    return tuple(edge for edge in edges if edge is not None)


def _edge(
    key: str, line: int, fields: Fields, jobs: Mapping[str, str], triggers: Mapping[str, str]
) -> EdgeSpec | None:
    fields.only(KNOWN, unread={"id"})
    _one_source(fields)
    source_trigger = resolved(fields, "source_trigger", triggers, "trigger")
    source_job = resolved(fields, "source_job", jobs, "job")
    target = _target(fields, jobs, source_job)
    condition = _condition(fields, from_trigger=fields.given("source_trigger") is not None)
    label = fields.text("condition_label", condition_label_problem, trim=True)
    expression = _expression(fields, condition)
    enabled = _enabled(fields)
    if target is None or condition is None or (source_job is None and source_trigger is None):
        return None
    return EdgeSpec(
        key, source_job, source_trigger, target, condition, label or None, expression, enabled, line
    )


def _one_source(fields: Fields) -> None:
    given = [key for key in ("source_job", "source_trigger") if fields.given(key) is not None]
    if len(given) == 2:
        fields.problem("source_job", N_("source_job and source_trigger exclude each other"))
    unreadable = fields.unreadable("source_job") or fields.unreadable("source_trigger")
    if not given and not unreadable:
        fields.notes.problem(fields.place, N_("source_job or source_trigger must be present"))


def _target(fields: Fields, jobs: Mapping[str, str], source_job: str | None) -> str | None:
    if fields.given("target_job") is None and not fields.unreadable("target_job"):
        fields.problem("target_job", BLANK)
    target = resolved(fields, "target_job", jobs, "job")
    if target is not None and target == source_job:
        fields.problem("target_job", N_("target job must be different from source job"))
    return target


def _condition(fields: Fields, *, from_trigger: bool) -> str | None:
    if fields.given("condition_type") is None and not fields.unreadable("condition_type"):
        fields.problem("condition_type", BLANK)
    condition = fields.choice("condition_type", CONDITIONS)
    if condition and from_trigger and condition not in FROM_TRIGGER:
        fields.problem("condition_type", N_("must be always or js_expression when a trigger is the source"))
    return condition


def _expression(fields: Fields, condition: str | None) -> str | None:
    if condition == "js_expression":
        return fields.required_text("condition_expression", condition_expression_problem)
    expression = fields.text("condition_expression", condition_expression_problem)
    if expression and condition:
        fields.warning("condition_expression", f"is not used while condition_type is {condition}")
    return expression


def _enabled(fields: Fields) -> bool:
    """§3.4: an edge from a trigger is always saved enabled."""
    enabled = fields.boolean("enabled", True)
    if not enabled and fields.given("source_trigger") is not None:
        fields.warning("enabled", N_("edges from a trigger are always enabled"))
        return True
    return enabled
