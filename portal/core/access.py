"""Who may do what: actors, named policies, one check.

A policy is a pure function of the actor and the subject, registered under a name
`context:deed`. A name that nobody registered is refused: deny first.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from portal.core.errors import NotAllowed

ActorType = Literal["user", "trigger", "project_repo_connection", "service_account"]
Policy = Callable[["Actor", Any], bool]
P = TypeVar("P", bound=Policy)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, a trigger, a service account. Goes into each audit entry."""

    id: uuid.UUID
    type: ActorType = "user"
    is_superuser: bool = False
    is_support: bool = False


# The portal itself: schedules and start-up, which no person asked for.
SYSTEM = Actor(id=uuid.UUID(int=0), type="service_account")

_policies: dict[str, Policy] = {}


def policy(name: str) -> Callable[[P], P]:
    """Register the decorated function as the policy for `name` (`context:deed`).

    Raises ValueError when the name is taken: each permission is decided in one place.
    """

    def register(function: P) -> P:
        if name in _policies:
            raise ValueError(f"policy {name} is registered twice")
        _policies[name] = function
        return function

    return register


def known(name: str) -> bool:
    """Whether some context registered a policy called `name`."""
    return name in _policies


def allows(name: str, actor: Actor | None, subject: object) -> bool:
    """Whether `actor` may do `name` to `subject`. No actor, or no such policy: False."""
    decide = _policies.get(name)
    return actor is not None and decide is not None and decide(actor, subject)


def require(name: str, actor: Actor | None, subject: object) -> None:
    """Raise NotAllowed unless `allows(name, actor, subject)`."""
    if not allows(name, actor, subject):
        raise NotAllowed
