"""The page of one run: its steps on a time line, what went in and out, and its log."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from flask import Blueprint, Response, g, make_response, request, stream_with_context, url_for
from flask_babel import gettext as _

from portal import dataclips, workorders
from portal.core.errors import NotFound
from portal.core.limits import limits
from portal.web import guarded, render
from portal.web.json_tokens import tokens

bp = Blueprint("runs", __name__, url_prefix="/projects/<uuid:project_id>/runs")

LEVELS = ("error", "warn", "success", "info", "always", "debug")
UNFINISHED = ("available", "claimed", "started")
# Larger bodies are shown only when asked for.
SMALL_BODY = 200_000
LARGEST_SHOWN = 2_000_000
DOWNLOAD_PAGE = 2_000


@bp.get("/<uuid:run_id>")
@guarded("workorders:read")
def show(project_id: uuid.UUID, run_id: uuid.UUID) -> Response:
    """One run. `?step=` chooses a step; htmx asks for parts by `?view=` steps, input, output, logs."""
    run = workorders.run_page(project_id, run_id)
    view = request.args.get("view") if render.is_partial() else None
    if view == "logs":
        return _logs(run)
    if view == "steps":
        return _steps(run)
    step = _chosen(run)
    values = _base(run, step) | _viewers(run, step)
    if view in ("input", "output"):
        return render.fragment("runs/_viewer.html", which=view, **values)
    return render.page("runs/show.html", **values, log=_log(run, step), failure=_failure(run))


def _base(run: workorders.RunPage, step: workorders.StepRow | None) -> dict[str, Any]:
    return {
        "run": run,
        "step": step,
        "unfinished": run.state in UNFINISHED,
        "levels": LEVELS,
        "chosen_levels": _levels(),
        "version": _version(run),
        "stop_seconds": limits().run_stop_seconds,
    }


def _version(run: workorders.RunPage) -> str:
    """Changes whenever the steps' part of the page would look different."""
    steps = [(step.id, step.exit_reason, step.output) for step in run.steps]
    seen = (run.state, run.work_order_state, run.stop_asked_at, run.siblings, steps)
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


@bp.post("/<uuid:run_id>/stop")
@guarded("workorders:cancel")
def stop(project_id: uuid.UUID, run_id: uuid.UUID) -> Response:
    """Ask a working run to stop; the page then says until when (workorders §12.6)."""
    workorders.ask_stop(project_id, run_id, actor=g.actor)
    run = workorders.run_page(project_id, run_id)
    where = url_for("runs.show", project_id=project_id, run_id=run_id)
    values = _base(run, None) | {"failure": _failure(run)}
    return render.done(
        where,
        fragment="runs/_head.html",
        toast=_("The run was asked to stop."),
        event="run-stop-asked",
        **values,
    )


def _chosen(run: workorders.RunPage) -> workorders.StepRow | None:
    """The step of the address. Raises NotFound when the run has no such step."""
    if not request.args.get("step"):
        return None
    chosen = next((step for step in run.steps if str(step.id) == request.args["step"]), None)
    if chosen is None:
        raise NotFound
    return chosen


def _steps(run: workorders.RunPage) -> Response:
    """The steps for a page that looks again; 304 while nothing has changed."""
    version = _version(run)
    if request.headers.get("HX-PTag") == version:
        return make_response("", 304)
    step = _chosen(run)
    values = _base(run, step) | _viewers(run, step) | {"failure": _failure(run)}
    response = render.fragment("runs/_live.html", **values)
    response.headers["HX-PTag"] = version
    return response


# What went in and came out


@dataclass(frozen=True, slots=True)
class Side:
    """A body for the viewer: `clip` None when there is none; `coloured` its text in pieces, or None."""

    clip: dataclips.Preview | None
    coloured: list[tuple[str, str]] | None


def _viewers(run: workorders.RunPage, step: workorders.StepRow | None) -> dict[str, Any]:
    """The input and output of the chosen step, else of the whole run."""
    pair = (step.input, step.output) if step else (run.input, run.final)
    sides = {"input": _side(pair[0], "input"), "output": _side(pair[1], "output")}
    return {"sides": sides}


def _side(ref: workorders.DataclipRef | None, which: str) -> Side:
    if ref is None:
        return Side(None, None)
    most = LARGEST_SHOWN if request.args.get("anyway") == which else SMALL_BODY
    clip = workorders.shown_preview(g.standing.project.id, ref.id, most=most)
    return Side(clip, tokens(clip.text) if clip.text is not None else None)


# Log lines


def _levels() -> list[str]:
    """The levels asked for; none asked, or all of them, is no filter."""
    asked = [level for level in request.args.getlist("level") if level in LEVELS]
    return asked if len(set(asked)) < len(LEVELS) else []


def _log(run: workorders.RunPage, step: workorders.StepRow | None) -> workorders.LogPage:
    after = max(0, min(request.args.get("after", 0, type=int), 2**62))
    step_id = step.id if step else None
    return workorders.log_lines(
        g.standing.project.id, run.id, levels=_levels(), step_id=step_id, after_seq=after
    )


def _logs(run: workorders.RunPage) -> Response:
    """The whole part, or with `?after=` only later lines; 204 while a live run has none."""
    step = _chosen(run)
    log, values = _log(run, step), _base(run, step)
    if "after" not in request.args:
        return render.fragment("runs/_logs.html", log=log, **values)
    if not log.lines and values["unfinished"]:
        return make_response("", 204)
    return render.fragment("runs/_log_lines.html", log=log, **values)


def _failure(run: workorders.RunPage) -> workorders.LogRow | None:
    """The first line that tells of an error, for the head of a run that ended badly."""
    if run.state in (*UNFINISHED, "success"):
        return None
    found = workorders.log_lines(g.standing.project.id, run.id, levels=["error"], limit=1)
    return found.lines[0] if found.lines else None


@bp.get("/<uuid:run_id>/log.txt")
@guarded("workorders:read")
def log_text(project_id: uuid.UUID, run_id: uuid.UUID) -> Response:
    """The log as text, a line each, with the filters of the page; never whole in memory."""
    run = workorders.run_page(project_id, run_id)
    step = _chosen(run)
    lines = _all_lines(project_id, run_id, _levels(), step.id if step else None)
    response = Response(stream_with_context(lines), mimetype="text/plain")
    response.headers["Content-Disposition"] = f'attachment; filename="run-{run_id}.log.txt"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _all_lines(
    project_id: uuid.UUID, run_id: uuid.UUID, levels: list[str], step_id: uuid.UUID | None
) -> Iterator[str]:
    after, more = 0, True
    while more:
        page = workorders.log_lines(
            project_id, run_id, levels=levels, step_id=step_id, after_seq=after, limit=DOWNLOAD_PAGE
        )
        yield "".join(_as_text(line) for line in page.lines)
        after, more = page.last_seq, page.more


def _as_text(line: workorders.LogRow) -> str:
    moment = line.timestamp.astimezone(UTC).isoformat(timespec="milliseconds")
    return f"{moment} {line.level.upper():7} {line.source or '-':3} {line.message}\n"
