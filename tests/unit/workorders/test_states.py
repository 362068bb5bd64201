"""The run's state machine and the words of completion (workorders §3)."""

from __future__ import annotations

import pytest

from portal.core.errors import Invalid
from portal.workorders import states
from portal.workorders.models import FINAL, RunState


@pytest.mark.parametrize(
    ("state", "reason", "final"),
    [
        (None, "ok", "success"),
        (None, "fail", "failed"),
        (None, "crash", "crashed"),
        (None, "cancel", "cancelled"),
        (None, "kill", "killed"),
        (None, "exception", "exception"),
        (None, "success", "success"),
        (None, "lost", "lost"),
        ("killed", "ok", "killed"),
        ("", "ok", "success"),
    ],
)
def test_3_2_the_state_wins_and_reasons_are_translated(
    state: str | None, reason: str | None, final: str
) -> None:
    assert states.final_state(state, reason) == final


@pytest.mark.parametrize(
    ("state", "reason", "message"),
    [
        (None, None, "can't be blank"),
        ("", "", "can't be blank"),
        ("ok", None, "is invalid"),
        (None, "nonsense", "is invalid"),
        ("started", None, "is invalid"),
    ],
)
def test_3_2_anything_else_is_refused(state: str | None, reason: str | None, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        states.final_state(state, reason)
    assert refused.value.fields == {"state": [message]}


def test_3_1_only_claimed_runs_start() -> None:
    states.check_start(RunState.CLAIMED)
    for state in set(RunState) - {RunState.CLAIMED}:
        with pytest.raises(Invalid):
            states.check_start(state)


def test_3_1_only_claimed_and_started_runs_end() -> None:
    for state in (RunState.CLAIMED, RunState.STARTED):
        states.check_completion(state)
    for state in (RunState.AVAILABLE, *FINAL):
        with pytest.raises(Invalid):
            states.check_completion(state)
