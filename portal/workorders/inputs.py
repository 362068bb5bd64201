"""What may be asked of the history: one model for address, form and JSON (workorders §9.1)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from portal.core.text import N_
from portal.workorders import names
from portal.workorders.models import WorkorderState

LONGEST_TERM = 200
LONGEST_LIST = 100
LONGEST_ERROR = 200
MOST_TERMS = 10


class SearchField(StrEnum):
    """Where a term is sought (workorders §9.2)."""

    ID = "id"
    BODY = "body"
    LOG = "log"
    NAME = "name"


class Sort(StrEnum):
    """The order of the list; a leading minus says newest first."""

    ACTIVE_DESC = "-last_activity"
    ACTIVE_ASC = "last_activity"
    RECEIVED_DESC = "-inserted_at"
    RECEIVED_ASC = "inserted_at"

    @property
    def column(self) -> str:
        """The column that is sorted by."""
        return self.value.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the newest comes first."""
        return self.value.startswith("-")


EVERYWHERE = tuple(SearchField)
_MESSAGES = {
    "states": N_("One of these states does not exist."),
    "not_states": N_("One of these states does not exist."),
    "workflows": N_("One of these is not the id of a workflow."),
    "not_workflows": N_("One of these is not the id of a workflow."),
    "errors": N_("A type of error has at most 200 characters."),
    "not_errors": N_("A type of error has at most 200 characters."),
    "error_group": N_("This is not the id of a group of errors."),
    "q": N_("A search term has at most 200 characters."),
    "terms": N_("A search term has at most 200 characters, and there are at most 10 of them."),
    "search_in": N_("A term can be sought in: id, body, log, name."),
    "work_order": N_("This is not the id of a work order."),
    "sort": N_("The list can be sorted by last_activity or inserted_at."),
}
_BAD_DATE = N_("This is not a date.")
_REVERSED = N_("The end lies before the beginning.")

Early = Annotated[datetime | None, BeforeValidator(names.read_start)]
Late = Annotated[datetime | None, BeforeValidator(names.read_end)]
ErrorType = Annotated[str, Field(min_length=1, max_length=LONGEST_ERROR)]


