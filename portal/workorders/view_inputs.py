"""What comes in about saved views: a name, whom it is for, and the filters (workorders §21)."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from portal.core.text import N_
from portal.workorders.inputs import ReadFilters, SearchFilters, read_filters
from portal.workorders.view_models import LONGEST_NAME

BLANK = N_("can't be blank")
TOO_LONG = N_("A name has at most 80 characters.")
UNFIT = N_("A name has no line breaks and no control characters.")
BAD_FILTERS = N_("These filters cannot be read.")
# Control characters, lone surrogates, line and paragraph separators.
_REFUSED = {"Cc", "Cs", "Zl", "Zp"}


def read_query(query: str) -> ReadFilters:
    """Read stored filters, the text behind the question mark of an address; never raises."""
    return read_filters(parse_qsl(query, keep_blank_values=True))


def clean_name(typed: str) -> str:
    """The name as it is kept: composed, trimmed. Raises ValueError with words for people."""
    name = unicodedata.normalize("NFC", typed).strip()
    kinds = {unicodedata.category(letter) for letter in name}
    if kinds & _REFUSED:
        raise ValueError(UNFIT)
    if not kinds - {"Cf", "Zs"}:
        raise ValueError(BLANK)
    if len(name) > LONGEST_NAME:
        raise ValueError(TOO_LONG)
    return name


def _filters(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    found = read_query(given)
    if found.errors:
        raise ValueError(BAD_FILTERS)
    return found.filters


ViewName = Annotated[str, AfterValidator(clean_name)]


class ViewRename(BaseModel):
    """Another name for a view."""

    model_config = ConfigDict(frozen=True)

    name: ViewName


class NewView(ViewRename):
    """A view to be kept. `filters` may also come as the text behind the question mark of an address."""

    shared: bool = False
    filters: Annotated[SearchFilters, BeforeValidator(_filters)] = SearchFilters()
