"""Sorting failed runs into groups of errors, in batches, each run once (workorders §22.2).

One unit of work takes some runs that have no group, counts them to their groups and marks
them: what is lost in a crash is the whole unit. Sorters that meet share out the runs, for
rows that another holds are passed over.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal import audit
from portal.core import clock, db
from portal.core.access import SYSTEM
from portal.core.db import Unit
from portal.core.ids import new_id
from portal.workorders import events, rows
from portal.workorders.grouping import LONGEST_READ, fingerprint, message_of
from portal.workorders.models import Run

# ruff: noqa: S608 - statements are put together from constants of this module; values are always bound.

BATCH = 500
# A worker's last lines may come a moment after the end of the run.
SETTLED = timedelta(seconds=5)
# Of a longer log only the end is looked at.
LAST_LINES = 1_000

_UNGROUPED = "error_group_id IS NULL AND state IN ('failed', 'crashed', 'killed', 'exception', 'lost')"
_ANY = sa.text(f"SELECT EXISTS (SELECT FROM runs WHERE {_UNGROUPED} AND updated_at <= :settled)")
_LAST = """
    SELECT left(l.message, :longest) FROM log_lines AS l
    WHERE l.run_id = r.id AND l.seq > r.log_count - :last_lines AND {0}
    ORDER BY l.seq DESC LIMIT 1
"""
_PICK = sa.text(f"""
    WITH picked AS MATERIALIZED (
        SELECT id, project_id, workflow_id, error_type, log_count, coalesce(finished_at, updated_at) AS at
        FROM runs WHERE {_UNGROUPED} AND updated_at <= :settled
        ORDER BY updated_at LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT r.id, r.project_id, r.workflow_id, r.error_type, r.at,
        coalesce(({_LAST.format("l.level = 'error'")}), ({_LAST.format("l.source = 'R/T'")})) AS text
    FROM picked AS r
""")
# In the order of the unique key, so that sorters that meet at some groups wait for one another in one order.
_COUNT = sa.text("""
    INSERT INTO error_groups AS g (id, project_id, workflow_id, fingerprint, error_type, message, state,
        first_seen_at, last_seen_at, last_run_id, occurrences, inserted_at, updated_at)
    SELECT n.id, n.project_id, n.workflow_id, n.fingerprint, n.error_type, n.message, 'open',
        n.first_seen_at, n.last_seen_at, n.last_run_id, n.occurrences, :now, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:projects AS uuid[]), CAST(:workflows AS uuid[]),
        CAST(:fingerprints AS text[]), CAST(:types AS text[]), CAST(:messages AS text[]),
        CAST(:firsts AS timestamptz[]), CAST(:lasts AS timestamptz[]), CAST(:runs AS uuid[]),
        CAST(:counts AS bigint[]))
        AS n (id, project_id, workflow_id, fingerprint, error_type, message,
            first_seen_at, last_seen_at, last_run_id, occurrences)
    ON CONFLICT (workflow_id, fingerprint) DO UPDATE SET
        occurrences = g.occurrences + excluded.occurrences,
        first_seen_at = least(g.first_seen_at, excluded.first_seen_at),
        last_seen_at = greatest(g.last_seen_at, excluded.last_seen_at),
        last_run_id = CASE WHEN excluded.last_seen_at >= g.last_seen_at
            THEN excluded.last_run_id ELSE g.last_run_id END,
        updated_at = excluded.updated_at
    RETURNING g.id, g.workflow_id, g.fingerprint
""")
_COUNT_DAYS = sa.text("""
    INSERT INTO error_group_days AS d (error_group_id, day, occurrences)
    SELECT * FROM unnest(CAST(:groups AS uuid[]), CAST(:days AS date[]), CAST(:counts AS integer[]))
    ON CONFLICT (error_group_id, day) DO UPDATE SET occurrences = d.occurrences + excluded.occurrences
""")
_MARK = sa.text("""
    UPDATE runs SET error_group_id = n.group_id
    FROM unnest(CAST(:runs AS uuid[]), CAST(:groups AS uuid[])) AS n (run_id, group_id)
    WHERE runs.id = n.run_id
""")
_REOPEN = sa.text("""
    UPDATE error_groups AS g
    SET state = 'open', state_changed_at = :now, state_changed_by_id = NULL, updated_at = :now
    FROM unnest(CAST(:groups AS uuid[]), CAST(:lasts AS timestamptz[])) AS n (id, last_seen_at)
    WHERE g.id = n.id AND g.state = 'resolved' AND n.last_seen_at > g.state_changed_at
    RETURNING g.id, g.project_id
