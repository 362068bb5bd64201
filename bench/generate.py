"""A year of history by COPY: deterministic, of any size, under all constraints of the schema.

20 projects, the largest with 28 % of the work orders; 1.15 runs, 2 dataclips and 8 log
lines for each. Only what has no volume (people, projects, workflows) is made by commands.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

import psycopg

from bench import generated
from bench.generated import Ids, Project
from portal import accounts, projects, workflows, workorders
from portal.core import clock
from portal.core.access import SYSTEM

END = datetime(2026, 11, 15, 18, tzinfo=UTC)
DAYS = 365
PROJECTS = 20
LARGEST = 0.28
CHUNK = 5_000
EMAIL = "bench@example.org"


@dataclass(frozen=True)
class Filling:
    """Fills a migrated database; of `few_words`, only the largest project becomes searchable."""

    few_words: bool = False

    def __call__(self, url: str, number: int) -> None:
        """Make the projects, copy the rows, index the words, gather statistics."""
        start = END - timedelta(days=DAYS)
        workorders.ensure_log_partitions(start.date(), clock.now().date())
        made = _projects(start)
        with psycopg.connect(url) as connection:
            connection.execute("SET synchronous_commit = off")
            for done in _copy(connection, made, number, start):
                _say(f"generating: {done:,} of {number:,} work orders")
            if self.few_words:
                connection.execute(
                    "UPDATE runs SET search_due_at = NULL WHERE project_id <> %s", [made[0].id]
                )
        _index()
        _vacuum(url)


def shares() -> list[float]:
    """The part of each project: the largest first, the rest falling as 1/rank."""
    ranks = [1 / rank for rank in range(1, PROJECTS)]
    return [LARGEST, *((1 - LARGEST) * rank / sum(ranks) for rank in ranks)]


def _projects(at: datetime) -> list[Project]:
    new = accounts.NewUser(
        email=EMAIL, first_name="Bench", last_name="Owner", password=accounts.make_password()
    )
    with clock.frozen_at(at):
        owner = accounts.create_user(new, role=accounts.AccountRole.SUPERUSER)
        return [_project(number, owner) for number in range(PROJECTS + 1)]


def _project(number: int, owner: accounts.User) -> Project:
    """One project with three workflows of two jobs; the last project is for the measured webhooks."""
    project = projects.create(projects.NewProject(name=f"bench-{number:02}"), owner=owner, actor=SYSTEM)
    flows = []
    for flow in range(3):
        new = workflows.NewWorkflow(
            name=f"Workflow {flow + 1}",
            jobs=tuple(
                workflows.NewJob(key=key, name=name, body="fn(state => state)")
                for key, name in (("a", "Validate"), ("b", "Upload"))
            ),
            triggers=(workflows.NewTrigger(key="t", enabled=True),),
            edges=(
                workflows.NewEdge(
                    source_trigger="t", target_job="a", condition_type=workflows.ConditionType.ALWAYS
                ),
                workflows.NewEdge(
                    source_job="a", target_job="b", condition_type=workflows.ConditionType.ON_JOB_SUCCESS
                ),
            ),
        )
        graph = workflows.create(project.id, new, actor=SYSTEM)
        flows.append(generated.Flow.of(graph))
    return Project(project.id, tuple(flows))


def _copy(connection: psycopg.Connection, made: list[Project], number: int, start: datetime) -> Iterator[int]:
    rng, ids = Random(number), Ids(1)
    found = connection.execute("SELECT workflow_id, id FROM snapshots").fetchall()
    snapshots: dict[uuid.UUID, uuid.UUID] = dict(found)
    weights = list(accumulate(shares()))
    step = (END - start) / number
    for first in range(0, number, CHUNK):
        rows: generated.Rows = {table: [] for table in generated.COLUMNS}
        count = min(CHUNK, number - first)
        chosen = rng.choices(made[:PROJECTS], cum_weights=weights, k=count)
        for place, project in enumerate(chosen, start=first):
            generated.add(rows, project, start + step * place, rng, ids, snapshots)
        for table, lines in rows.items():
            _write(connection, table, lines)
        connection.commit()
        yield first + count


def _write(connection: psycopg.Connection, table: str, lines: list[str]) -> None:
    columns = ", ".join(f'"{name}"' for name in generated.COLUMNS[table])
    with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        copy.write("".join(lines))


def _index() -> None:
    done = 0
    while handled := workorders.index_due(limit=20_000, seconds=60):
        done += handled
        _say(f"indexing: {done:,} runs")


def _vacuum(url: str) -> None:
    _say("vacuum and statistics")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def trigger_for_ingress(connection: psycopg.Connection) -> uuid.UUID:
    """A webhook of the project that is measured by nothing else."""
    row = connection.execute(
        "SELECT t.id FROM triggers t JOIN projects p ON p.id = t.project_id"
        " WHERE p.name = %s ORDER BY t.id LIMIT 1",
        [f"bench-{PROJECTS:02}"],
    ).fetchone()
    if row is None:
        raise RuntimeError("the database of the benchmark lacks its last project")
    found: uuid.UUID = row[0]
    return found
