"""What will happen to each demo work order: decided first, in full and by seed, then played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from portal.demo.clinic import INTAKE, REMINDERS
from portal.demo.flows import Fate, Flow, Trouble
from portal.demo.referrals import REFERRALS
from portal.demo.stock import DELIVERIES, NIGHTLY
from portal.demo.timetable import Timetable, spread

FLOWS = (INTAKE, DELIVERIES, REFERRALS, REMINDERS, NIGHTLY)
# Endings other than success, in proportion to a thousand; `failed` stands for all troubles of the flow.
ENDINGS = {Fate.FAILED: 85, Fate.LOST: 6, Fate.CANCELLED: 8, Fate.REJECTED: 6}
# Each stands at least once in any demo that is not tiny.
ALWAYS = (
    Fate.FAILED, Fate.CRASHED, Fate.EXCEPTION, Fate.KILLED, Fate.LOST, Fate.CANCELLED, Fate.REJECTED,
)  # fmt: skip
ENDED = (Fate.SUCCESS, Fate.FAILED, Fate.CRASHED, Fate.EXCEPTION, Fate.KILLED)
# Inputs that people keep by name to start these workflows by hand.
NAMED = {INTAKE: "Sample intake form", REFERRALS: "Sample referral", DELIVERIES: "Sample delivery note"}
UNFINISHED = (Fate.WAITING, Fate.RUNNING, Fate.CLAIMED, Fate.WAITING, Fate.RUNNING)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run: how it ends, in which trouble, and how long after the one before it begins."""

    fate: Fate
    trouble: Trouble | None = None
    after: timedelta = timedelta()
    from_start: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """One work order. `manual` ones are started by a person, from the named input `name`."""

    at: datetime
    flow: Flow
    attempts: tuple[Attempt, ...]
    seed: int
    name: str | None = None
    wiped: bool = False

    @property
    def lost(self) -> bool:
        """Whether the janitor is needed, which works in transactions of its own."""
        return any(attempt.fate is Fate.LOST for attempt in self.attempts)

    @property
    def plain(self) -> bool:
        """Whether nothing happened after the first run, which came to an end by itself."""
        return len(self.attempts) == 1 and self.attempts[0].fate in ENDED and not self.name and not self.wiped

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.attempts[-1].fate not in UNFINISHED


def make_plans(count: int, seed: int, now: datetime) -> list[Plan]:
    """`count` plans over the ninety days before `now`, oldest first; the same for the same arguments."""
    rng = Random(seed)
    table = Timetable(now)
    waiting = min(len(UNFINISHED), count // 8)
    arrivals = list(_arrivals(rng, table, count - waiting))
    plans = [_plan(rng, table, moment, flow) for moment, flow in arrivals]
    return [*_with_names(_with_all_states(plans, rng)), *_unfinished(rng, now, waiting)]


def _arrivals(rng: Random, table: Timetable, count: int) -> list[tuple[datetime, Flow]]:
    scheduled = [(moment, flow) for flow in FLOWS if flow.at for moment in table.daily(flow.at, count // 20)]
    hooks = [flow for flow in FLOWS if not flow.at]
    moments = table.arrivals(rng, count - len(scheduled))
    chosen = rng.choices(hooks, weights=[flow.share for flow in hooks], k=len(moments))
    return sorted([*scheduled, *zip(moments, chosen, strict=True)], key=lambda pair: pair[0])


def _plan(rng: Random, table: Timetable, moment: datetime, flow: Flow) -> Plan:
    if table.in_outage(moment) and rng.random() < 0.8:
        first = Attempt(Fate.FAILED, flow.outage)
    else:
        first = _first(rng, flow)
    attempts = (first, *_retries(rng, table, moment, first))
    wiped = moment < table.now - timedelta(days=60) and rng.random() < 0.03
    return Plan(moment, flow, attempts, rng.getrandbits(32), wiped=wiped)


def _first(rng: Random, flow: Flow) -> Attempt:
    choices = [Fate.SUCCESS, *ENDINGS]
    weights = [1000 - sum(ENDINGS.values()), *ENDINGS.values()]
    return _ending(rng, flow, rng.choices(choices, weights)[0])


def _ending(rng: Random, flow: Flow, fate: Fate) -> Attempt:
    if fate is not Fate.FAILED:
        return Attempt(fate)
    # The first troubles of a flow are its commonest.
    weights = [1 / (place + 1) for place in range(len(flow.troubles))]
    trouble = rng.choices(flow.troubles, weights)[0]
    return Attempt(trouble.fate, trouble)


def _retries(rng: Random, table: Timetable, moment: datetime, first: Attempt) -> Iterator[Attempt]:
    """People look at failures within hours, after the outage once it is over, and some need two tries."""
    attempt, at = first, moment
    chance = 0.7 if first.trouble and table.in_outage(moment) else 0.45
    while attempt.fate not in (Fate.SUCCESS, Fate.CANCELLED) and rng.random() < chance:
        after = timedelta(hours=rng.uniform(5, 26) if table.in_outage(at) else rng.uniform(0.3, 20))
        at += after
        if at > table.now - timedelta(minutes=20):
            return
        again = attempt.trouble is not None and rng.random() < 0.2
        from_start = attempt.trouble is None or rng.random() < 0.25
        ended = replace(attempt, after=after) if again else Attempt(Fate.SUCCESS, after=after)
        attempt = replace(ended, from_start=from_start)
        chance = 0.5
        yield attempt


def _with_all_states(plans: list[Plan], rng: Random) -> list[Plan]:
    """Put each ending in at least once, unretried, so that every state can be seen and filtered."""
    changed = list(plans)
    for place, fate in zip(spread(len(plans), len(ALWAYS)), ALWAYS, strict=False):
        plan = changed[min(place, len(changed) - 1)]
        changed[min(place, len(changed) - 1)] = _ending_as(plan, fate, rng)
    return changed


def _with_names(plans: list[Plan]) -> list[Plan]:
    """Let a person start some from a named input, as one does when trying out a change."""
    changed = list(plans)
    usual = [
        place
        for place, plan in enumerate(plans)
        if plan.flow in NAMED and plan.attempts[0].fate is Fate.SUCCESS
    ]
    for place, chosen in enumerate(spread(len(usual), 3 * len(NAMED))):
        plan = changed[usual[chosen]]
        changed[usual[chosen]] = replace(plan, name=f"{NAMED[plan.flow]} {place % 2 + 1}", wiped=False)
    return changed


def _ending_as(plan: Plan, fate: Fate, rng: Random) -> Plan:
    troubled = [trouble for trouble in INTAKE.troubles if trouble.fate is fate]
    if not troubled:
        return replace(plan, attempts=(Attempt(fate),))
    return replace(plan, flow=INTAKE, attempts=(Attempt(fate, rng.choice(troubled)),))


def _unfinished(rng: Random, now: datetime, count: int) -> list[Plan]:
    moments = sorted(now - timedelta(seconds=rng.uniform(20, 600)) for _ in range(count))
    return [
        Plan(moment, INTAKE, (Attempt(fate),), rng.getrandbits(32))
        for moment, fate in zip(moments, UNFINISHED, strict=False)
    ]
