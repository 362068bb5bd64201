"""One run: database, then every case, reference, ours and floor in turns."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psycopg
import sqlalchemy as sa

from bench import exports, generate, hot, ingress, pages, places
from bench.cases import Searching
from bench.outcome import Outcome
from bench.statements import REFERENCE_INDEX
from portal import projects
from portal.core import clock
from portal.core.db import db
from portal.projects.models import Project

# So long, at most, one statement of the reference is waited for.
PATIENCE = "60s"
_SIZES = """
    SELECT coalesce(i.inhparent::regclass::text, c.relname) AS name, sum(greatest(c.reltuples, 0))::bigint,
        sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
    FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    GROUP BY 1 HAVING sum(pg_total_relation_size(c.oid)) > 1000000 ORDER BY 3 + 4 DESC, 1
"""


def run(number: int, *, quick: bool, few_words: bool, data_dir: Path, keep: bool) -> Outcome:
    """Measure one size. With `quick`, few rounds: enough for plans and rows, not for times."""
    outcome, begun = Outcome(number), time.perf_counter()
    fill = generate.Filling(few_words=few_words)
    kind = "quick" if quick else "few" if few_words else "full"
    with places.prepared(number, data_dir, fill, kind=kind, keep=keep) as place:
        outcome.made_in = time.perf_counter() - begun if place.made else 0.0
        with (
            place.app.app_context(),
            clock.frozen_at(generate.END),
            psycopg.connect(place.url, autocommit=True) as plain,
        ):
            _prepare(plain)
            project = _largest()
            rounds = 3 if quick else 40
            outcome.cases = Searching(project, plain, rounds).all()
            _say("pages")
            outcome.cases.append(pages.measure(place.app, project, rounds))
            _say("exports")
            outcome.cases.append(exports.rate(project, plain, 1 if quick else 5))
            outcome.cases.append(exports.memory(project, place.settings, plain))
            _say("claims and log lines")
            outcome.cases += hot.claims(place, plain, rounds)
            outcome.cases.append(hot.lines(plain, rounds))
            _say("webhooks")
            outcome.cases.append(ingress.measure(place.settings, plain, 1.0 if quick else 8.0))
            outcome.sizes = plain.execute(_SIZES).fetchall()
            db.session.remove()
            db.engine.dispose()
    return outcome


def _prepare(plain: psycopg.Connection) -> None:
    """The same settings as the portal's web role, and the index of the reference."""
    for setting in ("jit = off", "max_parallel_workers_per_gather = 0"):
        plain.execute(f"SET {setting}")
    if plain.execute("SELECT to_regclass('reference.body_vectors')").fetchone() == (None,):
        _say("indexes of the reference")
        plain.execute("DROP SCHEMA IF EXISTS reference CASCADE")
        for statement in REFERENCE_INDEX:
            plain.execute(statement)
    plain.execute(f"SET statement_timeout = '{PATIENCE}'")


def _largest() -> projects.Project:
    found = db.session.scalar(sa.select(Project).where(Project.name == "bench-00"))
    if found is None:
        raise RuntimeError("the database of the benchmark lacks its largest project")
    return found


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
