"""Two runs beside one another (workorders §23): versions, steps, bodies and logs."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from portal import dataclips
from portal.core import db
from portal.workorders import step_secrets
from portal.workorders.aligning import align
from portal.workorders.history import DataclipRef
from portal.workorders.json_changes import Changes, changes
from portal.workorders.runpage import LogRow, RunPage, StepRow, log_lines, run_page

SMALL_BODY = 200_000
LARGEST_BODY = 2_000_000
MOST_LINES = 2_000
# Equal lines shown before and after a difference; longer stretches are folded.
CONTEXT = 3

# A job's parts whose change is worth a word, as they are called in snapshots.
PARTS = ("name", "adaptor", "body", "project_credential_id")

_VERSIONS = sa.text("""
    SELECT r.id, r.snapshot_id, coalesce(n.jobs, '[]'::jsonb) AS jobs
    FROM runs r LEFT JOIN snapshots n ON n.id = r.snapshot_id
    WHERE r.id = ANY(CAST(:ids AS uuid[])) AND r.project_id = :project_id
""")


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job that the two versions do not share, or not alike. `parts` are some of PARTS when it changed."""

    kind: Literal["added", "removed", "changed"]
    name: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepPair:
    """The steps of one job in both runs; None where a run has none."""

    job_id: uuid.UUID
    name: str
    left: StepRow | None
    right: StepRow | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs: `jobs` differ between their versions, `steps` are matched by job."""

    left: RunPage
    right: RunPage
    same_version: bool
    jobs: tuple[JobChange, ...]
    steps: tuple[StepPair, ...]


@dataclass(frozen=True, slots=True)
class BodyComparison:
    """What became of comparing two bodies, in one word, and the `changes` when they were compared.

    `same`: one dataclip or no difference. `none`: neither run has one. `missing`: one run
    has none. `wiped`: a body was erased. `large`: not compared unless asked (`size` in
    bytes, of both). `huge`: never compared. `deep`: nested too deeply.
    """

    verdict: Literal["same", "changed", "none", "missing", "wiped", "large", "huge", "deep"]
    left: DataclipRef | None
    right: DataclipRef | None
    size: int = 0
    changes: Changes | None = None


@dataclass(frozen=True, slots=True)
class LinePair:
    """A line of each log that stand beside one another; `folded` counts equal ones that are left out."""

    kind: Literal["same", "changed", "removed", "added", "folded"]
    left: LogRow | None = None
    right: LogRow | None = None
    folded: int = 0


@dataclass(frozen=True, slots=True)
class LogComparison:
    """Both logs, line by line. `cut`: one is longer than the 2,000 lines that were compared."""

    lines: tuple[LinePair, ...]
    differing: int
    cut: bool


def compare_runs(project_id: uuid.UUID, left_id: uuid.UUID, right_id: uuid.UUID) -> Comparison:
    """Two runs of a project with what their versions and steps have in common.

    Raises NotFound, also when one of them is of another project.
    """
    left, right = run_page(project_id, left_id), run_page(project_id, right_id)
    found = db.session().execute(_VERSIONS, {"ids": [left_id, right_id], "project_id": project_id})
    versions = {row.id: row for row in found}
    same = versions[left_id].snapshot_id == versions[right_id].snapshot_id
    differing = () if same else _job_changes(versions[left_id].jobs, versions[right_id].jobs)
    return Comparison(left, right, same, differing, _step_pairs(left.steps, right.steps))


def _job_changes(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> tuple[JobChange, ...]:
    before = {job["id"]: job for job in left}
    after = {job["id"]: job for job in right}
    found = []
    for job_id in {**before, **after}:
        old, new = before.get(job_id), after.get(job_id)
        if old is None or new is None:
            kind: Literal["added", "removed"] = "added" if old is None else "removed"
            found.append(JobChange(kind, str((new or old or {}).get("name") or job_id[-8:])))
        elif parts := tuple(part for part in PARTS if old.get(part) != new.get(part)):
            found.append(JobChange("changed", str(new.get("name") or job_id[-8:]), parts))
    return tuple(found)


def _step_pairs(left: Sequence[StepRow], right: Sequence[StepRow]) -> tuple[StepPair, ...]:
    """The first step of a job beside the first, the second beside the second; in the left run's order."""
    waiting: dict[uuid.UUID, list[StepRow]] = defaultdict(list)
    for step in right:
        waiting[step.job_id].append(step)
    pairs = []
    for step in left:
        other = waiting[step.job_id].pop(0) if waiting[step.job_id] else None
        pairs.append(_step_pair(step, other))
    rest = {step.id for steps in waiting.values() for step in steps}
    return (*pairs, *(_step_pair(None, step) for step in right if step.id in rest))


