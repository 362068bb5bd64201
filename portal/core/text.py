"""Marks for texts that contexts write and edges translate."""

from __future__ import annotations


def N_(message: str) -> str:  # noqa: N802 - the name that gettext tools look for
    """Mark `message` for extraction; the edge that shows it translates it."""
    return message
