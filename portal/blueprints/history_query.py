"""What a request asks of the history: filters, the form as filled in, the address that says the same."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import urlencode

from flask import g, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from portal import workflows, workorders
from portal.core.errors import Invalid
from portal.core.text import N_
from portal.web import forms
from portal.web.i18n import zone

DATES = ("received_from", "received_to", "active_from", "active_to", "started_from", "started_to")
# At home in the same address, but no filters.
PASSING = {"cursor", "shown", "of", "since", "seen", "new", "empty", "csrf_token"}
# What the search box says alone: the form beside it repeats these, or they count once.
BOX_ALONE = {"q", "query", "in"}
_MINUTE = re.compile(r".*T\d\d:\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters that were understood, the form that shows them, and names that mean nothing.

    `tidy`: the address is already the shortest that says the same. `typed` is what came out
    of the search box, if it was sent.
    """

    filters: workorders.SearchFilters
    form: forms.Form[Any]
    ignored: tuple[str, ...]
    tidy: bool
    typed: workorders.QueryText | None = None

    @property
    def ok(self) -> bool:
        """Whether every filter could be read."""
        return self.form.ok

    @property
    def spoken(self) -> bool:
        """Whether the search box said more than a plain term."""
        return self.typed is not None and any(name != "q" for name, _value in self.typed.pairs)

    @property
    def problems(self) -> list[str]:
        """What is wrong in the search box, in words."""
        return [_(each.message, **each.values) for each in self.typed.problems] if self.typed else []

    @property
    def marked(self) -> list[tuple[str, bool]]:
        """The text of the search box in pieces, true where something is wrong."""
        pieces, done = [], 0
        text = self.typed.text if self.typed else ""
        for each in self.typed.problems if self.typed else ():
            if each.start >= done:
                pieces += [(text[done : each.start], False), (text[each.start : each.end], True)]
                done = each.end
        return [piece for piece in (*pieces, (text[done:], False)) if piece[0]]

    @property
    def text(self) -> str:
        """The filters in the language of the search box."""
        names = {each.id: each.name for each in self.workflows()}
        return workorders.write_query(self.filters, names, zone())

    @staticmethod
    def workflows() -> Sequence[workflows.WorkflowName]:
        """The project's workflows; looked up once in a request."""
        if "workflow_names" not in g:
            g.workflow_names = workflows.list_names(g.standing.project.id)
        found: Sequence[workflows.WorkflowName] = g.workflow_names
        return found


def read(source: MultiDict[str, str]) -> Asked:
    """Read an address or form. Times without an offset are meant in the reader's zone (ux §12)."""
    typed = [(name, value) for name, value in source.items(multi=True) if name not in PASSING]
    box = _box(source)
    said = {name for name, _value in box.pairs} | {"q", "query"} if box else set()
    # The box alone says the plain term; the places that it names are not joined with the check boxes.
    pairs = [(name, _in_zone(name, value)) for name, value in typed if name not in said & BOX_ALONE]
    found = workorders.read_filters([*pairs, *(box.pairs if box else ())])
    errors = {name: [_(text) for text in texts] for name, texts in found.errors.items()}
    kept = {name: _refused(name, source.get(name, "")) for name in errors}
    if box and (box.problems or "q" in errors):
        kept["q"] = box.text
    values = _values(found.filters, kept)
    asked = Asked(found.filters, forms.Form(None, values, errors), found.ignored, _tidy(typed, found), box)
    if asked.problems:
        errors["q"] = asked.problems
    return asked


def _box(source: MultiDict[str, str]) -> workorders.QueryText | None:
    """What the search box says, if it was sent."""
    text = source.get("query")
    return None if text is None else workorders.read_query(text, workflows=Asked.workflows, zone=zone())


def _tidy(typed: list[tuple[str, str]], found: workorders.ReadFilters) -> bool:
    return sorted(typed) == sorted(found.filters.to_query())


def _in_zone(name: str, text: str) -> str:
    """A date without offset as the same moment with the offset of the reader's zone; else as it is."""
    if name not in DATES:
        return text
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return text
    if moment.tzinfo is not None:
        return text
    if _DAY.fullmatch(text.strip()):
        moment = datetime.combine(moment, time.max if name.endswith("_to") else time.min)
    elif name.endswith("_to") and _MINUTE.fullmatch(text.strip()):
        # A field shows no seconds: sent again, the end of a day shall still be its end.
        moment = moment.replace(second=59, microsecond=999_999)
    return moment.replace(tzinfo=zone()).isoformat()


def _values(filters: workorders.SearchFilters, typed: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields of the form hold; a refused field holds what was typed."""
    values: dict[str, Any] = {
        "q": filters.q,
        "in": list(filters.search_in),
        "state": list(filters.states),
        "workflow": [str(id_) for id_ in filters.workflows],
        "further": [(term.name, term.text) for term in filters.terms],
        "not.state": list(filters.not_states),
        "not.workflow": [str(id_) for id_ in filters.not_workflows],
        "error": list(filters.errors),
        "not.error": list(filters.not_errors),
        "error_group": str(filters.error_group or ""),
        "work_order": str(filters.work_order or ""),
        "sort": str(filters.sort),
    }
    values |= {name: _local(getattr(filters, name)) for name in DATES}
    return values | dict(typed)


def _refused(name: str, text: str) -> str:
    """What a refused field shows again: the text as typed; a date in the form that its field can hold."""
    try:
        return _local(datetime.fromisoformat(_in_zone(name, text))) if name in DATES else text
    except (ValueError, OverflowError):
        return text


def _local(moment: datetime | None) -> str:
    """The moment as a field for local date and time wants it."""
    return moment.astimezone(zone()).strftime("%Y-%m-%dT%H:%M") if moment else ""


def address(project_id: uuid.UUID, filters: workorders.SearchFilters, **more: Any) -> str:
    """The path of the history with these filters, and other pairs behind them."""
    return with_query(url_for("workorders.index", project_id=project_id), filters, **more)


def with_query(path: str, filters: workorders.SearchFilters, **more: Any) -> str:
    """`path` with the filters, and other pairs behind them."""
    query = "&".join(filter(None, [filters.query_string(), _encoded(more.items())]))
    return f"{path}?{query}" if query else path


def _encoded(pairs: Iterable[tuple[str, Any]]) -> str:
    return urlencode([(name, str(value)) for name, value in pairs if value is not None])


def moment(name: str) -> datetime:
    """The time with an offset in the request's argument `name`. Raises Invalid on it."""
    try:
        found = datetime.fromisoformat(request.args.get(name, ""))
        if found.tzinfo is None:
            raise ValueError
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid({name: [N_("This is not a date.")]}) from None