""")


@dataclass(frozen=True, slots=True)
class _Key:
    """What failures of one group have in common."""

    workflow_id: uuid.UUID
    fingerprint: str


@dataclass(slots=True)
class _Found:
    """What one batch found of one group."""

    project_id: uuid.UUID
    error_type: str | None
    message: str
    runs: list[tuple[datetime, uuid.UUID]]

    @property
    def first(self) -> datetime:
        return min(self.runs)[0]

    @property
    def last(self) -> tuple[datetime, uuid.UUID]:
        return max(self.runs)

    @property
    def days(self) -> Counter[date]:
        return Counter(at.astimezone(UTC).date() for at, _run in self.runs)


def sort_failures(seconds: float = 5.0) -> int:
    """Sort failed runs without group into groups of errors; answers how many.

    Works in batches, each in a unit of work of its own, until nothing is left or `seconds`
    have passed. Safe at any time and in many processes at once.
    """
    end, done = time.monotonic() + seconds, 0
    while sorted_now := _batch():
        done += sorted_now
        if time.monotonic() >= end:
            break
    return done


def anything_unsorted() -> bool:
    """Whether some failed run waits for its group; one look at the index."""
    return bool(db.session().scalar(_ANY, {"settled": clock.now() - SETTLED}))


def _batch() -> int:
    with db.unit_of_work() as unit:
        now = clock.now()
        values = {"settled": now - SETTLED, "limit": BATCH, "longest": LONGEST_READ, "last_lines": LAST_LINES}
        picked = db.session().execute(_PICK, values).all()
        if not picked:
            return 0
        found = _grouped(picked)
        groups = _count(found, now)
        _mark(found, groups)
        _reopen(unit, found, groups, now)
        for project_id, key in {each.project_id: key for key, each in found.items()}.items():
            events.to_project(unit, project_id, events.ERROR_GROUP_CHANGED, groups[key])
    return len(picked)


def _grouped(picked: Sequence[sa.Row[Any]]) -> dict[_Key, _Found]:
    """The runs by group, in the order of the groups' unique key."""
    found: dict[_Key, _Found] = {}
    for row in picked:
        message = message_of(row.error_type, row.text)
        key = _Key(row.workflow_id, fingerprint(row.error_type, message))
        group = found.setdefault(key, _Found(row.project_id, row.error_type, message, []))
        group.runs.append((row.at, row.id))
    return dict(sorted(found.items(), key=lambda pair: (pair[0].workflow_id, pair[0].fingerprint)))


def _count(found: dict[_Key, _Found], now: datetime) -> dict[_Key, uuid.UUID]:
    """Make or raise the groups and their days; answers their ids."""
    groups = list(found.values())
    values = {
        "ids": [new_id() for _group in groups],
        "projects": [group.project_id for group in groups],
        "workflows": [key.workflow_id for key in found],
        "fingerprints": [key.fingerprint for key in found],
        "types": [group.error_type for group in groups],
        "messages": [group.message for group in groups],
        "firsts": [group.first for group in groups],
        "lasts": [group.last[0] for group in groups],
        "runs": [group.last[1] for group in groups],
        "counts": [len(group.runs) for group in groups],
        "now": now,
    }
    rows_ = db.session().execute(_COUNT, values)
    ids = {_Key(row.workflow_id, row.fingerprint): row.id for row in rows_}
    days = [(ids[key], day, times) for key, group in found.items() for day, times in group.days.items()]
    columns = [list(column) for column in zip(*days, strict=True)]
    db.session().execute(_COUNT_DAYS, dict(zip(("groups", "days", "counts"), columns, strict=True)))
    return ids


def _mark(found: dict[_Key, _Found], groups: dict[_Key, uuid.UUID]) -> None:
    pairs = [(run_id, groups[key]) for key, group in found.items() for _at, run_id in group.runs]
    values = {"runs": [run_id for run_id, _ in pairs], "groups": [group_id for _, group_id in pairs]}
    db.session().execute(_MARK, values)
    for run_id, _group_id in pairs:
        rows.forget(Run, run_id)


def _reopen(unit: Unit, found: dict[_Key, _Found], groups: dict[_Key, uuid.UUID], now: datetime) -> None:
    """Open resolved groups whose error came back after they were resolved (workorders §22.3)."""
    lasts = {groups[key]: group.last[0] for key, group in found.items()}
    values = {"groups": list(lasts), "lasts": list(lasts.values()), "now": now}
    for row in db.session().execute(_REOPEN, values).all():
        audit.record(
            "reopened",
            "error_group",
            row.id,
            actor=SYSTEM,
            project_id=row.project_id,
            before={"state": "resolved"},
            after={"state": "open"},
        )
        events.to_project(unit, row.project_id, events.ERROR_GROUP_CHANGED, row.id)
