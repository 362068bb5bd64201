"""Symbols, badges and words of states, for templates: made once, kept for ever.

A page of history shows some two hundred of them, and a macro would make each anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

from flask import current_app
from flask_babel import gettext
from markupsafe import Markup

from portal.core.text import N_
from portal.web.i18n import locale_name

KEPT = 1024

# What people see of a state: its colour, its symbol, its word.
STATES = {
    "rejected": ("rejected", "ban", N_("Rejected")),
    "pending": ("pending", "clock", N_("Enqueued")),
    "running": ("running", "loader-circle", N_("Running")),
    "success": ("success", "circle-check", N_("Success")),
    "failed": ("failed", "circle-x", N_("Failed")),
    "crashed": ("crashed", "octagon-alert", N_("Crashed")),
    "cancelled": ("cancelled", "circle-slash", N_("Cancelled")),
    "killed": ("killed", "octagon-x", N_("Killed")),
    "exception": ("exception", "triangle-alert", N_("Exception")),
    "lost": ("lost", "unlink", N_("Lost")),
    "claimed": ("pending", "hourglass", N_("Starting")),
    "stopping": ("killed", "hourglass", N_("Stopping")),
    "done": ("success", "circle-check", N_("Done")),
    "skipped": ("lost", "circle-slash", N_("Skipped")),
    "paused": ("killed", "pause", N_("Paused")),
    "open": ("failed", "circle-alert", N_("Open")),
    "resolved": ("success", "circle-check", N_("Resolved")),
    "ignored": ("lost", "circle-slash", N_("Ignored")),
}
# Runs, steps and operations have words of their own for the same things.
SAME = {
    "available": "pending",
    "started": "running",
    "fail": "failed",
    "crash": "crashed",
    "cancel": "cancelled",
    "kill": "killed",
    "ok": "success",
    "enqueued": "pending",
    "queued": "pending",
    "in_progress": "running",
    "completed": "done",
    None: "running",
}
LEVELS = {
    "success": ("success", N_("success")),
    "always": ("lost", N_("always")),
    "info": ("info", N_("info")),
    "warn": ("killed", N_("warn")),
    "error": ("failed", N_("error")),
    "debug": ("lost", N_("debug")),
}


def names() -> dict[str, Callable[..., object]]:
    """What templates may call, by the names they use."""
    said = (icon, mark, state, state_icon, state_label, state_tone, level, level_tone)
    return {function.__name__: function for function in said}


def icon(name: str, label: str | None = None, class_: str = "", **more: str) -> Markup:
    """One symbol of the sprite. Give `label` only when no word stands beside it."""
    return _icon(_sprite(), name, str(label or ""), more.get("class", class_))


def _sprite() -> str:
    asset = cast(Callable[[str], str], current_app.jinja_env.globals["asset"])
    return asset("vendor/icons.svg")


@lru_cache(maxsize=KEPT)
def _icon(sprite: str, name: str, label: str, class_: str) -> Markup:
    said = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon {}" {}><use href="{}#{}"/></svg>').format(class_, said, sprite, name)


def mark() -> Markup:
    """The portal's mark, a filled bolt."""
    return Markup(
        '<svg viewBox="7 4 18 24" aria-hidden="true"><path d="M17.5 5 8 18h6.5L13 27l10-14h-7z"/></svg>'
    )


def _key(value: object) -> str | None:
    word = str(value) if value is not None else None
    found = SAME.get(word, word)
    return found if found in STATES else None


def state_tone(value: object) -> str:
    """The colour of a state, for `data-tone`."""
    key = _key(value)
    return STATES[key][0] if key else "lost"


def state_label(value: object) -> str:
    """The word for a state in the reader's language; an unknown state speaks for itself."""
    key = _key(value)
    return gettext(STATES[key][2]) if key else str(value)


def state_icon(value: object, label: str | None = None) -> Markup:
    """The symbol of a state; what runs turns."""
    key = _key(value)
    return icon(STATES[key][1] if key else "circle-question-mark", label, "spin" if key == "running" else "")


def state(value: object, plain: bool = False) -> Markup:
    """The badge of a work order, run, step (exit reason), operation or group of errors."""
    return _badge(str(value) if value is not None else None, plain, locale_name(), _sprite())


@lru_cache(maxsize=KEPT)
def _badge(value: str | None, plain: bool, _locale: str, _sprite: str) -> Markup:
    return Markup('<span class="badge{}" data-tone="{}" data-state="{}">{}{}</span>').format(
        " badge-plain" if plain else "", state_tone(value), value, state_icon(value), state_label(value)
    )


def level_tone(value: object) -> str:
    """The colour of a log line's level."""
    return LEVELS[str(value)][0] if str(value) in LEVELS else "lost"


def level(value: object) -> Markup:
    """The word for a log line's level, in its colour."""
    word = gettext(LEVELS[str(value)][1]) if str(value) in LEVELS else str(value)
    return Markup('<span class="log-level" data-tone="{}">{}</span>').format(level_tone(value), word)
