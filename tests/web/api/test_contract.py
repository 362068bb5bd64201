"""Requests made up from the document: the server keeps what is promised there (reliability §5)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import schemathesis
from schemathesis.engine import events, from_schema
from werkzeug.serving import WSGIRequestHandler, make_server

from portal import accounts, workorders
from portal.api import document
from tests.support.cast import Cast
from tests.support.factories import make_workflow
from tests.support.history import done_step, received, started

# Some rules are in no schema: tokens and cursors are signed, names may be taken. So what a schema allows may
# still be refused with 422; lists by page alone are decided by the schema. And filters read more spellings
# than the document writes down (one value for a list, null for none), so bodies with filters refuse less.
CONFIG = """
max-time = 35
workers = 1
seed = 20261121
continue-on-failure = true
headers = {{ Authorization = "Bearer {token}" }}
{parameters}

[generation]
max-examples = 12

[phases.stateful]
enabled = false

[[operations]]
include-method = ["POST", "PATCH"]
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "/(error_groups|exports)$"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "/(exports|preview|views|views/{{view_id}})$"
include-method = ["POST", "PATCH"]
checks.negative_data_rejection.enabled = false
checks.positive_data_acceptance.enabled = false
"""


class Silent(WSGIRequestHandler):
    """Keeps a thousand lines out of the report."""

    def log_request(self, *given) -> None:
        pass


@contextmanager
def serving(app) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture
def config(committed):
    """A member's token, and the ids of a history, for those values in paths that are not made up."""
    cast = Cast.make()
    flow = make_workflow(cast.project)
    order = started(flow)
    step_id, _ = done_step(flow, order, "First")
    workorders.append_log(order.run_id, {"message": "hello", "timestamp": 1_761_998_400_000})
    workorders.complete_run(order.run_id, state="failed", error_type="TypeError")
    received(flow)
    token = accounts.create_token(cast.editor)[1]
    committed.commit()
    ids = {
        "project_id": cast.project.id,
        "work_order_id": order.work_order_id,
        "run_id": order.run_id,
        "step_id": step_id,
    }
    parameters = "\n".join(f'parameters."path.{name}" = "{id_}"' for name, id_ in ids.items())
    return schemathesis.Config.from_str(CONFIG.format(token=token, parameters=parameters))


@pytest.mark.slow
def test_the_server_keeps_what_the_document_promises(app, config):
    """No 5xx; no status, type or body that is not written down; bad tokens, methods and values refused."""
    tried: set[str | None] = set()
    broken: list[str] = []
    with serving(app) as address:
        schema = schemathesis.openapi.from_url(f"{address}/api/openapi.json", config=config)
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                tried |= {event.label} if event.recorder.cases else set()
                broken += _failures(event)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                broken.append(repr(event))
    assert not broken, "\n".join(broken)
    assert tried >= {
        f"{method.upper()} {path}"
        for path, methods in document.build(app)["paths"].items()
        for method in methods
    }


def _failures(event: events.ScenarioFinished) -> list[str]:
    checks = [check for each in event.recorder.checks.values() for check in each]
    return [
        f"{event.label}: {check.name}: {check.failure_info.failure}\n{check.failure_info.code_sample}"
        for check in checks
        if check.failure_info
    ]
