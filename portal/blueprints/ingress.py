"""Webhooks: what is posted to a trigger's address becomes a work order (projects-and-workflows §3.9).

Callers are programs without a cookie: answers are JSON, and CSRF does not apply.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, request
from flask_babel import gettext as _
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from portal import workflows, workorders
from portal.core.errors import Invalid, TooLarge
from portal.core.failures import as_portal_error
from portal.core.limits import limits
from portal.web import public

bp = Blueprint("ingress", __name__, url_prefix="/i")
REDACTED_ALWAYS = {"cookie", "proxy-authorization"}
RETRY_AFTER = 5


@bp.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@public("a webhook's address is its own secret; callers are programs")
def receive(path: str) -> Response:
    """Store what arrives at a webhook's address: one dataclip, one work order, one run."""
    webhook = workflows.find_webhook(path.split("/"))
    if webhook is None:
        return _refuse(404, "Webhook not found")
    if request.method in ("GET", "HEAD"):
        return jsonify(message=_("This webhook is ready. Send it a POST request with a JSON body."))
    if request.method != "POST":
        return _refuse(404, "Webhook not found")
    if not webhook.enabled:
        return _refuse(403, "trigger_disabled", message=_("This trigger is disabled: it takes no messages."))
    body = _body()
    created = workorders.create_for_trigger(webhook.trigger_id, body=body, request=_request(path))
    response = jsonify(work_order_id=str(created.work_order_id))
    response.headers["x-meta-work-order-id"] = str(created.work_order_id)
    if created.run_id:
        response.headers["x-meta-run-id"] = str(created.run_id)
    return response


def _refuse(status: int, error: str, **more: Any) -> Response:
    return make_response(jsonify(error=error, **more), status)


def _body() -> str:
    """The body as JSON text: as sent, or a form's fields as an object; nothing at all is an empty object."""
    request.max_content_length = limits().dataclip_bytes
    if request.mimetype == "application/x-www-form-urlencoded":
        return json.dumps(request.form.to_dict(flat=True))
    if request.mimetype and not request.is_json:
        raise UnsupportedMediaType
    try:
        return request.get_data(cache=False).decode() or "{}"
    except UnicodeDecodeError:
        raise Invalid({"body": [_("is not UTF-8 text")]}) from None


def _request(path: str) -> dict[str, Any]:
    """What is kept of the request itself; cookies and proxy passwords are not."""
    headers = {
        name.lower(): "[REDACTED]" if name.lower() in REDACTED_ALWAYS else value
        for name, value in request.headers
    }
    return {
        "method": request.method,
        "path": ["i", *path.split("/")],
        "query_params": request.args.to_dict(flat=True),
        "headers": headers,
    }


@bp.errorhandler(Invalid)
def _invalid(error: Invalid) -> Response:
    return _refuse(422, "invalid_request", details=error.fields)


@bp.errorhandler(UnsupportedMediaType)
def _unreadable(error: UnsupportedMediaType) -> Response:
    return _refuse(415, "Unsupported Media Type")


@bp.errorhandler(TooLarge)
@bp.errorhandler(RequestEntityTooLarge)
def _too_large(error: Exception) -> Response:
    return Response("Request Entity Too Large", status=413, mimetype="text/plain")


@bp.errorhandler(Exception)
def _away(error: Exception) -> Response:
    known = as_portal_error(error)
    if known is None or known.status != 503:
        raise error
    message = _("The message could not be stored. Send it again.")
    response = _refuse(503, "service_unavailable", message=message, retry_after=RETRY_AFTER)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response
