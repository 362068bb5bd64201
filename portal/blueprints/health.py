"""For whoever watches the portal: is it alive, is it ready (reliability §6)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response
from redis.exceptions import RedisError

from portal.core import broker, readiness
from portal.web import public

bp = Blueprint("health", __name__, url_prefix="/health")


@bp.get("/live")
@public("a watcher has no account; the answer holds nothing")
def live() -> Response:
    """200 as long as the process answers; touches nothing."""
    return jsonify(status="alive")


@bp.get("/ready")
@public("a watcher has no account; the answer holds nothing")
def ready() -> Response:
    """200 when PostgreSQL answers, else 503. A queue that is away only shows as degraded."""
    if not readiness.database_answers():
        return make_response(jsonify(status="unavailable", database="away"), 503)
    return jsonify(status="ready" if _queue_answers() else "degraded")


def _queue_answers() -> bool:
    try:
        return bool(broker.client().ping())
    except RedisError:
        return False