class Term(BaseModel):
    """A term with a place of its own: work orders must have it there, or `negated` must not.

    `text` is 1 to 200 characters, without those of `names.clean`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    field: SearchField
    text: Annotated[str, BeforeValidator(names.clean_text), Field(min_length=1, max_length=LONGEST_TERM)]
    negated: bool = False

    @property
    def name(self) -> str:
        """Its name in the address: `has.log`, or `not.log` when negated."""
        return f"{'not' if self.negated else 'has'}.{self.field}"


@dataclass(frozen=True, slots=True)
class Pill:
    """One filter in force: its name in the address, and its value there."""

    field: str
    value: str


class SearchFilters(BaseModel):
    """Which work orders are wanted, and in which order.

    Filters join with AND, and so do `terms`, each sought in its own place; the places of
    `q`, and the values of one list, join with OR. What a `not_…` list names is left out.
    `errors` are types of error of the newest run; `error_group` a group that one of the
    runs belongs to; `started_…` the start of the
    newest run that has started. No state, or all of them: no filter. `search_in` counts
    only with a term; then an empty one finds nothing. Naive times are read as UTC, a bare
    date as the whole day. Reads the names of the address, of the specification, and its
    own. Unknown keys are ignored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    states: tuple[WorkorderState, ...] = Field((), max_length=LONGEST_LIST)
    not_states: tuple[WorkorderState, ...] = Field((), max_length=LONGEST_LIST)
    workflows: tuple[uuid.UUID, ...] = Field((), max_length=LONGEST_LIST)
    not_workflows: tuple[uuid.UUID, ...] = Field((), max_length=LONGEST_LIST)
    errors: tuple[ErrorType, ...] = Field((), max_length=LONGEST_LIST)
    not_errors: tuple[ErrorType, ...] = Field((), max_length=LONGEST_LIST)
    error_group: uuid.UUID | None = None
    q: str = Field("", max_length=LONGEST_TERM)
    search_in: tuple[SearchField, ...] = EVERYWHERE
    terms: tuple[Term, ...] = Field((), max_length=MOST_TERMS)
    received_from: Early = None
    received_to: Late = None
    active_from: Early = None
    active_to: Late = None
    started_from: Early = None
    started_to: Late = None
    work_order: uuid.UUID | None = None
    sort: Sort = Sort.ACTIVE_DESC

    @model_validator(mode="before")
    @classmethod
    def _use_own_names(cls, data: Any) -> Any:
        return names.normalise(data)[0] if isinstance(data, Mapping) else data

    @field_validator("states", "not_states", "search_in")
    @classmethod
    def _in_order(cls, chosen: tuple[StrEnum, ...]) -> tuple[StrEnum, ...]:
        return tuple(sorted(set(chosen), key=list(type(chosen[0])).index)) if chosen else ()

    @field_validator("states")
    @classmethod
    def _all_is_none(cls, chosen: tuple[WorkorderState, ...]) -> tuple[WorkorderState, ...]:
        return () if len(chosen) == len(WorkorderState) else chosen

    @field_validator("terms")
    @classmethod
    def _by_place(cls, chosen: tuple[Term, ...]) -> tuple[Term, ...]:
        places = list(SearchField)
        return tuple(sorted(dict.fromkeys(chosen), key=lambda term: (term.negated, places.index(term.field))))

    @field_validator("workflows", "not_workflows", "errors", "not_errors")
    @classmethod
    def _once_each(cls, chosen: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(sorted(set(chosen)))

    @field_validator("received_to", "active_to", "started_to")
    @classmethod
    def _not_reversed(cls, end: datetime | None, info: Any) -> datetime | None:
        start = info.data.get(info.field_name.replace("_to", "_from"))
        if start is not None and end is not None and end < start:
            raise ValueError(_REVERSED)
        return end

    def to_query(self) -> list[tuple[str, str]]:
        """The filters as pairs for an address, in one order, without what is default."""
        plain = self.model_dump(mode="json", exclude_defaults=True)
        pairs = []
        for name, short in names.ADDRESS.items():
            if name == "terms":
                pairs += [(term.name, term.text) for term in self.terms]
            elif name in plain:
                pairs += [(short, text) for text in _texts(plain[name])]
        return pairs

    def query_string(self) -> str:
        """`to_query` as the text behind the question mark; empty for the default list."""
        return urlencode(self.to_query())

    @property
    def sought(self) -> bool:
        """Whether words are sought at all: such a search takes longer, and is counted less far."""
        return bool(self.q or self.terms)

    @property
    def quick(self) -> bool:
        """Whether an index answers in any case: nothing is asked but states, workflows, an id, an order."""
        asked = self.model_dump(exclude_defaults=True).keys()
        return not asked - {"states", "not_states", "workflows", "work_order", "sort", "search_in"}

    @property
    def pills(self) -> list[Pill]:
        """The filters in force, for people to see and remove; the order of the list is none."""
        return [
            Pill(name, value)
            for name, value in self.to_query()
            if name != "sort" and (name != "in" or (self.q and value))
        ]

    def without(self, pill: Pill) -> SearchFilters:
        """The same filters but for that one; without the last place of a term it is sought everywhere."""
        left = [pair for pair in self.to_query() if pair != (pill.field, pill.value)]
        return read_filters(left).filters

    def turned(self, pill: Pill) -> SearchFilters | None:
        """The same filters with that one leaving out what it found, or the reverse; None for one without."""
        name = names.turned(pill.field)
        if name is None:
            return None
        old, new = (pill.field, pill.value), (name, pill.value)
        return read_filters([new if pair == old else pair for pair in self.to_query()]).filters

    def sorted_by(self, sort: Sort) -> SearchFilters:
        """The same filters in another order."""
        return self.model_copy(update={"sort": sort})


@dataclass(frozen=True, slots=True)
class ReadFilters:
    """What was understood of an address: filters, what was wrong with the rest, names that mean nothing."""

    filters: SearchFilters
    errors: dict[str, list[str]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def read_filters(pairs: Iterable[tuple[str, str]]) -> ReadFilters:
    """Read the pairs of an address or form; never raises.

    A value that cannot be read leaves its filter out and is named in `errors`, by its
    name in the address. Unknown names are collected in `ignored`.
    """
    data, ignored = names.normalise(names.gather(pairs))
    errors: dict[str, list[str]] = {}
    while True:
        try:
            return ReadFilters(SearchFilters.model_validate(data), errors, ignored)
        except ValidationError as refused:
            for problem in refused.errors(include_input=False, include_url=False):
                name = str(problem["loc"][0])
                errors[_in_address(problem["loc"], data)] = [_message(name, problem["msg"])]
            for problem in refused.errors(include_input=False, include_url=False):
                data.pop(str(problem["loc"][0]), None)


def _in_address(place: Sequence[int | str], data: Mapping[str, Any]) -> str:
    """The name in the address of what was refused at a place of `data`."""
    if place[0] != "terms":
        return names.ADDRESS[str(place[0])]
    refused = data["terms"][place[1] if len(place) > 1 else -1]
    if not isinstance(refused, Mapping):
        return "terms"
    return f"{'not' if refused['negated'] else 'has'}.{refused['field']}"


def _message(name: str, message: str) -> str:
    return _REVERSED if _REVERSED in message else _MESSAGES.get(name, _BAD_DATE)


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value] or [""]
    return [str(value)]
