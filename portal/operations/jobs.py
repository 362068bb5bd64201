"""The functions whose names stand in RQ's messages. Arguments are texts: ids, names, times."""

from __future__ import annotations

import uuid
from datetime import datetime

from portal.operations import periodic, turn


def work(operation_id: str) -> None:
    """Take one turn of an operation; nothing when it is already held or has ended."""
    turn.take(uuid.UUID(operation_id))


def run_periodic(name: str, slot: str) -> None:
    """Take one turn of a periodic task; nothing when the slot (ISO 8601) has been run."""
    periodic.take_turn(name, datetime.fromisoformat(slot))
