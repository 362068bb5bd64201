"""Limits that settings give and contexts apply. The factory sets them once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds, hours or days, as the names say."""

    dataclip_bytes: int = 10_000_000
    run_seconds: int = 300
    run_grace_seconds: int = 10
    run_stop_seconds: int = 30
    purge_after_days: int = 7
    export_days: int = 30
    link_hours: int = 24
    page_size: int = 25


_limits = Limits()


def configure(**changes: Any) -> None:
    """Replace some limits."""
    global _limits
    _limits = replace(_limits, **changes)


def limits() -> Limits:
    """The limits in force."""
    return _limits
