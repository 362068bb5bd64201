"""Which secrets may stand in what a run logs and a step leaves behind (workorders §8.5.6, dataclips §1.11).

The one place that everything which stores log lines, or shows or exports bodies, asks.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import sqlalchemy as sa

from portal import credentials, dataclips
from portal.core import db
from portal.dataclips import Preview

Scrub = Callable[[str], str]

# A run's credentials hardly change while it logs; a value that was replaced meanwhile is hidden as well.
KEPT_SECONDS = 30.0
MOST_RUNS = 2_000

_OF_RUN = sa.text("""
    SELECT p.env, ARRAY(
        SELECT pc.credential_id
        FROM snapshots AS n CROSS JOIN jsonb_array_elements(n.jobs) AS j (job)
        JOIN project_credentials AS pc ON pc.project_id = r.project_id
            AND CAST(pc.id AS text) = j.job ->> 'project_credential_id'
        WHERE n.id = r.snapshot_id
        UNION
        SELECT s.credential_id FROM run_steps AS rs JOIN steps AS s ON s.id = rs.step_id
        WHERE rs.run_id = r.id AND s.credential_id IS NOT NULL
    ) AS credential_ids
    FROM runs AS r JOIN projects AS p ON p.id = r.project_id WHERE r.id = :run_id
""")
# An output may hold what its own step knew, and all that began no later in the same runs; a run's final state
# what any of its steps knew.
_OF_OUTPUT = sa.text("""
    WITH clips AS MATERIALIZED (
        SELECT d.id, p.env FROM dataclips AS d JOIN projects AS p ON p.id = d.project_id
        WHERE d.id = ANY(CAST(:ids AS uuid[])) AND d.type = 'step_result'
    )
    SELECT c.id AS dataclip_id, c.env, s.credential_id
    FROM clips AS c
    JOIN steps AS made ON made.output_dataclip_id = c.id
    JOIN run_steps AS own ON own.step_id = made.id
    JOIN run_steps AS other ON other.run_id = own.run_id
    JOIN steps AS s ON s.id = other.step_id
    WHERE s.credential_id IS NOT NULL
        AND coalesce(s.started_at <= made.started_at, true)
    UNION
    SELECT c.id, c.env, s.credential_id
    FROM clips AS c
    JOIN runs AS r ON r.final_dataclip_id = c.id
    JOIN run_steps AS rs ON rs.run_id = r.id
    JOIN steps AS s ON s.id = rs.step_id
    WHERE s.credential_id IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found for a run, and until when that holds (monotonic seconds)."""

    secrets: tuple[str, ...]
    scrub: Scrub | None
    until: float


_known: OrderedDict[uuid.UUID, _Known] = OrderedDict()
_lock = Lock()


def scrubber_of_run(run_id: uuid.UUID) -> Scrub | None:
    """What hides the secrets of the run's credentials in a text; None when it has none (workorders §8.5.6).

    Kept for half a minute in this process: a run that logs costs a question now and then,
    not one each batch. Raises Unavailable when a credential cannot be opened.
    """
    now = time.monotonic()
    with _lock:
        before = _known.get(run_id)
        if before is not None and before.until > now:
            _known.move_to_end(run_id)
            return before.scrub
    found = _secrets_of_run(run_id)
    secrets = tuple(dict.fromkeys((*found, *(before.secrets if before else ()))))
    scrub = dataclips.scrubber(secrets) if secrets else None
    with _lock:
        _known[run_id] = _Known(secrets, scrub, now + KEPT_SECONDS)
        _known.move_to_end(run_id)
        while len(_known) > MOST_RUNS:
            _known.popitem(last=False)
    return scrub


def _secrets_of_run(run_id: uuid.UUID) -> list[str]:
    if not credentials.any_bodies():
        return []
    row = db.session().execute(_OF_RUN, {"run_id": run_id}).one_or_none()
    return credentials.secrets_of(row.credential_ids, row.env) if row else []


def secrets_of_step_output(
    dataclip_ids: Collection[uuid.UUID] | Collection[str],
) -> Mapping[uuid.UUID, Sequence[str]]:
    """For each dataclip the secrets to hide when it is shown or exported; those without are left out.

    Only what a step or run left behind is looked at; what arrived or was typed is shown as it is
    (dataclips-and-accounts §1.11). A few statements for any number, and one small
    one where no credential has values. Raises Unavailable when a credential cannot be opened.
    """
    if not dataclip_ids or not credentials.any_bodies():
        return {}
    rows = db.session().execute(_OF_OUTPUT, {"ids": [str(id_) for id_ in dataclip_ids]}).all()
    asked: dict[str | None, set[uuid.UUID]] = {}
    for row in rows:
        asked.setdefault(row.env, set()).add(row.credential_id)
    known = {env: credentials.secrets_by_credential(ids, env) for env, ids in asked.items()}
    found: dict[uuid.UUID, list[str]] = {}
    for row in rows:
        if texts := known[row.env].get(row.credential_id):
            found.setdefault(row.dataclip_id, []).extend(texts)
    return found


def shown_body(project_id: uuid.UUID, dataclip_id: uuid.UUID) -> str:
    """As `dataclips.body_text`, with secrets hidden: what people may see of a body."""
    text = dataclips.body_text(project_id, dataclip_id)
    return dataclips.scrub(text, secrets_of_step_output([dataclip_id]).get(dataclip_id, ()))


def shown_preview(project_id: uuid.UUID, dataclip_id: uuid.UUID, *, most: int) -> Preview:
    """As `dataclips.preview`, with secrets hidden."""
    clip = dataclips.preview(project_id, dataclip_id, most=most)
    if clip.text is None:
        return clip
    secrets = secrets_of_step_output([dataclip_id]).get(dataclip_id, ())
    return replace(clip, text=dataclips.scrub(clip.text, secrets))


def forget() -> None:
    """Ask anew for every run from now on; for tests, and after a credential was changed."""
    with _lock:
        _known.clear()
