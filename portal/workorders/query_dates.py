"""Dates in the language of the search box: a day, a moment, a comparison, a range (workorders §9.6)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from portal.core.text import N_

NO_DATE = N_(
    '"%(value)s" is not a date. Write 2026-11-01, >2026-11-01, <=2026-11-01T10:30 or 2026-11-01..2026-11-07.'
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_COMPARED = re.compile(r"(>=|<=|>|<)?(.*)", re.DOTALL)
_TICK = timedelta(microseconds=1)

Range = tuple[datetime | None, datetime | None]


def read(text: str, zone: tzinfo) -> Range:
    """The first and last moment meant, both inclusive and UTC; None for an open side.

    A day means all of it: `>` begins after its end, `<` ends before its beginning.
    Raises ValueError or OverflowError for what is no date, and for none at all.
    """
    if ".." in text:
        first, last = text.split("..", 1)
        if not first and not last:
            raise ValueError("no date")
        return (_span(first, zone)[0] if first else None), (_span(last, zone)[1] if last else None)
    compared = _COMPARED.fullmatch(text)
    sign, day = (compared[1], compared[2]) if compared else (None, text)
    start, end = _span(day, zone)
    ranges: dict[str | None, Range] = {">=": (start, None), "<=": (None, end), None: (start, end)}
    if sign == ">":
        return end + _TICK, None
    if sign == "<":
        return None, start - _TICK
    return ranges[sign]


def write(first: datetime | None, last: datetime | None, zone: tzinfo) -> str:
    """The shortest text that `read` understands as this range; at least one side must be given."""
    start = _start_text(first, zone) if first else ""
    end = _end_text(last, zone) if last else ""
    if first and last:
        return f"{start}..{end}"
    return f">={start}" if first else f"<={end}"


def _span(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first and last moment of a day; a moment is both itself."""
    if _DAY.fullmatch(text):
        return _bounds(date.fromisoformat(text), zone)
    if not re.match(r"\d{4}-", text):
        raise ValueError("no date")
    moment = datetime.fromisoformat(text)
    aware = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    return aware, aware


def _bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    start, end = (datetime.combine(day, at, tzinfo=zone).astimezone(UTC) for at in (time.min, time.max))
    return start, end


def _start_text(moment: datetime, zone: tzinfo) -> str:
    return _text(moment, zone, 0)


def _end_text(moment: datetime, zone: tzinfo) -> str:
    return _text(moment, zone, 1)


def _text(moment: datetime, zone: tzinfo, side: int) -> str:
    try:
        local = moment.astimezone(zone)
        whole = _bounds(local.date(), zone)[side] == moment
    except OverflowError:
        return moment.isoformat()
    return local.date().isoformat() if whole else local.isoformat()
