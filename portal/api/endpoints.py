"""What every route of the API shares: reading its input, answering a model, idempotency keys."""

from __future__ import annotations

import functools
import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, g, make_response, request
from pydantic import BaseModel

from portal import operations, projects
from portal.core import access
from portal.core.errors import Invalid
from portal.core.text import N_
from portal.web import forms

MARK = "__api_endpoint__"
KEY = "Idempotency-Key"
KEY_FORM = re.compile(r"^[!-~]{1,200}\Z")
BAD_KEY = N_("A key has 1 to 200 visible ASCII characters, and no blanks.")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route as the document tells it: the models of query, body and answer, and its status."""

    area: str
    view: Callable[..., BaseModel | None]
    answer: type[BaseModel] | None
    status: int
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    conflict: type[BaseModel] | None
    once: bool


class Differing(Exception):
    """Raised by a view to answer another status with a body of its own; what it has done is rolled back."""

    def __init__(self, status: int, answer: BaseModel) -> None:
        self.status, self.answer = status, answer
        super().__init__(status)


def endpoint(
    area: str,
    *,
    answer: type[BaseModel] | None,
    status: int = 200,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    conflict: type[BaseModel] | None = None,
    once: bool = False,
) -> Callable[[Callable[..., BaseModel | None]], Callable[..., Response]]:
    """Give the view its query and body as models, and answer the model that it returns as JSON.

    The view takes the path's values, and `query` and `body` where they are given. With
    `once`, a request that repeats an `Idempotency-Key` is answered as the first time.
    `conflict` is the body of a 409 when it is not the usual one. Errors are answered by
    portal/web/errors.py.
    """

    def mark(view: Callable[..., BaseModel | None]) -> Callable[..., Response]:
        described = Endpoint(area, view, answer, status, query, body, conflict, once)

        @functools.wraps(view)
        def answered(**path: Any) -> Response:
            return _answered(described, path)

        setattr(answered, MARK, described)
        return answered

    return mark


def _answered(described: Endpoint, path: dict[str, Any]) -> Response:
    arguments = dict(path)
    if described.query is not None:
        arguments["query"] = forms.parse(described.query, request.args).data
    if described.body is not None:
        arguments["body"] = forms.read_json(described.body).data

    def work() -> dict[str, Any]:
        found = described.view(**arguments)
        return {} if found is None else found.model_dump(mode="json", by_alias=True)

    key = request.headers.get(KEY) if described.once else None
    try:
        answer = work() if key is None else _once(key, work)
    except Differing as other:
        return make_response(other.answer.model_dump(mode="json", by_alias=True), other.status)
    if described.answer is None:
        return make_response("", described.status)
    return make_response(answer, described.status)


def _once(key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer that the first request with this key got; its body and address must be the same."""
    if not KEY_FORM.match(key):
        raise Invalid({KEY: [BAD_KEY]})
    digest = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    return operations.once(g.actor, key, f"{request.method} {request.path} {digest}", work)


def stand_in(project_id: uuid.UUID, permission: str) -> projects.Standing:
    """The actor's standing in the project of a thing that the address names without its project.

    Raises NotFound for strangers, NotAllowed when the policy `permission` refuses.
    """
    standing = g.standing = projects.standing(g.actor, project_id)
    access.require(permission, g.actor, standing)
    return standing
