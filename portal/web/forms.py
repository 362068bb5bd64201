"""Reading input: one pydantic model serves form, query string and JSON body alike.

What was typed is never lost: `values` keeps it for the form that is shown again.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from flask import request
from flask_babel import gettext as _
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import UnsupportedMediaType

from portal.core.errors import Invalid

M = TypeVar("M", bound=BaseModel)
SECRET_WORDS = ("password", "secret", "token")


class Form(Generic[M]):
    """What came in: `data` when it is right, else `errors` by field; `values` as typed."""

    def __init__(self, data: M | None, values: Mapping[str, Any], errors: dict[str, list[str]]) -> None:
        self._data, self.values, self.errors = data, values, errors

    @property
    def ok(self) -> bool:
        """Whether every rule holds so far."""
        return not self.errors

    @property
    def data(self) -> M:
        """The validated input. Raises Invalid when a rule is broken."""
        if self._data is None or self.errors:
            raise Invalid(self.errors)
        return self._data

    def attempt(self, deed: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `deed`; a refusal that names fields (Invalid) lands on them, and None is returned."""
        try:
            return deed(*args, **kwargs)
        except Invalid as refusal:
            for name, messages in refusal.fields.items():
                self.errors.setdefault(name, []).extend(_(message) for message in messages)
            return None


def empty(**values: Any) -> Form[Any]:
    """A form that nobody has filled in yet."""
    return Form(None, values, {})


def read(model: type[M]) -> Form[M]:
    """Read the request's form (or query string, for GET) into `model`."""
    return parse(model, request.args if request.method == "GET" else request.form)


def parse(model: type[M], source: MultiDict[str, str]) -> Form[M]:
    """Read `source` into `model`. Fields that are lists take every value given."""
    given = {name: _pick(model, name, source) for name in source if name != "csrf_token"}
    kept = {name: value for name, value in given.items() if not any(word in name for word in SECRET_WORDS)}
    try:
        return Form(model.model_validate(given), kept, {})
    except ValidationError as error:
        return Form(None, kept, errors_of(error))


def read_json(model: type[M]) -> Form[M]:
    """Read the request's JSON body into `model`; no body at all is an empty object.

    Errors are named by their path (`filters.states.0`). Raises UnsupportedMediaType (415)
    for a body of another kind.
    """
    raw = request.get_data(cache=True)
    if raw and not request.is_json:
        raise UnsupportedMediaType
    try:
        given = json.loads(raw or b"{}", parse_constant=_refuse_constant)
        _refuse_unstorable(given)
    except (ValueError, RecursionError):
        return Form(None, {}, {"": [_("is not JSON that can be stored")]})
    if not isinstance(given, dict):
        return Form(None, {}, {"": [_("must be a JSON object")]})
    try:
        return Form(model.model_validate(given), given, {})
    except ValidationError as error:
        return Form(None, given, errors_of(error, whole_path=True))


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _refuse_unstorable(value: Any) -> None:
    """Raise ValueError for a text that PostgreSQL cannot hold: with NUL, or half a surrogate pair."""
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("NUL")
        value.encode()
    elif isinstance(value, list):
        for item in value:
            _refuse_unstorable(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_unstorable(name)
            _refuse_unstorable(item)


def _pick(model: type[BaseModel], name: str, source: MultiDict[str, str]) -> Any:
    values = source.getlist(name)
    return values if _takes_many(model, name) else values[-1]


def _takes_many(model: type[BaseModel], name: str) -> bool:
    for key, field in model.model_fields.items():
        if name in (key, field.alias, field.validation_alias):
            return _is_collection(field.annotation)
    return False


def _is_collection(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_is_collection(part) for part in typing.get_args(annotation))
    return origin in (list, tuple, set, frozenset)


def errors_of(error: ValidationError, *, whole_path: bool = False) -> dict[str, list[str]]:
    """The messages of a pydantic error by field, in words for people; with `whole_path`, by its path."""
    found: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False):
        name = ".".join(str(part) for part in (detail["loc"] if whole_path else detail["loc"][:1]))
        message = _in_words(detail)
        if message not in found.setdefault(name, []):
            found[name].append(message)
    return found


def _in_words(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    words = {
        "missing": lambda: _("can't be blank"),
        "string_too_short": lambda: _("must have at least %(n)s characters", n=context.get("min_length")),
        "string_too_long": lambda: _("must have at most %(n)s characters", n=context.get("max_length")),
        "value_error": lambda: _(str(context.get("error", ""))),
        "enum": lambda: _("is not one of the choices"),
        "literal_error": lambda: _("is not one of the choices"),
        "uuid_parsing": lambda: _("is not a valid id"),
        "datetime_from_date_parsing": lambda: _("is not a date and time"),
        "datetime_parsing": lambda: _("is not a date and time"),
    }
    known = words.get(detail["type"])
    return known() if known else str(detail["msg"])
