"""The names and spellings under which filters of the history arrive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from typing import Any

from portal.workorders.models import WorkorderState

# Own name → name in the address; terms stand there under the names of `TERMS`.
ADDRESS = {
    "q": "q",
    "search_in": "in",
    "terms": "terms",
    "states": "state",
    "not_states": "not.state",
    "workflows": "workflow",
    "not_workflows": "not.workflow",
    "errors": "error",
    "not_errors": "not.error",
    "error_group": "error_group",
    "received_from": "received_from",
    "received_to": "received_to",
    "active_from": "active_from",
    "active_to": "active_to",
    "started_from": "started_from",
    "started_to": "started_to",
    "work_order": "work_order",
    "sort": "sort",
}
# The names of workorders §9.1.
_SPEC = {
    "status": "states",
    "search_term": "q",
    "search_fields": "search_in",
    "workflow_id": "workflows",
    "workorder_id": "work_order",
    "work_order_id": "work_order",
    "wo_date_after": "received_from",
    "wo_date_before": "received_to",
    "date_after": "active_from",
    "date_before": "active_to",
}
_OWN = {name: name for name in ADDRESS} | {short: name for name, short in ADDRESS.items()} | _SPEC
_LISTS = {"states", "not_states", "workflows", "not_workflows", "search_in"}
# Lists whose values may hold a comma.
_WHOLE = {"errors", "not_errors", "terms"}
# One boolean per choice, as old addresses have it.
_FLAGS = dict.fromkeys((state.value for state in WorkorderState), "states")
_FLAGS |= dict.fromkeys(("id", "body", "log", "name", "dataclip_name"), "search_in")
# Places of further terms, as in `has.log=timeout` and `not.log=retry`.
_PLACES = ("id", "body", "log", "name")
TERMS = {f"has.{place}": (place, False) for place in _PLACES}
TERMS |= {f"not.{place}": (place, True) for place in _PLACES}
# Not filters, but at home in the same address.
_PASSING = {"cursor"}
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` without what PostgreSQL cannot store and nobody types: control characters, lone surrogates."""
    return _UNFIT.sub("", text).strip()


def turned(name: str) -> str | None:
    """The name in the address of the filter that means the opposite; None when there is none."""
    for plain in ("state", "workflow", "error", *(f"has.{place}" for place in _PLACES)):
        negated = f"not.{plain.removeprefix('has.')}"
        if name in (plain, negated):
            return negated if name == plain else plain
    return None


def clean_text(value: object) -> object:
    """`clean` for what is text; anything else as it is, for others to refuse."""
    return clean(value) if isinstance(value, str) else value


def gather(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Pairs as a dict of lists, in the order of arrival."""
    gathered: dict[str, list[str]] = {}
    for name, value in pairs:
        gathered.setdefault(name, []).append(value)
    return gathered


def normalise(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Rename to the model's own names, split lists, clean texts; also answer the unknown names.

    A list that is given but empty stays given: it says "none of them".
    """
    known: dict[str, Any] = {}
    ignored = []
    for name, value in data.items():
        values = _flat(value)
        if name in _OWN:
            _put(known, _OWN[name], values)
        elif name in TERMS:
            _put(known, "terms", [_term(name, value) for value in values if value != ""])
        elif name in _FLAGS and all(value in ("true", "false") for value in values):
            _put(known, _FLAGS[name], [name] if "true" in values else [])
        elif name not in _PASSING and name not in ("sort_by", "sort_direction"):
            ignored.append(clean(str(name))[:40])
    _put_sort(known, data)
    return known, tuple(ignored)


def _term(name: str, text: object) -> dict[str, object]:
    place, negated = TERMS[name]
    return {"field": place, "text": text, "negated": negated}


def _flat(value: Any) -> list[Any]:
    items = value if isinstance(value, (list, tuple)) else [value]
    return [clean(item) if isinstance(item, str) else _flag(item) for item in items if item is not None]


def _flag(item: Any) -> Any:
    return str(item).lower() if isinstance(item, bool) else item


def _put(known: dict[str, Any], name: str, values: list[Any]) -> None:
    if name in _LISTS:
        known[name] = [*known.get(name, []), *_pieces(values)]
    elif name in _WHOLE:
        known[name] = [*known.get(name, []), *(value for value in values if value != "")]
    elif given := [value for value in values if value != ""]:
        known[name] = given[-1]


def _pieces(values: list[Any]) -> list[Any]:
    split = [value.split(",") if isinstance(value, str) else [value] for value in values]
    pieces = [piece.strip() if isinstance(piece, str) else piece for some in split for piece in some]
    return ["name" if piece == "dataclip_name" else piece for piece in pieces if piece != ""]


def _put_sort(known: dict[str, Any], data: Mapping[str, Any]) -> None:
    by, direction = (_last(data.get(name)) for name in ("sort_by", "sort_direction"))
    if by and direction and "sort" not in known:
        known["sort"] = by if direction == "asc" else f"-{by}" if direction == "desc" else f"{by} {direction}"
    if isinstance(sort := known.get("sort"), str):
        known["sort"] = sort.replace("received", "inserted_at")


def _last(value: Any) -> str:
    values = _flat(value)
    return str(values[-1]) if values else ""


def read_start(value: Any) -> datetime | None:
    """The moment meant by `value` as the beginning of a range. Raises ValueError for what is no date."""
    return _read(value, time.min)


def read_end(value: Any) -> datetime | None:
    """The moment meant by `value` as the inclusive end of a range: a bare date means its last moment."""
    return _read(value, time.max)


def _read(value: Any, of_day: time) -> datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        moment = value
    else:
        # A plus sign that nobody escaped arrives as a blank.
        text = re.sub(r"(T.*) (\d\d:?\d\d)$", r"\1+\2", str(value))
        moment = datetime.fromisoformat(text)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            moment = datetime.combine(moment.date(), of_day)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the calendar") from error
