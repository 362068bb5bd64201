"""The published examples of the version hash (projects-and-workflows §3.7), and what may not change it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from portal.workflows.version_hash import (
    HashedEdge,
    HashedJob,
    HashedTrigger,
    HashedWorkflow,
    hashed_text,
    version_hash,
)

COMMON = "@openfn/language-common@latest"

EMPTY = HashedWorkflow(name="Empty flow")
INTAKE = HashedWorkflow(
    name="Patient intake",
    triggers=(HashedTrigger(type="webhook", enabled=True, webhook_reply="before_start"),),
    jobs=(
        HashedJob(name="Validate", adaptor=COMMON, body="fn(state => state)"),
        HashedJob(
            name="alert team",
            adaptor="@openfn/language-http@7.2.6",
            body="post('/alert')",
            project_credential_id="11111111-2222-4333-8444-555555555555",
        ),
    ),
    edges=(
        HashedEdge(source="webhook", target="Validate", condition_type="always"),
        HashedEdge(
            source="Validate",
            target="alert team",
            condition_type="js_expression",
            condition_expression="state.data.ok",
            condition_label="has data",
        ),
    ),
)
NIGHTLY = HashedWorkflow(
    name="Nightly sync",
    positions={"b7": {"y": 10.2, "x": 100.0}, "a1": {"x": -3.5, "y": 0}},
    triggers=(
        HashedTrigger(
            type="cron",
            enabled=False,
            cron_expression="0 23 * * *",
            cron_cursor_job_id="66666666-7777-4888-8999-aaaaaaaaaaaa",
        ),
    ),
    jobs=(
        HashedJob(
            name="Fetch",
            adaptor="@openfn/language-dhis2@8.0.7",
            body="get('x')",
            keychain_credential_id="99999999-0000-4000-8000-000000000000",
        ),
        HashedJob(name="archive", adaptor=COMMON, body="fn(s => s)"),
    ),
    edges=(
        HashedEdge(source="Fetch", target="archive", condition_type="on_job_failure", enabled=False),
        HashedEdge(source="cron", target="Fetch", condition_type="always"),
    ),
)


@pytest.mark.parametrize(
    ("workflow", "expected"), [(EMPTY, "a29e0df77e97"), (INTAKE, "c34f0563a325"), (NIGHTLY, "09ad29bada06")]
)
def test_the_three_published_examples_have_their_hashes(workflow: HashedWorkflow, expected: str) -> None:
    assert version_hash(workflow) == expected


def test_positions_are_compact_json_with_sorted_keys_and_numbers_rounded_up() -> None:
    assert hashed_text(NIGHTLY).startswith('Nightly sync{"a1":{"x":-3,"y":0},"b7":{"x":100,"y":11}}6666')


def test_the_order_in_which_parts_arrive_does_not_matter() -> None:
    twin = HashedTrigger(type="webhook", enabled=False)
    workflow = replace(INTAKE, triggers=(*INTAKE.triggers, twin))
    shuffler = random.Random(7)
    for _ in range(10):
        other = replace(
            workflow,
            triggers=tuple(shuffler.sample(workflow.triggers, 2)),
            jobs=tuple(shuffler.sample(workflow.jobs, 2)),
            edges=tuple(shuffler.sample(workflow.edges, 2)),
        )
        assert version_hash(other) == version_hash(workflow)


def test_a_response_config_is_hashed_as_text_in_its_own_script() -> None:
    trigger = HashedTrigger(type="webhook", webhook_response_config={"success_code": 201, "note": "é"})
    assert hashed_text(HashedWorkflow(name="", triggers=(trigger,))) == (
        'falsewebhook{"note":"é","success_code":201}'
    )


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Patient Intake"},
        {"positions": {}},
        {"jobs": INTAKE.jobs[:1]},
        {"edges": INTAKE.edges[1:]},
        {"triggers": (replace(INTAKE.triggers[0], enabled=False),)},
        {"triggers": (replace(INTAKE.triggers[0], custom_path="orders"),)},
    ],
)
def test_each_part_counts(change: dict[str, object]) -> None:
    assert version_hash(replace(INTAKE, **change)) != version_hash(INTAKE)  # type: ignore[arg-type]
