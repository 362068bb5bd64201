"""Who may see and name dataclips (workorders §16, dataclips-and-accounts §1.6)."""

from __future__ import annotations

from portal.core.access import Actor, policy
from portal.projects import EVERYONE, Standing


@policy("dataclips:read")
def may_read(_actor: Actor, standing: Standing) -> bool:
    """Every member, and support where the project lets it in."""
    return standing.has(EVERYONE)
