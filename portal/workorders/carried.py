"""Which steps a retry takes over instead of executing them again (workorders §10.1.4). Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

# (source job, or None for a trigger; target job)
Edge = tuple[uuid.UUID | None, uuid.UUID]


def carried_jobs(edges: Iterable[Edge], job_id: uuid.UUID) -> set[uuid.UUID]:
    """The jobs whose steps are carried into a retry from `job_id`.

    Every edge that touches the job is dropped, then every edge that touches a job which a
    dropped edge led to, and so on. Jobs that still have an edge are carried: upstream
    jobs and parallel branches, nothing downstream, no job without any edge.
    """
    left = set(edges)
    pending, seen = [job_id], set[uuid.UUID]()
    while pending:
        job = pending.pop()
        seen.add(job)
        dropped = {edge for edge in left if job in edge}
        left -= dropped
        pending.extend(target for _source, target in dropped if target not in seen)
    return {job for edge in left for job in edge if job is not None}
