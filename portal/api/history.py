"""Work orders, runs and log lines to read (workorders §15)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from flask import Blueprint, g, request

from portal import projects, workorders
from portal.api import shapes
from portal.api.endpoints import endpoint, stand_in
from portal.api.queries import AmongQuery, HistoryQuery, LinesQuery, RunsQuery
from portal.api.shapes import Numbered, One, Resource, Shape, own_link
from portal.web import guarded
from portal.workorders import LogLevel, RunState, WorkorderState

bp = Blueprint("api_history", __name__, url_prefix="/api")
AREA = "History"


class WorkorderAttributes(Shape):
    """What a work order is like."""

    state: WorkorderState
    last_activity: datetime
    inserted_at: datetime
    updated_at: datetime


class WorkorderResource(Resource[WorkorderAttributes]):
    """A work order."""

    type: Literal["work_orders"] = "work_orders"


class RunAttributes(Shape):
    """What a run is like; `priority` 0 goes before 1."""

    state: RunState
    started_at: datetime | None
    finished_at: datetime | None
    priority: int
    error_type: str | None


class RunResource(Resource[RunAttributes]):
    """A run."""

    type: Literal["runs"] = "runs"


class LineAttributes(Shape):
    """What a log line is like."""

    message: str
    level: LogLevel
    source: str | None
    timestamp: datetime
    run_id: uuid.UUID
    step_id: uuid.UUID | None


class LineResource(Resource[LineAttributes]):
    """A log line; its id is that of the run and its place in it."""

    type: Literal["log_lines"] = "log_lines"


class WorkorderPage(Numbered[WorkorderResource]):
    """A page of work orders."""


class RunsPage(Numbered[RunResource]):
    """A page of runs."""


class LinesPage(Numbered[LineResource]):
    """A page of log lines."""


class OneWorkorder(One[WorkorderResource]):
    """One work order."""


class OneRun(One[RunResource]):
    """One run."""


class OneLine(One[LineResource]):
    """One log line."""


@bp.get("/work_orders")
@guarded("accounts:use")
@endpoint(AREA, answer=WorkorderPage, query=HistoryQuery)
def list_workorders(query: HistoryQuery) -> WorkorderPage:
    """Work orders of all projects you are a member of, by last activity, newest first."""
    return _workorders(query, _mine(query))


@bp.get("/projects/<uuid:project_id>/work_orders")
@guarded("workorders:read")
@endpoint(AREA, answer=WorkorderPage, query=HistoryQuery)
def list_workorders_of_project(project_id: uuid.UUID, query: HistoryQuery) -> WorkorderPage:
    """Work orders of one project, by last activity, newest first."""
    return _workorders(query, [project_id])


@bp.get("/work_orders/<uuid:work_order_id>")
@guarded("accounts:use")
@endpoint(AREA, answer=OneWorkorder)
def show_workorder(work_order_id: uuid.UUID) -> OneWorkorder:
    """One work order."""
    item = workorders.get_workorder_item(work_order_id)
    stand_in(item.project_id, "workorders:read")
    return one_workorder(item)


@bp.get("/runs")
@guarded("accounts:use")
@endpoint(AREA, answer=RunsPage, query=RunsQuery)
def list_runs(query: RunsQuery) -> RunsPage:
    """Runs of all projects you are a member of, newest first."""
    return _runs(query, _mine(query))


@bp.get("/projects/<uuid:project_id>/runs")
@guarded("workorders:read")
@endpoint(AREA, answer=RunsPage, query=RunsQuery)
def list_runs_of_project(project_id: uuid.UUID, query: RunsQuery) -> RunsPage:
    """Runs of one project, newest first."""
    return _runs(query, [project_id])


@bp.get("/runs/<uuid:run_id>")
@guarded("accounts:use")
@endpoint(AREA, answer=OneRun)
def show_run(run_id: uuid.UUID) -> OneRun:
    """One run."""
    item = workorders.get_run_item(run_id)
    stand_in(item.project_id, "workorders:read")
    return one_run(item)


@bp.get("/log_lines")
@guarded("accounts:use")
@endpoint(AREA, answer=LinesPage, query=LinesQuery)
def list_lines(query: LinesQuery) -> LinesPage:
    """Log lines of all projects you are a member of, newest first.

    Lines are sought in the newest 1,000 runs that pass, as far as these have 50,000 lines.
    To go further back, give `timestamp_before`: later runs then do not count.
    """
    runs = workorders.Among(_mine(query), _workflows(query), work_order=query.work_order_id, run=query.run_id)
    level = LogLevel(query.level) if query.level in set(LogLevel) else None
    written = workorders.Span(query.timestamp_after, query.timestamp_before)
    among = workorders.LinesAmong(runs, query.job_id, level, written)
    page = workorders.list_lines(among, number=query.page, size=query.size)
    return shapes.numbered(LinesPage, page, [_line(item) for item in page.items])


@bp.get("/log_lines/<uuid:run_id>/<int:seq>")
@guarded("accounts:use")
@endpoint(AREA, answer=OneLine)
def show_line(run_id: uuid.UUID, seq: int) -> OneLine:
    """One log line, by its run and its place in it."""
    stand_in(workorders.get_run_item(run_id).project_id, "workorders:read")
    return shapes.one(OneLine, _line(workorders.get_line_item(run_id, seq)))


def _mine(query: AmongQuery) -> list[uuid.UUID]:
    """The projects that count: memberships, or the one asked for if it is among them."""
    mine = projects.open_to_member(g.actor)
    return mine if query.project_id is None else [id_ for id_ in mine if id_ == query.project_id]


def _workflows(query: AmongQuery) -> list[uuid.UUID]:
    return query.workflows(list(request.args))


def _among(query: HistoryQuery, project_ids: Sequence[uuid.UUID], **more: Any) -> workorders.Among:
    return workorders.Among(
        project_ids,
        _workflows(query),
        workorders.Span(query.inserted_after, query.inserted_before),
        workorders.Span(query.updated_after, query.updated_before),
        **more,
    )


def _workorders(query: HistoryQuery, project_ids: Sequence[uuid.UUID]) -> WorkorderPage:
    page = workorders.list_workorders(_among(query, project_ids), number=query.page, size=query.size)
    return shapes.numbered(WorkorderPage, page, [_workorder(item) for item in page.items])


def _runs(query: RunsQuery, project_ids: Sequence[uuid.UUID]) -> RunsPage:
    among = _among(query, project_ids, work_order=query.work_order_id)
    page = workorders.list_runs(among, number=query.page, size=query.size)
    return shapes.numbered(RunsPage, page, [_run(item) for item in page.items])


def one_workorder(item: workorders.WorkorderItem) -> OneWorkorder:
    """The answer for one work order, whatever was asked of it."""
    resource = _workorder(item)
    return OneWorkorder(data=resource, links=resource.links)


def one_run(item: workorders.RunItem) -> OneRun:
    """The answer for one run, whatever was asked of it."""
    resource = _run(item)
    return OneRun(data=resource, links=resource.links)


def _workorder(item: workorders.WorkorderItem) -> WorkorderResource:
    return WorkorderResource(
        id=str(item.id),
        attributes=WorkorderAttributes.model_validate(item, from_attributes=True),
        links=own_link("api_history.show_workorder", work_order_id=item.id),
    )


def _run(item: workorders.RunItem) -> RunResource:
    return RunResource(
        id=str(item.id),
        attributes=RunAttributes.model_validate(item, from_attributes=True),
        links=own_link("api_history.show_run", run_id=item.id),
    )


def _line(item: workorders.LineItem) -> LineResource:
    return LineResource(
        id=f"{item.run_id}:{item.seq}",
        attributes=LineAttributes.model_validate(item, from_attributes=True),
        links=own_link("api_history.show_line", run_id=item.run_id, seq=item.seq),
    )