def _step_pair(left: StepRow | None, right: StepRow | None) -> StepPair:
    job = next(step for step in (right, left) if step is not None)
    names = (step.job_name for step in (right, left) if step is not None)
    return StepPair(job.job_id, next(filter(None, names), str(job.job_id)[-8:]), left, right)


def compare_bodies(
    project_id: uuid.UUID, left: DataclipRef | None, right: DataclipRef | None, *, anyway: bool = False
) -> BodyComparison:
    """The structural differences of two bodies, as far as both are there and not too large.

    One of more than 200,000 bytes is compared only `anyway`, one of more than 2,000,000 never.
    """
    if left is None and right is None:
        return BodyComparison("none", left, right)
    if left is None or right is None:
        return BodyComparison("missing", left, right)
    if left.wiped or right.wiped:
        return BodyComparison("wiped", left, right)
    if left.id == right.id:
        return BodyComparison("same", left, right)
    return _compare(project_id, left, right, LARGEST_BODY if anyway else SMALL_BODY)


def _compare(project_id: uuid.UUID, left: DataclipRef, right: DataclipRef, most: int) -> BodyComparison:
    one = step_secrets.shown_preview(project_id, left.id, most=most)
    two = step_secrets.shown_preview(project_id, right.id, most=most)
    sizes = [clip.size or 0 for clip in (one, two)]
    if one.text is None or two.text is None:
        if not all(sizes):
            return BodyComparison("wiped", left, right)
        return BodyComparison("huge" if max(sizes) > LARGEST_BODY else "large", left, right, sum(sizes))
    found = _changes(one.text, two.text)
    if found is None:
        return BodyComparison("deep", left, right, sum(sizes))
    return BodyComparison("changed" if found.total else "same", left, right, sum(sizes), found)


def _changes(one: str, two: str) -> Changes | None:
    """None also where hidden secrets left no JSON."""
    try:
        return changes(dataclips.mended(one), dataclips.mended(two))
    except ValueError:
        return None


def compare_logs(project_id: uuid.UUID, left_id: uuid.UUID, right_id: uuid.UUID) -> LogComparison:
    """Both logs by level, source and message; times are ignored, for they always differ.

    The first 2,000 lines of each. Raises NotFound.
    """
    one = log_lines(project_id, left_id, limit=MOST_LINES)
    two = log_lines(project_id, right_id, limit=MOST_LINES)
    pairs = [
        _line_pair(
            one.lines[i] if i is not None else None,
            two.lines[j] if j is not None else None,
        )
        for i, j in align([_key(line) for line in one.lines], [_key(line) for line in two.lines])
    ]
    differing = sum(pair.kind != "same" for pair in pairs)
    return LogComparison(tuple(_folded(pairs)), differing, one.more or two.more)


def _key(line: LogRow) -> tuple[str, str | None, str]:
    return line.level, line.source, line.message


def _line_pair(left: LogRow | None, right: LogRow | None) -> LinePair:
    if left is None:
        return LinePair("added", left, right)
    if right is None:
        return LinePair("removed", left, right)
    return LinePair("same" if _key(left) == _key(right) else "changed", left, right)


def _folded(pairs: list[LinePair]) -> list[LinePair]:
    """Leave out what is equal and far from any difference."""
    near: set[int] = set()
    for place, pair in enumerate(pairs):
        if pair.kind != "same":
            near.update(range(place - CONTEXT, place + CONTEXT + 1))
    shown: list[LinePair] = []
    for place, pair in enumerate(pairs):
        if place in near:
            shown.append(pair)
        elif shown and shown[-1].kind == "folded":
            shown[-1] = LinePair("folded", folded=shown[-1].folded + 1)
        else:
            shown.append(LinePair("folded", folded=1))
    return shown
