"""The API's own description: the OpenAPI document, and a page that people read."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from flask import Blueprint, Flask, Response, make_response

from portal.api import document
from portal.web import public, render
from portal.web.apps import this_app

bp = Blueprint("api_papers", __name__, url_prefix="/api")


@bp.get("/openapi.json")
@public("the document holds no data; who writes a client has no token yet")
def openapi() -> Response:
    """The OpenAPI 3.1 document."""
    response = make_response(dumped(this_app()))
    response.mimetype = "application/json"
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@bp.get("/docs")
@public("the page holds no data; who writes a client has no token yet")
def docs() -> Response:
    """The same document as a page: each operation with its parameters and answers."""
    return render.page("api/docs.html", areas=_areas(_built(this_app())), document=_built(this_app()))


def dumped(app: Flask) -> str:
    """The document as the text that is served and kept in docs/openapi.json."""
    return json.dumps(_built(app), indent=2, ensure_ascii=False) + "\n"


@lru_cache(maxsize=4)
def _built(app: Flask) -> dict[str, Any]:
    return document.build(app)


def _areas(built: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The operations by area, each with its method and path."""
    areas: dict[str, list[dict[str, Any]]] = {}
    for path, methods in built["paths"].items():
        for method, operation in methods.items():
            shown = operation | {"method": method.upper(), "path": path}
            areas.setdefault(operation["tags"][0], []).append(shown)
    return areas
