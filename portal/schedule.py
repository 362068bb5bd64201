"""Every periodic job, one line each; and the place that loads every kind of background work."""

from __future__ import annotations

from datetime import time, timedelta

from flask import Flask

from portal import accounts, operations
from portal.operations import Periodic

PERIODICS = (
    Periodic("operations.sweep", timedelta(seconds=5), operations.sweep, in_ticker=True),
    Periodic("operations.prune", time(3, 10), operations.prune),
    Periodic("accounts.delete_expired_tokens", time(3, 20), accounts.delete_expired_tokens),
)


def init_app(app: Flask) -> None:
    """Make these tasks the portal's."""
    operations.install(PERIODICS)
