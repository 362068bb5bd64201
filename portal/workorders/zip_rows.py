"""The rows and logs of a batch of work orders, straight from the database into files (workorders §13.6).

One statement gives the rows of all four arrays, so that they are of one moment: a run whose
steps are listed is itself listed. A letter in front of each line says where it belongs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from portal.core.copying import copy_out
from portal.workorders.export_listing import ID_BYTES, as_array
from portal.workorders.zip_parts import ARRAYS, Parts

# JSON has no control characters: with two of them as quote and delimiter, its text stays as it is.
_PLAIN = r"FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02'"
_ROWS = """
    WITH batch AS MATERIALIZED (
        SELECT id, place FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS k (id, place)
    ), found AS MATERIALIZED (
        SELECT k.place, w.*, f.name AS workflow_name
        FROM batch AS k JOIN work_orders AS w ON w.id = k.id JOIN workflows AS f ON f.id = w.workflow_id
        WHERE w.id = ANY(CAST(:ids AS uuid[])) AND w.project_id = :project_id
    ), tried AS MATERIALIZED (
        SELECT w.place, r.* FROM found AS w JOIN runs AS r ON r.work_order_id = w.id
    ), linked AS MATERIALIZED (
        SELECT r.place, r.inserted_at AS run_at, l.*
        FROM tried AS r JOIN run_steps AS l ON l.run_id = r.id
    ), worked AS MATERIALIZED (
        SELECT l.place, l.run_at, l.run_id, l.inserted_at AS linked_at, l.id AS link_id, s.*
        FROM linked AS l JOIN steps AS s ON s.id = l.step_id
    ), lines AS (
        SELECT 1 AS part, w.place, NULL::timestamptz AS run_at, NULL::uuid AS run_id,
            NULL::timestamptz AS at, NULL::uuid AS id, 'w' || row_to_json(x) AS line
        FROM found AS w CROSS JOIN LATERAL (
            SELECT w.id, w.dataclip_id, w.inserted_at, w.last_activity, w.snapshot_id, w.state, w.trigger_id,
                w.updated_at, w.workflow_id, w.workflow_name) AS x
        UNION ALL
        SELECT 2, r.place, r.inserted_at, r.id, NULL, NULL, 'r' || r.id || row_to_json(x)
        FROM tried AS r CROSS JOIN LATERAL (
            SELECT r.id, r.work_order_id, r.state, r.error_type, r.claimed_at, r.started_at, r.finished_at,
                r.inserted_at, r.created_by_id, r.dataclip_id, r.options, r.snapshot_id, r.starting_job_id,
                r.starting_trigger_id) AS x
        UNION ALL
        SELECT 3, s.place, s.run_at, s.run_id, s.linked_at, s.link_id, 's' || row_to_json(x)
        FROM worked AS s CROSS JOIN LATERAL (
            SELECT s.id, s.job_id, s.credential_id, s.exit_reason, s.error_type, s.started_at, s.finished_at,
                s.inserted_at, s.input_dataclip_id AS input_dataclip, s.output_dataclip_id AS output_dataclip,
                s.snapshot_id) AS x
        UNION ALL
        SELECT 4, l.place, l.run_at, l.run_id, l.inserted_at, l.id, 'l' || row_to_json(x)
        FROM linked AS l CROSS JOIN LATERAL (SELECT l.id, l.run_id, l.step_id, l.inserted_at) AS x
        UNION ALL
        SELECT 5, NULL, NULL, NULL, NULL, c.id, 'c' || c.id
        FROM (SELECT input_dataclip_id AS id FROM worked UNION SELECT output_dataclip_id FROM worked) AS c
        WHERE c.id IS NOT NULL
    )
    SELECT line FROM lines ORDER BY part, place, run_at, run_id, at, id
"""
_LOGS = """
    SELECT run_id, convert_to(message, 'UTF8') FROM log_lines
    WHERE run_id = ANY(CAST(:ids AS uuid[])) ORDER BY run_id, timestamp, seq
"""
_RUN, _CLIP = b"r", b"c"
_TARGETS = dict(zip((b"w", _RUN, b"s", b"l"), ARRAYS, strict=True))
# The id in front of a run's line, without a line feed.
_ID = ID_BYTES - 1
# Bytes of a log that are put together before they are compressed.
_BLOCK = 1 << 16


def write_rows(
    project_id: uuid.UUID, ids: list[str], parts: Parts, rows: dict[str, int]
) -> tuple[dict[str, int], list[str]]:
    """Append the lines of these work orders to the parts; answers the rows of each array, and the runs' ids.

    A line is one JSON object. Work orders that have gone or are not the project's are left
    out. Ids of the dataclips that steps used go to the part `clips`. Needs a transaction.
    """
    counts, runs = dict(rows), []
    with copy_out(_ROWS, {"ids": as_array(ids), "project_id": project_id}, _PLAIN) as lines:
        for piece in lines:
            line = bytes(piece)
            tag, text = line[:1], line[1:]
            if tag == _CLIP:
                parts["clips"].write(text)
                continue
            if tag == _RUN:
                runs.append(text[:_ID].decode())
                text = text[_ID:]
            parts[_TARGETS[tag]].write(text)
            counts[_TARGETS[tag]] += 1
    return counts, runs


def stream_logs(runs: list[str]) -> Iterator[tuple[uuid.UUID, Iterator[bytes]]]:
    """For each of the runs that has lines: its id, and its messages joined by line feeds, in pieces.

    By timestamp, then number. One statement for all runs; the pieces of one run must be
    used up before the next is taken. Needs a transaction.
    """
    with copy_out(_LOGS, {"ids": as_array(runs)}, "FORMAT binary") as rows:
        rows.set_types(["uuid", "bytea"])
        for run_id, lines in groupby(rows.rows(), key=itemgetter(0)):
            yield run_id, _joined(message for _, message in lines)


def _joined(messages: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for place, message in enumerate(messages):
        held += b"\n" + message if place else message
        if len(held) > _BLOCK:
            yield bytes(held)
            held.clear()
    yield bytes(held)
