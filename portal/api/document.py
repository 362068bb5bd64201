"""The OpenAPI 3.1 document, made from the routes and their models: it cannot say what the code does not do.

pydantic writes the schemas (JSON Schema 2020-12, as OpenAPI 3.1 asks for); this puts them
beside the routes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from portal.api.endpoints import KEY, MARK, Endpoint
from portal.api.shapes import Error, Refused

Json = dict[str, Any]
# Where the schema of a model stands, as it is read (validation) or answered (serialization).
Schemas = dict[tuple[Any, str], Json]
REF = "#/components/schemas/{model}"
# A value in the path of a route: its converter, its name.
PLACE = re.compile(r"<([^<>:]+):(\w+)>")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
ABOUT = (
    "Everything needs a bearer token (`portal tokens create EMAIL`), which may what its account may. A thing "
    "of a project that is not yours is answered 404, as if it were not there. Errors are JSON and carry the "
    "`request_id` under which the log has them."
)
ERRORS = {
    401: "There is no token, or a bad one.",
    403: "The account's role in the project does not allow it.",
    404: "There is no such thing, or it is not yours to know of.",
    409: "The state of the thing, or an idempotency key used before, forbids it.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A parameter or field breaks a rule.",
    429: "Too many requests with a bad token.",
    500: "The portal made a mistake, which is in its log.",
    503: "A part that is needed does not answer now, or the question takes too long.",
}


def routes(app: Flask) -> Iterator[tuple[Rule, str, Endpoint]]:
    """The routes of the API that are in the document: rule, method, description."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        described: Endpoint | None = getattr(app.view_functions[rule.endpoint], MARK, None)
        if described is not None:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method, described


def build(app: Flask) -> Json:
    """The whole document, the same each time for the same code."""
    found = list(routes(app))
    modes = sorted(set(_models(found)), key=lambda pair: (pair[0].__name__, pair[1]))
    references, definitions = models_json_schema(modes, ref_template=REF)
    schemas: Schemas = {(model, mode): schema for (model, mode), schema in references.items()}
    named: Json = dict(definitions.get("$defs", {}))
    paths: Json = {}
    for rule, method, described in found:
        if described.query is not None:
            named |= described.query.model_json_schema(ref_template=REF).get("$defs", {})
        operation = _operation(rule, method, described, schemas)
        paths.setdefault(_path(rule), {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lightning Portal", "version": "1", "description": ABOUT},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(named.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _models(found: list[tuple[Rule, str, Endpoint]]) -> Iterator[tuple[type[BaseModel], Any]]:
    yield from ((Error, "serialization"), (Refused, "serialization"))
    for _rule, _method, described in found:
        for model in (described.answer, described.conflict):
            if model is not None:
                yield model, "serialization"
        if described.body is not None:
            yield described.body, "validation"


def _path(rule: Rule) -> str:
    return PLACE.sub(r"{\2}", rule.rule)


def _operation(rule: Rule, method: str, described: Endpoint, schemas: Schemas) -> Json:
    text = inspect.getdoc(described.view) or ""
    summary, _, more = text.partition("\n\n")
    parameters = [*_in_path(rule), *_in_query(described.query), *_in_header(described)]
    operation: Json = {
        "operationId": described.view.__name__,
        "tags": [described.area],
        "summary": " ".join(summary.split()).rstrip("."),
        "description": " ".join(more.split()),
        "parameters": parameters,
        "responses": _responses(rule, method, described, schemas),
    }
    if described.body is not None:
        schema = schemas[described.body, "validation"]
        operation["requestBody"] = {"required": True, "content": _json(schema)}
    return {name: value for name, value in operation.items() if value not in ("", [])}


def _in_path(rule: Rule) -> Iterator[Json]:
    for kind, name in PLACE.findall(rule.rule):
        schema: Json = {"type": "string", "format": "uuid"}
        if kind == "int":
            schema = {"type": "integer", "minimum": 0}
        elif kind.startswith("any("):
            schema = {"type": "string", "enum": re.findall(r"\w+", kind)[1:]}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(model: type[BaseModel] | None) -> Iterator[Json]:
    if model is None:
        return
    schema = model.model_json_schema(ref_template=REF)
    for name, given in schema.get("properties", {}).items():
        plain = _without_null(given)
        about = plain.pop("description", None)
        found: Json = {"name": name, "in": "query", "schema": plain}
        if plain.get("type") == "array":
            found |= {"style": "form", "explode": True}
        yield found | ({"description": about} if about else {})


def _without_null(given: Json) -> Json:
    """A parameter's schema without `null` and its title: what is not given is left out of an address."""
    plain = {name: value for name, value in given.items() if name not in ("title", "anyOf")}
    if plain.get("default", ...) is None:
        del plain["default"]
    some = [choice for choice in given.get("anyOf", ()) if choice.get("type") != "null"]
    return plain | (some[0] if len(some) == 1 else {"anyOf": some} if some else {})


def _in_header(described: Endpoint) -> Iterator[Json]:
    if described.once:
        yield {
            "name": KEY,
            "in": "header",
            "description": "A request that repeats a key within a day is answered as the first time.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
        }


def _responses(rule: Rule, method: str, described: Endpoint, schemas: Schemas) -> Json:
    done: Json = {"description": "Done."}
    if described.answer is not None:
        done["content"] = _json(schemas[described.answer, "serialization"])
    answers = {str(described.status): done}
    left_out = set() if described.body is not None else {413, 415}
    left_out |= set() if method in UNSAFE else {409}
    left_out |= set() if method in UNSAFE or described.query is not None else {422}
    left_out |= set() if rule.arguments else {403, 404}
    for status, meaning in ERRORS.items():
        if status in left_out:
            continue
        schema = schemas[Refused if status == 422 else Error, "serialization"]
        if status == 409 and described.conflict is not None:
            schema = {"anyOf": [schemas[described.conflict, "serialization"], schema]}
        answers[str(status)] = {"description": meaning, "content": _json(schema)}
    return answers


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
