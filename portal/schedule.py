"""Every periodic job, one line each.

What must not wait behind a long export runs in the ticker; each turn there is short. The
kinds of background work register themselves when their context is imported.
"""

from __future__ import annotations

from datetime import time, timedelta
from functools import partial

from flask import Flask

from portal import accounts, operations, workorders
from portal.operations import Periodic

# A turn of the ticker indexes for so long at most; what is left comes with the next slot.
INDEX_SECONDS = 2.0
SORT_SECONDS = 1.0

PERIODICS = (
    Periodic("operations.sweep", timedelta(seconds=5), operations.sweep, in_ticker=True),
    Periodic(
        "workorders.index_due",
        timedelta(seconds=2),
        partial(workorders.index_due, seconds=INDEX_SECONDS),
        due=workorders.anything_due,
        in_ticker=True,
    ),
    Periodic(
        "workorders.sort_failures",
        timedelta(seconds=3),
        partial(workorders.sort_failures, seconds=SORT_SECONDS),
        due=workorders.anything_unsorted,
        in_ticker=True,
    ),
    Periodic("workorders.mark_lost", timedelta(minutes=1), workorders.mark_lost, in_ticker=True),
    Periodic(
        "workorders.force_stops",
        timedelta(seconds=10),
        workorders.force_stops,
        due=workorders.any_stop_due,
        in_ticker=True,
    ),
    Periodic("workorders.prepare_log_partitions", time(2, 50), workorders.prepare_log_partitions),
    Periodic("workorders.delete_expired_exports", time(3, 5), workorders.delete_expired_exports),
    Periodic("operations.prune", time(3, 10), operations.prune),
    Periodic("accounts.delete_expired_tokens", time(3, 20), accounts.delete_expired_tokens),
)


def init_app(app: Flask) -> None:
    """Make these tasks the portal's."""
    operations.install(PERIODICS)
