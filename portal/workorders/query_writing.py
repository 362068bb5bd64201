"""Filters as text of the search box's language (workorders §9.6)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import tzinfo

from portal.workorders import query_dates
from portal.workorders.inputs import EVERYWHERE, SearchFilters, Sort
from portal.workorders.names import clean
from portal.workorders.query_text import DATES, NOWHERE
from portal.workorders.query_tokens import LISTS, has_keys, quoted

_PLAIN_VALUE = re.compile(r'[^\s"]+')
_PLAIN_ITEM = re.compile(r'[^\s",]+')
_PLAIN_WORDS = re.compile(r'[^\s"-][^\s"]*( [^\s"-][^\s"]*)*')


def write_query(filters: SearchFilters, names: Mapping[uuid.UUID, str], zone: tzinfo) -> str:
    """The text that `read_query` understands as these filters.

    `names` are the workflows' names; one that is missing or stands twice is written as its
    id. Dates are written in `zone`.
    """
    pieces = [*_lists(filters, names), *_terms(filters), *_times(filters, zone), *_singles(filters)]
    if filters.q:
        pieces.append(_plain(filters.q, alone=not pieces))
    return " ".join(pieces)


def _lists(filters: SearchFilters, names: Mapping[uuid.UUID, str]) -> Iterable[str]:
    known = [name.casefold() for name in names.values()]
    once = {id_: name for id_, name in names.items() if known.count(name.casefold()) == 1}
    for sign, states, workflows, errors in (
        ("", filters.states, filters.workflows, filters.errors),
        ("-", filters.not_states, filters.not_workflows, filters.not_errors),
    ):
        yield from _piece(sign, "state", states)
        yield from _piece(sign, "workflow", [_name(once.get(id_, ""), id_) for id_ in workflows])
        yield from _piece(sign, "error", errors)


def _name(name: str, id_: uuid.UUID) -> str:
    """The name, unless it would be read otherwise: as another id, or without the blanks around it."""
    try:
        uuid.UUID(name)
    except ValueError:
        return name if name and name == clean(name) else str(id_)
    return str(id_)


def _terms(filters: SearchFilters) -> Iterable[str]:
    for term in filters.terms:
        yield from _piece("-" if term.negated else "", term.field, [term.text])


def _times(filters: SearchFilters, zone: tzinfo) -> Iterable[str]:
    for key in DATES:
        first, last = getattr(filters, f"{key}_from"), getattr(filters, f"{key}_to")
        if first or last:
            yield f"{key}:{query_dates.write(first, last, zone)}"


def _singles(filters: SearchFilters) -> Iterable[str]:
    if filters.work_order:
        yield f"work_order:{filters.work_order}"
    if filters.error_group:
        yield f"error_group:{filters.error_group}"
    if filters.search_in != EVERYWHERE:
        yield "in:" + (",".join(filters.search_in) or NOWHERE)
    if filters.sort is not Sort.ACTIVE_DESC:
        yield f"sort:{filters.sort}"


def _piece(sign: str, key: str, values: Iterable[str]) -> Iterable[str]:
    plain = _PLAIN_ITEM if key in LISTS else _PLAIN_VALUE
    texts = [value if plain.fullmatch(value) and value[:2] != "//" else quoted(value) for value in values]
    if texts:
        yield f"{sign}{key}:{','.join(texts)}"


def _plain(term: str, *, alone: bool) -> str:
    """The plain term: as it stands when it is alone or made of simple words, else in quotes."""
    simple = term if alone else _PLAIN_WORDS.fullmatch(term)
    return term if simple and not has_keys(term) else quoted(term)
