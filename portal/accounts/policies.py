"""Who may do what with accounts."""

from __future__ import annotations

from portal.core.access import Actor, policy


@policy("accounts:use")
def may_use(actor: Actor, subject: object) -> bool:
    """Everybody who is logged in has an account page and a list of projects."""
    return True


@policy("accounts:administer")
def may_administer(actor: Actor, subject: object) -> bool:
    """Superusers have the admin area."""
    return actor.is_superuser
