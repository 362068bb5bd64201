"""Where an export's file and the parts it is made of are stored."""

from __future__ import annotations

from portal.core import storage
from portal.projects import ProjectFile

# Whatever an export of either form may have written.
SUFFIXES = (
    "csv",
    "zip",
    "ids",
    "work_orders",
    "runs",
    "steps",
    "run_steps",
    "clips",
    "sorted",
    "directory",
    "manifest",
)


def key(file: ProjectFile, suffix: str) -> str:
    """The storage key of one part; made from ids only."""
    if suffix not in SUFFIXES:
        raise ValueError(f"an export has no part {suffix}")
    return f"exports/{file.project_id}/{file.id}.{suffix}"


def drop(file: ProjectFile, keep: str | None = None) -> None:
    """Remove all that is stored of the export, but for the part `keep`. Raises OSError."""
    for suffix in SUFFIXES:
        if suffix != keep:
            storage.delete(key(file, suffix))
