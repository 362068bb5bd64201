"""How many work orders each saved view finds: for a side bar that is always in sight (workorders §21)."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterable

import sqlalchemy as sa
from psycopg.errors import QueryCanceled
from sqlalchemy.exc import OperationalError

from portal.core import cache, db
from portal.projects import Project
from portal.workorders.inputs import SearchFilters
from portal.workorders.listing import Wanted
from portal.workorders.search import MOST_COUNTED_WITH_TERM, Total, find_keys
from portal.workorders.views import View

MOST_COUNTED = 1_000
# All views of a side bar together may take so long; those that come too late stay without a number.
SECONDS = 1.5
# A number is kept so long, and longer the more it cost.
FRESH_SECONDS = 8.0
PRICE = 100.0
_HURRY = sa.text("SELECT set_config('statement_timeout', :limit, true)")


def count_views(project: Project, views: Iterable[View]) -> dict[uuid.UUID, Total | None]:
    """How many work orders each view finds, counted to 1,000, with a term to 50; None: it took too long.

    Equal filters are counted once, also for other people within some seconds. Takes 1.5 s at
    most, whatever the number of views.
    """
    names = {view.id: (_name(project, view.filters), view.filters) for view in views}
    wanted = dict(names.values())
    known = dict(zip(wanted, cache.recall(list(wanted)), strict=True))
    end = time.monotonic() + SECONDS
    for name, filters in wanted.items():
        if known[name] is None and (left := end - time.monotonic()) > 0.01:
            known[name] = _counted(project, name, filters, left)
    return {view_id: _total(known[name]) for view_id, (name, _) in names.items()}


def _name(project: Project, filters: SearchFilters) -> str:
    told = hashlib.sha256(filters.query_string().encode()).hexdigest()[:32]
    return f"view-count:{project.id}:{told}"


def _total(found: list[int | None] | None) -> Total | None:
    return Total(found[0], bool(found[1])) if found and found[0] is not None else None


def _counted(project: Project, name: str, filters: SearchFilters, seconds: float) -> list[int | None]:
    most = MOST_COUNTED_WITH_TERM if filters.q else MOST_COUNTED
    began = time.monotonic()
    found = _count(Wanted(project.id, project.number, filters, limit=most + 1), seconds)
    answer: list[int | None] = [None, 0] if found is None else [min(found, most), int(found > most)]
    cache.keep(name, answer, FRESH_SECONDS + PRICE * (time.monotonic() - began))
    return answer


def _count(wanted: Wanted, seconds: float) -> int | None:
    """The number of keys; None when that takes longer. The savepoint keeps the transaction usable then."""
    try:
        with db.session().begin_nested():
            db.session().execute(_HURRY, {"limit": f"{max(1, int(seconds * 1000))}ms"})
            return len(find_keys(wanted))
    except OperationalError as error:
        if isinstance(error.orig, QueryCanceled):
            return None
        raise
