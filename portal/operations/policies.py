"""Who may see and steer background work.

Roles are spelled as words: projects stand above this context, which knows of a standing
only what it needs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from portal.core.access import Actor, policy
from portal.operations.models import Operation

EVERYONE = frozenset({"viewer", "editor", "admin", "owner", "support"})
KEEPERS = frozenset({"admin", "owner"})


class Standing(Protocol):
    """What an actor is in the operation's project (`projects.Standing`)."""

    def has(self, roles: Collection[str]) -> bool:
        """Whether the role is one of `roles`, in a project that is open to the actor."""


@dataclass(frozen=True, slots=True)
class Steering:
    """Subject of the policies that change an operation: the row, and the actor's standing in its project."""

    operation: Operation
    standing: Standing


@policy("operations:read")
def may_read(_actor: Actor, standing: Standing) -> bool:
    """Whoever may see the project sees what it works on."""
    return standing.has(EVERYONE)


@policy("operations:steer")
def may_steer(actor: Actor, steering: Steering) -> bool:
    """Cancel or try again: who started it, as long as they are in the project, and the project's keepers."""
    mine = steering.operation.actor_id == actor.id
    return steering.standing.has(EVERYONE if mine else KEEPERS)
