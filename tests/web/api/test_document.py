"""The OpenAPI document says what the routes are, and the page shows it (workorders §15)."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jsonschema_rs import Draft202012Validator

from portal.api import document
from portal.api.papers import dumped

ROOT = Path(__file__).resolve().parents[3]
# The document and its page do not describe themselves.
PAPERS = {"api_papers.openapi", "api_papers.docs"}


def told(app):
    return document.build(app)


def test_every_route_is_in_the_document_and_the_other_way_round(app):
    routes = {
        (re.sub(r"<[^<>:]+:(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and rule.endpoint not in PAPERS
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    written = {(path, method) for path, methods in told(app)["paths"].items() for method in methods}
    assert len(routes) > 20
    assert written == routes


def test_the_copy_among_the_papers_is_current(app):
    """`make openapi` writes it."""
    assert (ROOT / "docs" / "openapi.json").read_text() == dumped(app)


def test_every_operation_has_a_name_of_its_own_and_a_sentence(app):
    operations = [each for methods in told(app)["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    assert all(each["summary"] for each in operations)


def test_every_value_in_a_path_is_a_parameter(app):
    for path, methods in told(app)["paths"].items():
        for each in methods.values():
            named = [one["name"] for one in each.get("parameters", []) if one["in"] == "path"]
            assert named == re.findall(r"{(\w+)}", path)


def test_every_schema_that_is_named_is_there_and_is_json_schema(app):
    whole = told(app)
    schemas = whole["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(whole)))
    assert named <= set(schemas)
    for schema in schemas.values():
        Draft202012Validator({**schema, "components": whole["components"]})


def test_the_document_is_served_to_everybody(app, client, db_session):
    answer = client.get("/api/openapi.json")
    assert answer.mimetype == "application/json"
    assert answer.text == dumped(app)
    assert answer.json["openapi"] == "3.1.0"


def test_the_page_shows_every_operation_and_schema_without_a_script_of_others(app, client, db_session):
    page = client.get("/api/docs").text
    whole = told(app)
    for path, methods in whole["paths"].items():
        assert path in page
        assert all(each["operationId"] in page for each in methods.values())
    assert all(f'id="schema-{name}"' in page for name in whole["components"]["schemas"])
    assert not re.search(r'(?:src|href)="https?:', page)
