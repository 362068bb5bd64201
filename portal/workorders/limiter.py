"""Whether a project may have so many more runs: the one question before them (workorders §5, §10.3.2)."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from portal.core.errors import TooMany

# Gets the project and the number of runs; answers why not, in words for people, or None.
Limiter = Callable[[uuid.UUID, int], str | None]


def _unlimited(_project_id: uuid.UUID, _runs: int) -> str | None:
    return None


_limiter: Limiter = _unlimited


def limit_runs(limiter: Limiter | None) -> Limiter:
    """Have `limiter` decide from now on (None: no limit, as at the start); answers the one before."""
    global _limiter
    before, _limiter = _limiter, limiter or _unlimited
    return before


def refusal(project_id: uuid.UUID, runs: int) -> str | None:
    """Why the project may not have `runs` more runs; None when it may.

    Triggers ask it: what arrives is kept, and its work order rejected (workorders §5).
    """
    return _limiter(project_id, runs) if runs else None


def ask(project_id: uuid.UUID, runs: int) -> None:
    """As `refusal`, for what people ask for: raises TooMany with the limiter's message."""
    if (reason := refusal(project_id, runs)) is not None:
        raise TooMany(reason)
