"""The rows of one generated work order, as lines of COPY's text format."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from portal import workflows

COLUMNS = {
    "dataclips": ("id", "project_id", "type", "name", "inserted_at", "updated_at"),
    "dataclip_bodies": ("dataclip_id", "body", "request"),
    "work_orders": (
        "id", "project_id", "workflow_id", "snapshot_id", "trigger_id", "dataclip_id", "state",
        "last_activity", "inserted_at", "updated_at",
    ),
    "runs": (
        "id", "work_order_id", "project_id", "workflow_id", "snapshot_id", "dataclip_id",
        "starting_trigger_id", "starting_job_id", "created_by_id", "state", "error_type", "priority",
        "options", "worker_name", "claimed_at", "started_at", "finished_at", "log_count", "search_due_at",
        "inserted_at", "updated_at",
    ),
    "steps": (
        "id", "job_id", "snapshot_id", "input_dataclip_id", "output_dataclip_id", "exit_reason",
        "error_type", "started_at", "finished_at", "inserted_at", "updated_at",
    ),
    "run_steps": ("run_id", "step_id", "id", "inserted_at"),
    "log_lines": ("run_id", "seq", "step_id", "level", "source", "message", "timestamp"),
}  # fmt: skip
STATES = {
    "success": 0.88, "failed": 0.08, "crashed": 0.02, "exception": 0.005, "killed": 0.004,
    "lost": 0.005, "cancelled": 0.004, "rejected": 0.002,
}  # fmt: skip
REASONS = {"success": "success", "failed": "fail", "crashed": "crash", "killed": "kill"}
RETRIED = 0.15
LINES = 8
# A word that stands in one work order of these many, and one that stands in most.
NEEDLE, NEEDLE_EVERY, COMMON = "zanzibarite", 2_500, "completed"
NULL = "\\N"
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va")
WORDS = tuple(a + b + c for a in _SYLLABLES for b in _SYLLABLES for c in _SYLLABLES)
Rows = dict[str, list[str]]


@dataclass(frozen=True)
class Flow:
    """Ids of one workflow."""

    id: uuid.UUID
    trigger_id: uuid.UUID
    jobs: tuple[uuid.UUID, ...]

    @classmethod
    def of(cls, graph: workflows.Graph) -> Flow:
        """The ids of a workflow that was just made."""
        return cls(graph.workflow.id, graph.triggers[0].id, tuple(job.id for job in graph.jobs))


@dataclass(frozen=True)
class Project:
    """Ids of one project and its workflows."""

    id: uuid.UUID
    flows: tuple[Flow, ...]


class Ids:
    """Version 7 uuids from a seed: time, then a random part."""

    def __init__(self, seed: int) -> None:
        self._bits = Random(seed).getrandbits

    def at(self, moment: datetime) -> str:
        """A fresh id of that moment."""
        milliseconds = int(moment.timestamp() * 1000)
        value = (milliseconds << 80) | (7 << 76) | (self._bits(12) << 64) | (2 << 62) | self._bits(62)
        digits = f"{value:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def word(rng: Random) -> str:
    """A word; the first ones are far commoner than the last, as in any language."""
    return WORDS[int(len(WORDS) * rng.random() ** 3)]


def _line(*values: object) -> str:
    return "\t".join([NULL if value is None else str(value) for value in values]) + "\n"


def add(
    rows: Rows,
    project: Project,
    at: datetime,
    rng: Random,
    ids: Ids,
    snapshots: Mapping[uuid.UUID, uuid.UUID],
) -> None:
    """Add the rows of one work order that arrived at `at`."""
    flow = rng.choice(project.flows)
    one = _One(rows, project.id, flow, snapshots[flow.id], rng, ids)
    one.add(at, rng.choices(list(STATES), weights=list(STATES.values()))[0])


@dataclass
class _One:
    """One work order in the making."""

    rows: Rows
    project_id: uuid.UUID
    flow: Flow
    snapshot_id: uuid.UUID
    rng: Random
    ids: Ids

    def add(self, at: datetime, state: str) -> None:
        work_order_id, clip = self.ids.at(at), self._clip(at, "http_request")
        end = at
        runs = [] if state == "rejected" else [state]
        if runs and self.rng.random() < RETRIED:
            runs.insert(0, "failed")
        planned = []
        for run_state in runs:
            begun = end + timedelta(seconds=self.rng.uniform(0.5, 5))
            end = begun + timedelta(seconds=self.rng.uniform(1, 30))
            planned.append((run_state, begun, end))
        self.rows["work_orders"].append(
            _line(work_order_id, self.project_id, self.flow.id, self.snapshot_id, self.flow.trigger_id, clip,
                  state, end, at, end)
        )  # fmt: skip
        for run_state, begun, ended in planned:
            self._run(work_order_id, clip, run_state, begun, ended)

    def _clip(self, at: datetime, kind: str) -> str:
        clip = self.ids.at(at)
        body = (
            f'{{"form": "F-{self.rng.randint(0, 10**6)}", "patient": {{"name": "{word(self.rng)}'
            f' {word(self.rng)}", "born": "{self.rng.randint(1940, 2025)}-04-10"}},'
            f' "notes": "{word(self.rng)} {word(self.rng)} {word(self.rng)}"}}'
        )
        name = f"Sample {word(self.rng)} {clip[-6:]}" if self.rng.random() < 0.002 else None
        self.rows["dataclips"].append(_line(clip, self.project_id, kind, name, at, at))
        request = '{"method": "POST"}' if kind == "http_request" else None
        self.rows["dataclip_bodies"].append(_line(clip, body, request))
        return clip

    def _run(self, work_order_id: str, clip: str, state: str, begun: datetime, ended: datetime) -> None:
        run_id = self.ids.at(begun)
        idle = state == "cancelled"
        error = None if state in ("success", "cancelled") else "RequestError"
        started = None if idle else begun
        steps = [] if idle else self._steps(run_id, clip, state, begun, ended)
        lines = 0 if idle else self._log(run_id, steps, begun)
        self.rows["runs"].append(
            _line(run_id, work_order_id, self.project_id, self.flow.id, self.snapshot_id, clip,
                  self.flow.trigger_id, None, None, state, error, 1,
                  '{"save_dataclips": true, "run_timeout_ms": 300000}', None if idle else "worker-1", started,
                  started, ended, lines, ended, begun, ended)
        )  # fmt: skip

    def _steps(self, run_id: str, clip: str, state: str, begun: datetime, ended: datetime) -> list[str]:
        """Two steps; the first leaves a dataclip, which the second is given."""
        middle = begun + (ended - begun) / 2
        first, second = self.ids.at(begun), self.ids.at(middle)
        left = self._clip(middle, "step_result")
        reason = REASONS.get(state, state)
        error = None if state == "success" else "RequestError"
        job_1, job_2 = self.flow.jobs
        self.rows["steps"] += [
            _line(first, job_1, self.snapshot_id, clip, left, "success", None, begun, middle, begun, middle),
            _line(second, job_2, self.snapshot_id, left, None, reason, error, middle, ended, middle, ended),
        ]
        for step, at in ((first, begun), (second, middle)):
            self.rows["run_steps"].append(_line(run_id, step, self.ids.at(at), at))
        return [first, second]

    def _log(self, run_id: str, steps: list[str], at: datetime) -> int:
        """Seven lines of a run make eight a work order."""
        count = LINES - 1
        for seq in range(1, count + 1):
            words = f"{word(self.rng)} {word(self.rng)} {word(self.rng)} {self.rng.randint(0, 10**6)}"
            if seq == count and self.rng.random() < 0.6:
                words += f" {COMMON}"
            if seq == 2 and self.rng.random() < 1 / NEEDLE_EVERY:
                words += f" {NEEDLE}"
            level = "error" if seq == count and self.rng.random() < 0.1 else "info"
            step = steps[0] if seq < 4 else steps[1]
            self.rows["log_lines"].append(_line(run_id, seq, step, level, "JOB", words, at))
        return count
