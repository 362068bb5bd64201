"""Who may do what with history (workorders §16). All are judged on the standing in the project."""

from __future__ import annotations

from portal.core.access import Actor, policy
from portal.projects import EVERYONE, MAKERS, Standing


@policy("workorders:read")
def may_read(_actor: Actor, standing: Standing) -> bool:
    """See history, runs and logs; search."""
    return standing.has(EVERYONE)


@policy("workorders:export")
def may_export(_actor: Actor, standing: Standing) -> bool:
    """Start an export of what one can see: viewers too (workorders §13.11)."""
    return standing.has(EVERYONE)


@policy("workorders:run")
def may_run(_actor: Actor, standing: Standing) -> bool:
    """Run a workflow by hand."""
    return standing.has(MAKERS)


@policy("workorders:retry")
def may_retry(_actor: Actor, standing: Standing) -> bool:
    """Retry, one or many."""
    return standing.has(MAKERS)


@policy("workorders:cancel")
def may_cancel(_actor: Actor, standing: Standing) -> bool:
    """Cancel what waits; as running."""
    return standing.has(MAKERS)


@policy("workorders:save_view")
def may_save_view(_actor: Actor, standing: Standing) -> bool:
    """Keep views of one's own (workorders §21)."""
    return standing.has(EVERYONE)


@policy("workorders:share_view")
def may_share_view(_actor: Actor, standing: Standing) -> bool:
    """Make, change and delete views that the whole project sees (workorders §21)."""
    return standing.has(MAKERS)


@policy("workorders:triage")
def may_triage(_actor: Actor, standing: Standing) -> bool:
    """Resolve, ignore and reopen groups of errors (workorders §22.3)."""
    return standing.has(MAKERS)
