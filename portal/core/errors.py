"""What can go wrong, in the portal's own words. Edges map each to an answer, once.

Messages are English sentences for people; they never carry secrets, SQL or paths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from portal.core.text import N_

FieldErrors = Mapping[str, Sequence[str]]


class PortalError(Exception):
    """Base of all expected failures. `status` is the HTTP code that edges answer with."""

    status = 500
    code = "error"
    default = N_("Something went wrong.")

    def __init__(self, message: str | None = None) -> None:
        self.message = message or self.default
        super().__init__(self.message)


class NotSignedIn(PortalError):
    """Nobody is logged in, and the deed needs somebody."""

    status = 401
    code = "not_signed_in"
    default = N_("Log in to go on.")


class NotAllowed(PortalError):
    """The actor is known, and may not."""

    status = 403
    code = "not_allowed"
    default = N_("You are not allowed to do this.")


class NotFound(PortalError):
    """There is no such thing, or the actor may not know that there is."""

    status = 404
    code = "not_found"
    default = N_("There is nothing at this address.")


class Conflict(PortalError):
    """The thing has changed since it was read, or is in a state that forbids the deed."""

    status = 409
    code = "conflict"
    default = N_("This has changed in the meantime. Reload and try again.")


class TooLarge(PortalError):
    """What was sent is over a limit of size."""

    status = 413
    code = "too_large"
    default = N_("What you sent is too large.")


class Invalid(PortalError):
    """Input that breaks a rule.

    `fields` maps a field's name to its messages; the key `""` holds messages that
    belong to no single field.
    """

    status = 422
    code = "invalid"
    default = N_("Some fields need your attention.")

    def __init__(self, fields: FieldErrors | str) -> None:
        self.fields: FieldErrors = {"": [fields]} if isinstance(fields, str) else fields
        super().__init__()

    def __str__(self) -> str:
        return "; ".join(f"{name or 'input'}: {', '.join(texts)}" for name, texts in self.fields.items())


class TooMany(PortalError):
    """A limit of rate or number is reached. `retry_after` is in seconds."""

    status = 429
    code = "too_many_requests"
    default = N_("Too many requests. Wait a moment and try again.")

    def __init__(self, message: str | None = None, *, retry_after: int = 60) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Unavailable(PortalError):
    """A part that is needed does not answer now. `retry_after` is in seconds."""

    status = 503
    code = "unavailable"
    default = N_("The portal cannot answer right now. Try again in a moment.")

    def __init__(self, message: str | None = None, *, retry_after: int = 5) -> None:
        self.retry_after = retry_after
        super().__init__(message)
