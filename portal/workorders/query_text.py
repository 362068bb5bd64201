"""The language of the search box, read (workorders §9.6).

`state:failed,crashed workflow:"Intake" log:"timeout" received:>=2026-11-01 -state:lost visit`
means the same filters as an address; what is read here becomes the pairs of one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from difflib import get_close_matches

from portal.core.text import N_
from portal.workflows import WorkflowName
from portal.workorders import query_dates
from portal.workorders.inputs import SearchField, read_filters
from portal.workorders.models import WorkorderState
from portal.workorders.names import clean
from portal.workorders.query_tokens import Part, Problem, Token, has_keys, tokens

LONGEST = 2_000
TERMS = ("log", "body", "name", "id")
DATES = ("received", "active", "started")
SINGLE = ("work_order", "error_group", "sort")
KEYS = ("state", "workflow", "error", *TERMS, *DATES, *SINGLE, "in")
NEGATABLE = ("state", "workflow", "error", *TERMS)
NOWHERE = "none"

_TOO_LONG = N_("A search has at most 2,000 characters.")
_NO_KEY = N_('There is no key "%(key)s:". Keys are %(keys)s. To look for the text itself, put it in quotes.')
_MAYBE_KEY = N_('There is no key "%(key)s:". Did you mean "%(maybe)s:"?')
_EMPTY = N_('Say what to look for behind "%(key)s:", without a blank between.')
_NOT_NEGATABLE = N_('"%(key)s:" cannot be left out: take the minus away.')
_NO_STATE = N_('There is no state "%(value)s". States are %(states)s.')
_NO_WORKFLOW = N_('No workflow of this project is called "%(value)s".')
_MAYBE_WORKFLOW = N_('No workflow of this project is called "%(value)s". Did you mean "%(maybe)s"?')
_TWO_WORKFLOWS = N_('Several workflows are called "%(value)s". Choose one in the list of workflows.')
_NO_PLACE = N_('A text is not sought in "%(value)s", but in id, body, log, name or none.')
_TWICE = N_('"%(key)s:" says this a second time. Leave one of them.')

Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class QueryText:
    """What was understood: pairs as in an address, and what is wrong where. `text` is what was looked at."""

    text: str
    pairs: Pairs = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    workflows: Callable[[], Sequence[WorkflowName]]
    zone: tzinfo
    read: QueryText
    places: dict[str, Part | Token] = field(default_factory=dict)

    def put(self, name: str, value: str, place: Part | Token) -> None:
        self.read.pairs.append((name, value))
        self.places[name] = place

    def wrong(self, place: Part | Token, message: str, **values: str) -> None:
        self.read.problems.append(Problem(place.start, place.end, message, values))


def read_query(text: str, *, workflows: Callable[[], Sequence[WorkflowName]], zone: tzinfo) -> QueryText:
    """Read what was typed into the search box; never raises.

    Text without keys is a plain term, as it stands. `workflows` is asked only when a name
    has to be found; dates without offset are meant in `zone`.
    """
    text = clean(text)
    read = QueryText(text)
    reader = _Reader(workflows, zone, read)
    if text and not has_keys(text):
        reader.put("q", text, Part(text, 0, len(text)))
        _check(reader)
        return read
    if len(text) > LONGEST:
        read.problems.append(Problem(0, len(text), _TOO_LONG))
        return read
    found, read.problems = tokens(text)
    for token in found:
        _READ.get(token.key, _unknown)(reader, token)
    _put_plain(reader, [token for token in found if token.key is None])
    _check(reader)
    read.problems.sort(key=lambda problem: problem.start)
    return read


def _put_plain(reader: _Reader, words: list[Token]) -> None:
    term = clean(" ".join(part.text for token in words for part in token.parts))
    if term:
        reader.put("q", term, Token(None, False, (), words[0].start, words[-1].end))


def _check(reader: _Reader) -> None:
    """What each value by itself does not tell, such as an end before its beginning, is said of its place."""
    marked = {problem.start for problem in reader.read.problems}
    for name, messages in read_filters(reader.read.pairs).errors.items():
        place = reader.places.get(name)
        if place is not None and place.start not in marked:
            reader.wrong(place, messages[0])


def _unknown(reader: _Reader, token: Token) -> None:
    if token.key is None:
        return
    key = Token(None, False, (), token.start, token.start + token.negated + len(token.key) + 1)
    if maybe := get_close_matches(token.key, KEYS, 1):
        reader.wrong(key, _MAYBE_KEY, key=token.key, maybe=maybe[0])
    else:
        reader.wrong(key, _NO_KEY, key=token.key, keys=", ".join(KEYS))


def _given(reader: _Reader, token: Token) -> list[Part]:
    """The values of a token that are not empty; says so of the others, and of a minus that has no place."""
    key = token.key or ""
    if token.negated and key not in NEGATABLE:
        reader.wrong(token, _NOT_NEGATABLE, key=key)
        return []
    for part in token.parts:
        if not clean(part.text):
            reader.wrong(token if part.start == part.end else part, _EMPTY, key=key)
    return [part for part in token.parts if clean(part.text)]


def _name(token: Token) -> str:
    return f"not.{token.key}" if token.negated else str(token.key)


def _state(reader: _Reader, token: Token) -> None:
    for part in _given(reader, token):
        if (value := part.text.lower()) in set(WorkorderState):
            reader.put(_name(token), value, part)
        else:
            reader.wrong(part, _NO_STATE, value=part.text, states=", ".join(WorkorderState))


def _workflow(reader: _Reader, token: Token) -> None:
    for part in _given(reader, token):
        try:
            reader.put(_name(token), str(uuid.UUID(part.text)), part)
        except ValueError:
            _named_workflow(reader, token, part)


def _named_workflow(reader: _Reader, token: Token, part: Part) -> None:
    every = reader.workflows()
    alike = [each for each in every if each.name.casefold() == part.text.strip().casefold()]
    found = [each for each in alike if not each.deleted] or alike
    if len(found) == 1:
        reader.put(_name(token), str(found[0].id), part)
    elif found:
        reader.wrong(part, _TWO_WORKFLOWS, value=part.text)
    elif maybe := get_close_matches(part.text.casefold(), [each.name.casefold() for each in every], 1):
        meant = next(each.name for each in every if each.name.casefold() == maybe[0])
        reader.wrong(part, _MAYBE_WORKFLOW, value=part.text, maybe=meant)
    else:
        reader.wrong(part, _NO_WORKFLOW, value=part.text)


def _plainly(reader: _Reader, token: Token) -> None:
    for part in _given(reader, token):
        reader.put(_name(token), clean(part.text), part)


def _term(reader: _Reader, token: Token) -> None:
    for part in _given(reader, token):
        name = f"{'not' if token.negated else 'has'}.{token.key}"
        reader.put(name, clean(part.text), part)


def _once(reader: _Reader, token: Token) -> None:
    for part in _given(reader, token):
        _put_once(reader, str(token.key), clean(part.text), token, part)


def _put_once(reader: _Reader, name: str, value: str, token: Token, part: Part) -> None:
    if name in reader.places:
        reader.wrong(token, _TWICE, key=str(token.key))
    else:
        reader.put(name, value, part)


def _place(reader: _Reader, token: Token) -> None:
    parts = _given(reader, token)
    for part in parts:
        if part.text == NOWHERE and len(parts) == 1:
            reader.put("in", "", part)
        elif part.text in set(SearchField):
            reader.put("in", part.text, part)
        else:
            reader.wrong(part, _NO_PLACE, value=part.text)


def _date(reader: _Reader, token: Token) -> None:
    for part in _given(reader, token):
        try:
            start, end = query_dates.read(part.text, reader.zone)
        except (ValueError, OverflowError):
            reader.wrong(part, query_dates.NO_DATE, value=part.text)
            continue
        for ending, moment in (("from", start), ("to", end)):
            if moment is not None:
                _put_once(reader, f"{token.key}_{ending}", moment.isoformat(), token, part)


_READ: dict[str | None, Callable[[_Reader, Token], None]] = {
    "state": _state,
    "workflow": _workflow,
    "error": _plainly,
    "in": _place,
    **dict.fromkeys(TERMS, _term),
    **dict.fromkeys(DATES, _date),
    **dict.fromkeys(SINGLE, _once),
}
