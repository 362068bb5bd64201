"""Finding the entry that a reference means, by key or hyphenated name (projects-and-workflows §5.1)."""

from __future__ import annotations

from collections.abc import Mapping

from portal.provisioning.document import Fields


def hyphenated(name: str) -> str:
    """The key that an export gives to a thing called `name`: every space becomes a hyphen."""
    return name.replace(" ", "-")


def resolved(fields: Fields, key: str, names: Mapping[str, str], kind: str) -> str | None:
    """The key of `names` (key to name) that the reference in the field `key` means.

    None when the field is absent, and, with a problem noted, when nothing or more
    than one thing answers to it. `kind` names the thing for people.
    """
    wanted = fields.reference(key)
    if wanted is None or wanted in names:
        return wanted
    found = [candidate for candidate, name in names.items() if hyphenated(name) == hyphenated(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        fields.problem(key, f"could mean several {kind}s: {', '.join(found)}")
    else:
        fields.problem(key, f"there is no {kind} {wanted[:100]!r} here")
    return None
