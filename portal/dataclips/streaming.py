"""Bodies of many dataclips as a stream of bytes, one in memory at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from portal.core.copying import copy_out

# As `queries.body_text`, for many (§1.4).
_BODIES = """
    SELECT d.id, convert_to(CASE
        WHEN d.type IN ('http_request', 'kafka')
        THEN CAST(jsonb_build_object('data', b.body, 'request', b.request) AS text)
        ELSE coalesce(CAST(b.body AS text), 'null')
    END, 'UTF8')
    FROM dataclips d LEFT JOIN dataclip_bodies b ON b.dataclip_id = d.id
    WHERE d.id = ANY(CAST(:ids AS uuid[])) AND d.project_id = :project_id
    ORDER BY d.id
"""


def stream_bodies(project_id: uuid.UUID, ids: str) -> Iterator[tuple[uuid.UUID, bytes]]:
    """Id and body (JSON text in UTF-8) of the project's dataclips among `ids`, by id (§1.4).

    `ids` is an array literal, `{…,…}`. http_request and kafka are wrapped as for a job;
    wiped ones have null. Runs in the caller's transaction while it is iterated.
    """
    with copy_out(_BODIES, {"ids": ids, "project_id": project_id}, "FORMAT binary") as rows:
        rows.set_types(["uuid", "bytea"])
        yield from rows.rows()
