"""The work orders of a bulk deed, found by key in the order received (performance §7).

No list of them is kept: each block is asked for anew, after the last one dealt with and
within the cut-off, so a worker that takes over needs nothing but the checkpoint.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.core import db
from portal.projects import Project
from portal.workorders import search
from portal.workorders.bulk_task import Task
from portal.workorders.deeds import Deed
from portal.workorders.inputs import SearchFilters, Sort
from portal.workorders.listing import Key, Wanted

# ruff: noqa: S608 - statements are put together from constants of this module; values are always bound.

BLOCK = 20_000
_BE_PATIENT = sa.text("SELECT set_config('statement_timeout', '10min', true)")
_AMONG_IDS = "FROM work_orders w WHERE w.id = ANY(CAST(:ids AS uuid[]))"
_AMONG_ITEMS = """FROM operation_items i JOIN work_orders w ON w.id = i.item_id
    WHERE i.operation_id = :again_of AND i.result <> 'done'"""
_AFTER = "AND (w.inserted_at, w.id) > (:at, :id)"
_BLOCK = """SELECT w.inserted_at, w.id {among} AND w.project_id = :project_id {after}
    ORDER BY w.inserted_at, w.id LIMIT :limit"""


def within(deed: Deed, filters: SearchFilters, cut_off: datetime) -> SearchFilters:
    """The filters for what a deed is about, oldest first.

    What was active after the cut-off is no longer in the state that somebody looked at. For a
    cancellation the age of the runs decides instead (`cancel_many`).
    """
    if deed is not Deed.CANCEL:
        last = cut_off if filters.active_to is None else min(filters.active_to, cut_off)
        filters = filters.model_copy(update={"active_to": last})
    return filters.sorted_by(Sort.RECEIVED_ASC)


def first_ids(project: Project, task: Task, limit: int) -> list[uuid.UUID]:
    """The first ids of the set; those of a selection by ids all, whether they exist or not.

    Raises Unavailable when a search takes more than 30 seconds.
    """
    if task.selection.filters is None:
        return list(dict.fromkeys(task.selection.ids))
    filters = within(task.deed, task.selection.filters, task.cut_off)
    wanted = Wanted(project.id, project.number, filters, limit=limit, cut_off=task.cut_off)
    return [key.id for key in search.patient_keys(wanted)]


def blocks(project: Project, task: Task, after: Key | None) -> Iterator[list[Key]]:
    """The keys after `after`, up to 20,000 at a time, which is all that is held in memory."""
    while keys := _block(project, task, after):
        yield keys
        after = keys[-1]


def _block(project: Project, task: Task, after: Key | None) -> list[Key]:
    with db.unit_of_work():
        db.session().execute(_BE_PATIENT)
        if task.selection.filters is None:
            return _listed(project.id, task, after)
        filters = within(task.deed, task.selection.filters, task.cut_off)
        return search.find_keys(
            Wanted(project.id, project.number, filters, after, limit=BLOCK, cut_off=task.cut_off)
        )


def _listed(project_id: uuid.UUID, task: Task, after: Key | None) -> list[Key]:
    among = _AMONG_IDS if task.again_of is None else _AMONG_ITEMS
    values: dict[str, Any] = {"project_id": project_id, "limit": BLOCK}
    values |= {"ids": list(task.selection.ids)} if task.again_of is None else {"again_of": task.again_of}
    values |= {"at": after.at, "id": after.id} if after else {}
    statement = sa.text(_BLOCK.format(among=among, after=_AFTER if after else ""))
    return [Key(at, id_) for at, id_ in db.session().execute(statement, values)]


def count_all(project: Project, task: Task) -> int:
    """How many work orders the filters of `task` find, however many those are."""
    filters = within(task.deed, task.selection.filters or SearchFilters(), task.cut_off)
    found = search.all_keys_sql(Wanted(project.id, project.number, filters, cut_off=task.cut_off))
    if found is None:
        return 0
    with db.unit_of_work():
        db.session().execute(_BE_PATIENT)
        return int(db.session().scalar(sa.text(f"SELECT count(*) FROM ({found[0]}) AS k"), found[1]) or 0)


def strangers(project_id: uuid.UUID, ids: tuple[uuid.UUID, ...]) -> list[uuid.UUID]:
    """Those of `ids` that are no work order of the project, ascending."""
    here = db.session().scalars(
        sa.text(f"SELECT w.id {_AMONG_IDS} AND w.project_id = :project_id"),
        {"ids": list(ids), "project_id": project_id},
    )
    return sorted(set(ids) - set(here))
