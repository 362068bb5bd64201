"""Moments and durations as people read them, in their language and zone.

A page of history shows a hundred of them, and reading one from the language's data costs
more than the rest of its row: what was said once is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal
from flask_babel import gettext
from markupsafe import Markup, escape

from portal.core import clock
from portal.web.i18n import locale_name, zone

KEPT = 4096
FULL = "d MMM y, HH:mm:ss"
# Of a longer time only so much is said: beyond each of these ages, in seconds, the step that matters.
STEPS = ((172_800, 3600), (7200, 60))


def names() -> dict[str, Callable[..., object]]:
    """What templates may call, by the names they use."""
    return {function.__name__: function for function in (moment, stamp, duration, took, dash)}


def _(message: str, **values: object) -> str:
    return str(gettext(message, **values))


def dash() -> Markup:
    """What stands where there is nothing."""
    return _dash(_("none"))


@lru_cache(maxsize=64)
def _dash(none: str) -> Markup:
    return Markup(
        '<span class="muted"><span aria-hidden="true">–</span><span class="visually-hidden">{}</span></span>'
    ).format(none)


def moment(when: datetime | None) -> Markup:
    """`when` (aware) as «3 minutes ago», its exact UTC in the title; app.js keeps it fresh."""
    if when is None:
        return dash()
    return _time(when, escape(relative(when - clock.now())), " data-relative")


def stamp(when: datetime | None, pattern: str = FULL) -> Markup:
    """`when` (aware) as date and time in the reader's zone, in the form of a CLDR pattern."""
    if when is None:
        return dash()
    return _time(when, escape(_stamp(when, pattern, zone().key, locale_name())))


def _time(when: datetime, text: Markup, more: str = "") -> Markup:
    exact = when.strftime("%Y-%m-%d %H:%M:%S")
    # Digits, and text that is escaped already.
    return Markup(f'<time datetime="{when.isoformat()}" title="{exact} UTC"{more}>{text}</time>')  # noqa: S704


@lru_cache(maxsize=KEPT)
def _stamp(when: datetime, pattern: str, zone_name: str, locale: str) -> str:
    return format_datetime(when.astimezone(zone()), pattern, locale=locale)


def relative(distance: timedelta) -> str:
    """How far away a moment is, as «3 minutes ago» or «in 2 hours»; under a second it is now."""
    seconds = round(distance.total_seconds())
    if seconds == 0:
        return _("now")
    step = next((step for beyond, step in STEPS if abs(seconds) > beyond), 1)
    return _relative(round(seconds / step) * step, locale_name())


@lru_cache(maxsize=KEPT)
def _relative(seconds: int, locale: str) -> str:
    return format_timedelta(timedelta(seconds=seconds), add_direction=True, locale=locale)


def duration(milliseconds: float | None) -> Markup:
    """A length of time as «350 ms», «4.2 s», «1 h 02 m»."""
    if milliseconds is None:
        return dash()
    # Ten seconds and more are said in whole seconds, less in tenths.
    exact = (
        round(milliseconds)
        if milliseconds < 1000
        else round(milliseconds, -2 if milliseconds < 10_000 else -3)
    )
    return _duration(int(exact), locale_name())


@lru_cache(maxsize=KEPT)
def _duration(milliseconds: int, locale: str) -> Markup:
    return escape(_in_units(milliseconds, locale))


def _in_units(milliseconds: int, locale: str) -> str:
    seconds = milliseconds // 1000
    if milliseconds < 1000:
        return _("%(n)s ms", n=milliseconds)
    if milliseconds < 10_000:
        return _("%(n)s s", n=format_decimal(milliseconds / 1000, locale=locale))
    if seconds < 60:
        return _("%(n)s s", n=seconds)
    if seconds < 3600:
        return _("%(m)s m %(s)s s", m=seconds // 60, s=f"{seconds % 60:02}")
    if seconds < 86_400:
        return _("%(h)s h %(m)s m", h=seconds // 3600, m=f"{seconds % 3600 // 60:02}")
    return _("%(d)s d %(h)s h", d=seconds // 86_400, h=f"{seconds % 86_400 // 3600:02}")


def took(start: datetime | None, end: datetime | None) -> Markup:
    """From one moment to another; a dash while either is missing."""
    return duration((end - start).total_seconds() * 1000 if start and end else None)
