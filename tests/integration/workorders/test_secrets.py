"""Secrets of credentials never leave (workorders §8.5.6, dataclips-and-accounts §1.11)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from portal import credentials, workorders
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.access import Actor
from portal.core.db import session
from portal.core.errors import Unavailable
from portal.credentials import sealing
from portal.credentials.models import CredentialBody
from portal.workorders import Created, step_secrets
from portal.workorders.models import LogLine
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow
from tests.support.history import started, step_of
from tests.support.vault import CANARIES, PASSWORD, USERNAME, VALUES, coded, lend

LEAK = {
    "user": USERNAME,
    "header": f"Basic {coded(f'{USERNAME}:{PASSWORD}')}",
    "word": PASSWORD,
    "pin": 48151623,
    "plain": "kept",
}


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    step_secrets.forget()
    yield
    step_secrets.forget()


def say(created: Created, message: object) -> str:
    assert created.run_id
    seq = workorders.append_log(created.run_id, {"message": message, "timestamp": clock.now()})
    stored = session().get(LogLine, (created.run_id, seq))
    assert stored
    return stored.message


def leave(flow: MadeWorkflow, created: Created, job: str, body: object = LEAK) -> uuid.UUID:
    """A step of `job` that ends and leaves `body`."""
    step_id, output_id = step_of(flow, created, job), uuid.uuid4()
    assert created.run_id
    workorders.complete_step(
        created.run_id, step_id, "success", output_dataclip=json.dumps(body), output_dataclip_id=output_id
    )
    return output_id


def clean(text: str) -> bool:
    return not any(canary in text for canary in CANARIES)


def test_8_5_6_log_lines_are_scrubbed_before_they_are_stored(cast: Cast, flow: MadeWorkflow) -> None:
    lend(flow, "Second", cast.owner)
    created = started(flow)
    for message in (LEAK, json.dumps(LEAK), f"{USERNAME} {PASSWORD}", ["a", LEAK], 48151623):
        stored = say(created, message)
        assert "***" in stored
        assert clean(stored)
    assert say(created, "POST https://target.example") == "POST https://target.example"


def test_8_5_6_a_run_without_credentials_keeps_its_words(cast: Cast, flow: MadeWorkflow) -> None:
    assert say(started(flow), f"user {USERNAME}") == f"user {USERNAME}"


def test_8_5_6_a_run_that_logs_asks_for_its_credentials_once(cast: Cast, flow: MadeWorkflow) -> None:
    lend(flow, "First", cast.owner)
    created = started(flow)
    say(created, "first")
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    sa.event.listen(session().get_bind(), "before_cursor_execute", note)
    try:
        assert say(created, USERNAME) == "***"
    finally:
        sa.event.remove(session().get_bind(), "before_cursor_execute", note)
    assert not [statement for statement in asked if "credential" in statement]


def test_8_5_6_a_value_replaced_while_the_run_logs_stays_hidden(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lend(flow, "First", cast.owner)
    created = started(flow)
    say(created, "first")
    monkeypatch.setattr(step_secrets, "KEPT_SECONDS", -1)
    credentials.set_body(made, "main", {"password": "brand-new-one"}, actor=Actor(id=cast.owner.id))
    for run_id, known in step_secrets._known.items():
        step_secrets._known[run_id] = step_secrets._Known(known.secrets, known.scrub, 0)
    assert say(created, f"{USERNAME} and brand-new-one") == "*** and ***"


def test_the_body_of_the_projects_own_environment_counts(cast: Cast, flow: MadeWorkflow) -> None:
    cast.project.env = "staging"
    lend(flow, "First", cast.owner, environment="staging", values={"key": "staging-key"})
    made = lend(flow, "Second", cast.owner, values={"key": "main-key"})
    assert say(started(flow), "staging-key main-key") == "*** main-key"
    assert credentials.find_body(made.id, "main") == {"key": "main-key"}
    assert credentials.find_body(made.id, "staging") is None


def test_1_11_an_output_hides_what_its_step_and_those_before_knew(cast: Cast, flow: MadeWorkflow) -> None:
    lend(flow, "Second", cast.owner)
    created = started(flow)
    before = leave(flow, created, "First")
    own = leave(flow, created, "Second")
    after = leave(flow, created, "Third")
    found = workorders.secrets_of_step_output([before, own, after])
    assert set(found) == {own, after}
    for output_id in (own, after):
        assert clean(workorders.shown_body(cast.project.id, output_id))
        shown = workorders.shown_preview(cast.project.id, output_id, most=10_000).text
        assert shown is not None
        assert clean(shown)
        assert '"plain": "kept"' in shown
    assert USERNAME in workorders.shown_body(cast.project.id, before)


def test_1_11_a_final_state_hides_what_any_step_knew(cast: Cast, flow: MadeWorkflow) -> None:
    lend(flow, "First", cast.owner)
    created = started(flow)
    assert created.run_id
    leave(flow, created, "First", {})
    final = leave(flow, started(flow), "Third")
    workorders.complete_run(created.run_id, state="success", final_dataclip_id=final)
    assert clean(workorders.shown_body(cast.project.id, final))


def test_1_11_what_arrived_is_shown_as_it_is(cast: Cast, flow: MadeWorkflow) -> None:
    lend(flow, "First", cast.owner)
    created = started(flow, json.dumps({"user": USERNAME}))
    leave(flow, created, "First")
    assert created.dataclip_id
    assert USERNAME in workorders.shown_body(cast.project.id, created.dataclip_id)


def test_without_any_values_one_statement_finds_nothing_to_hide(cast: Cast, flow: MadeWorkflow) -> None:
    output = leave(flow, started(flow), "First")
    assert workorders.secrets_of_step_output([output, uuid.uuid4()]) == {}
    assert workorders.secrets_of_step_output([]) == {}


def test_a_credential_that_cannot_be_opened_shows_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    made = lend(flow, "First", cast.owner)
    created = started(flow)
    output = leave(flow, created, "First")
    row = session().scalars(sa.select(CredentialBody).filter_by(credential_id=made.id)).one()
    row.body = sealing.seal(uuid.uuid4(), VALUES)
    session().flush()
    for deed in (lambda: workorders.shown_body(cast.project.id, output), lambda: say(created, "x")):
        with pytest.raises(Unavailable):
            deed()


def test_values_are_stored_sealed_and_audited_without_them(cast: Cast, flow: MadeWorkflow) -> None:
    made = lend(flow, "First", cast.owner)
    row = session().scalars(sa.select(CredentialBody).filter_by(credential_id=made.id)).one()
    assert USERNAME.encode() not in row.body
    assert credentials.find_body(made.id, "main") == VALUES
    credentials.set_body(made, "main", {"a": "b"}, actor=Actor(id=cast.owner.id))
    assert credentials.find_body(made.id, "main") == {"a": "b"}
    entries = session().scalars(sa.select(AuditEvent).where(AuditEvent.item_id == made.id)).all()
    assert [(each.event, each.details) for each in entries] == [("updated", {"environments": ["main"]})] * 2
    assert clean(repr([(each.changes, each.details) for each in entries]))
