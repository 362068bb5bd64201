"""One effect for one idempotency key, however often the request arrives."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from portal.core import clock
from portal.core.access import Actor
from portal.core.db import Json, session, unit_of_work
from portal.core.errors import Conflict, Invalid
from portal.core.text import N_
from portal.operations.models import OnceKey

LONGEST_KEY = 200
OTHER_DEED = N_("This key was used for another request.")
BAD_KEY = N_("A key has 1 to 200 characters.")


def once(actor: Actor, key: str, deed: str, work: Callable[[], Json]) -> Json:
    """What `work` answered when `actor` first came with `key`; it is called only then.

    Key, answer and the effect of `work` stand in one unit of work: a failure leaves the key
    free. Of two at the same time one works; the other waits and gets the same answer. Keys
    are forgotten after a day. `deed` tells what is asked for, with whatever must be equal
    (`retry:<id>`). Raises Conflict when the key was used for another deed, Invalid on `key`.
    """
    if not 1 <= len(key) <= LONGEST_KEY or "\x00" in key:
        raise Invalid({"key": [BAD_KEY]})
    with unit_of_work():
        # Whoever comes second waits here until the first has committed or given up.
        while not _take(actor, key, deed):
            row = session().get(OnceKey, (actor.id, key), populate_existing=True)
            if row is not None:
                return _same(row, deed)
        answer = work()
        mine = (OnceKey.actor_id == actor.id, OnceKey.key == key)
        session().execute(sa.update(OnceKey).where(*mine).values(answer=answer))
        return answer


def _take(actor: Actor, key: str, deed: str) -> bool:
    values = {"actor_id": actor.id, "key": key, "deed": deed, "answer": {}, "inserted_at": clock.now()}
    statement = insert(OnceKey).values(**values).on_conflict_do_nothing().returning(OnceKey.key)
    return session().execute(statement).one_or_none() is not None


def _same(row: OnceKey, deed: str) -> Json:
    if row.deed != deed:
        raise Conflict(OTHER_DEED)
    return row.answer
