"""What a request asks of the history: filters, the form as filled in, the address that says the same."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import urlencode

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from portal import workorders
from portal.core.errors import Invalid
from portal.core.text import N_
from portal.web import forms
from portal.web.i18n import zone

DATES = ("received_from", "received_to", "active_from", "active_to", "started_from", "started_to")
# At home in the same address, but no filters.
PASSING = {"cursor", "shown", "of", "since", "seen", "new", "empty", "csrf_token"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters that were understood, the form that shows them, and names that mean nothing.

    `tidy`: the address is already the shortest that says the same.
    """

    filters: workorders.SearchFilters
    form: forms.Form[Any]
    ignored: tuple[str, ...]
    tidy: bool

    @property
    def ok(self) -> bool:
        """Whether every filter could be read."""
        return self.form.ok


def read(source: MultiDict[str, str]) -> Asked:
    """Read an address or form. Times without an offset are meant in the reader's zone (ux §12)."""
    typed = [(name, value) for name, value in source.items(multi=True) if name not in PASSING]
    found = workorders.read_filters([(name, _in_zone(name, value)) for name, value in typed])
    errors = {name: [_(text) for text in texts] for name, texts in found.errors.items()}
    values = _values(found.filters, {name: _refused(name, source.get(name, "")) for name in errors})
    tidy = sorted(typed) == sorted(found.filters.to_query())
    return Asked(found.filters, forms.Form(None, values, errors), found.ignored, tidy)


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
    return moment.replace(tzinfo=zone()).isoformat()


def _values(filters: workorders.SearchFilters, typed: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields of the form hold; a refused field holds what was typed."""
    values: dict[str, Any] = {
        "q": filters.q,
        "in": list(filters.search_in),
        "state": list(filters.states),
        "workflow": [str(id_) for id_ in filters.workflows],
        "terms": [(term.name, term.text) for term in filters.terms],
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
