"""The run's state machine and the words of completion (workorders §3). Pure rules, no database."""

from __future__ import annotations

from portal.core.errors import Invalid
from portal.core.text import N_
from portal.workorders.models import FINAL, RunState

NOT_CLAIMED = N_("the run was not claimed by a worker")
COMPLETED = N_("already in completed state")
STARTED = N_("the run has already started")
BLANK = N_("can't be blank")
INVALID = N_("is invalid")

REASONS = {
    "ok": "success",
    "fail": "failed",
    "crash": "crashed",
    "cancel": "cancelled",
    "kill": "killed",
    "exception": "exception",
}


def final_state(state: str | None, reason: str | None) -> RunState:
    """The final state that a worker's `state` or `reason` means (workorders §3.2).

    `state` wins; a reason that is no known word is taken as the state itself.
    Raises Invalid on `state`: nothing given, or no final state.
    """
    word = state or REASONS.get(reason or "", reason)
    if not word:
        raise Invalid({"state": [BLANK]})
    if word not in FINAL:
        raise Invalid({"state": [INVALID]})
    return RunState(word)


def check_start(current: RunState) -> None:
    """Only a claimed run starts (workorders §3.1). Raises Invalid on `state`."""
    if current is RunState.CLAIMED:
        return
    if current is RunState.AVAILABLE:
        raise Invalid({"state": [NOT_CLAIMED]})
    raise Invalid({"state": [STARTED if current is RunState.STARTED else COMPLETED]})


def check_completion(current: RunState) -> None:
    """Claimed and started runs end; available and final ones do not. Raises Invalid on `state`."""
    if current is RunState.AVAILABLE:
        raise Invalid({"state": [NOT_CLAIMED]})
    if current in FINAL:
        raise Invalid({"state": [COMPLETED]})
