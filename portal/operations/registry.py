"""Which function does which kind of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from portal.core.db import Json

if TYPE_CHECKING:
    from portal.operations.models import Operation
    from portal.operations.running import Running

Work = Callable[["Running"], Json | None]
Hook = Callable[["Operation"], object]
F = TypeVar("F", bound=Work)


@dataclass(frozen=True, slots=True)
class Handler:
    """A kind of work: what does it, and what is told when it ends without success."""

    work: Work
    on_failed: Hook | None = None


_handlers: dict[str, Handler] = {}


def handler(kind: str, *, on_failed: Hook | None = None) -> Callable[[F], F]:
    """Register the decorated function as the one that does `kind` (`context:deed`).

    It gets a `Running` and answers a small JSON result or None. It must go on from
    `running.checkpoint`, for it may be called again after a crash.

    `on_failed` gets the `Operation`, already failed or cancelled, in the transaction that
    ends it. A hook that removes what the checkpoint speaks of also clears
    `operation.checkpoint`, so that "try again" starts from the beginning.

    Raises ValueError when the kind is taken.
    """

    def register(function: F) -> F:
        if kind in _handlers:
            raise ValueError(f"operations of kind {kind} already have a handler")
        _handlers[kind] = Handler(function, on_failed)
        return function

    return register


def handler_of(kind: str) -> Handler:
    """The handler of `kind`.

    Raises LookupError for an unknown one: an ordinary failure that is tried again, for in
    a rolling release an old worker may meet the work of a newer portal.
    """
    try:
        return _handlers[kind]
    except KeyError:
        raise LookupError(f"no handler for operations of kind {kind}") from None


def tell_failed(operation: Operation) -> None:
    """Call the hook of the operation's kind, if it has one, inside the present unit of work."""
    found = _handlers.get(operation.kind)
    if found and found.on_failed:
        found.on_failed(operation)
