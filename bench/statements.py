"""The statements of reference.sql and floors.sql, by name."""

from __future__ import annotations

import re
from pathlib import Path

_HERE = Path(__file__).parent


def named(file: str) -> dict[str, str]:
    """Statements of a file, by the name that stands above each."""
    pieces = re.split(r"^-- name: (\w+)\n", (_HERE / file).read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(pieces[::2], (piece.strip() for piece in pieces[1::2]), strict=True))


REFERENCE = named("reference.sql")
FLOORS = named("floors.sql")
# The reference's indexes over log lines and bodies, in a schema of their own.
REFERENCE_INDEX = (
    "CREATE SCHEMA reference",
    """CREATE TABLE reference.log_vectors AS
    SELECT run_id, seq, to_tsvector('simple', message) AS search_vector FROM log_lines""",
    "CREATE INDEX ON reference.log_vectors USING gin (search_vector)",
    "CREATE INDEX ON reference.log_vectors (run_id)",
    "ANALYZE reference.log_vectors",
    """CREATE TABLE reference.body_vectors AS
    SELECT dataclip_id, jsonb_to_tsvector('simple', body, '"all"') AS search_vector FROM dataclip_bodies""",
    "CREATE INDEX ON reference.body_vectors USING gin (search_vector)",
    "CREATE INDEX ON reference.body_vectors (dataclip_id)",
    "ANALYZE reference.body_vectors",
)
