"""The shapes that all answers share: resources, lists by number or cursor, errors (workorders §15)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from flask import current_app, request, url_for
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from portal.workorders import NumberedPage

A = TypeVar("A", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)


class Shape(BaseModel):
    """Base of answers: nothing but the fields that are written down."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class OwnLink(Shape):
    """Where this very thing is answered."""

    here: str = Field(alias="self")


class Resource(Shape, Generic[A]):
    """A thing with its kind, its id and what it is like."""

    type: str
    id: str
    attributes: A
    relationships: dict[str, JsonValue] = Field(default_factory=dict, max_length=0)
    links: OwnLink


class PageLinks(OwnLink):
    """This page and its neighbours; all other parameters of the query are kept."""

    first: str
    last: str
    next: str | None
    prev: str | None


class PageMeta(Shape):
    """Where this page lies. `total_entries` stops at 10,000; `total_entries_capped`: there are more."""

    total_entries: int
    total_pages: int
    page_number: int
    page_size: int
    total_entries_capped: bool


class One(Shape, Generic[R]):
    """One resource."""

    data: R
    included: list[JsonValue] = Field(default_factory=list, max_length=0)
    links: OwnLink


class Numbered(Shape, Generic[R]):
    """A page of resources by number."""

    data: list[R]
    included: list[JsonValue] = Field(default_factory=list, max_length=0)
    meta: PageMeta
    links: PageLinks


class NextLinks(OwnLink):
    """This page and what follows it."""

    next: str | None


class Listed(Shape, Generic[R]):
    """A list of resources that goes on behind `links.next`."""

    data: list[R]
    included: list[JsonValue] = Field(default_factory=list, max_length=0)
    links: NextLinks


Single = TypeVar("Single", bound=One[Any])
N = TypeVar("N", bound=Numbered[Any])
L = TypeVar("L", bound=Listed[Any])


class Error(Shape):
    """What went wrong, for programs (`error`) and people (`message`); `request_id` finds it in the log."""

    error: str
    message: str
    request_id: str | None


class Refused(Error):
    """Input that breaks a rule: messages by the name of the parameter or field."""

    errors: dict[str, list[str]]


def own_link(endpoint: str, **values: Any) -> OwnLink:
    """The address of a route as a link."""
    return OwnLink(here=absolute(url_for(endpoint, **values)))


def absolute(path: str) -> str:
    """A path of this portal with the address that the portal is configured to have."""
    return f"{current_app.config['SETTINGS'].address}{path}"


def one(kind: type[Single], resource: Resource[Any]) -> Single:
    """The answer for one resource, under the address that was asked for."""
    return kind(data=resource, links=OwnLink(here=absolute(request.path)))


def numbered(kind: type[N], page: NumberedPage[Any], resources: Sequence[Resource[Any]]) -> N:
    """The answer for a page by number."""
    meta = PageMeta(
        total_entries=page.total,
        total_pages=page.pages,
        page_number=page.number,
        page_size=page.size,
        total_entries_capped=page.capped,
    )
    links = PageLinks(
        here=_at(page.number, page.size),
        first=_at(1, page.size),
        last=_at(page.pages, page.size),
        next=_at(page.number + 1, page.size) if page.number < page.pages else None,
        prev=_at(page.number - 1, page.size) if page.number > 1 else None,
    )
    return kind(data=list(resources), meta=meta, links=links)


def listed(kind: type[L], resources: Sequence[Resource[Any]], next_cursor: str | None) -> L:
    """The answer for a list by cursor."""
    following = _with(cursor=next_cursor) if next_cursor else None
    return kind(data=list(resources), links=NextLinks(here=_with(), next=following))


def _at(number: int, size: int) -> str:
    return _with(page=number, page_size=size)


def _with(**changed: object) -> str:
    """The address that was asked for, its query kept but for what is `changed`."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in changed]
    query = urlencode([*kept, *changed.items()], errors="replace")
    return absolute(f"{request.path}?{query}" if query else request.path)
