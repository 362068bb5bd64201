"""The filtered history as an archive, in batches that can be taken up after a crash (workorders §13.5).

Rows of the four arrays wait in files of JSON lines; logs and bodies go into the archive as
they come. At the end the lines become export.json, and the manifest names every entry.
Nothing grows with the number of work orders but files, and no transaction outlives a batch.
The archive of the same rows is the same to the byte, crash or not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import portal
from portal import dataclips
from portal.core import db
from portal.core.archives import Entry, ZipWriter
from portal.projects import Project
from portal.workorders import step_secrets
from portal.workorders.export_listing import ID_BYTES, as_array, list_ids, read_ids
from portal.workorders.export_request import Asked
from portal.workorders.listing import Wanted
from portal.workorders.zip_parts import ARRAYS, Parts, Stage, ZipCheckpoint
from portal.workorders.zip_rows import stream_logs, write_rows
from portal.workorders.zip_sort import sort_ids

BATCH = 2_000
BODIES = 200
# Bytes of export.json between two looks at whether somebody cancelled.
LOOK = 64 << 20
_BLOCK = 1 << 20

Report = Callable[[ZipCheckpoint], object]


@dataclass(slots=True)
class _Work:
    """What the stages share, and how far they are."""

    project: Project
    asked: Asked
    parts: Parts
    archive: ZipWriter
    on_batch: Report
    reached: ZipCheckpoint

    def add(self, name: str, pieces: Iterator[bytes]) -> Entry:
        """Store an entry, and its line of the manifest."""
        entry = self.archive.add(name, pieces)
        line = json.dumps({"name": entry.name, "bytes": entry.bytes, "sha256": entry.sha256})
        self.parts["manifest"].write(line.encode() + b"\n")
        return entry

    def advance(self, **changes: Any) -> None:
        """Move on; inside the batch's unit of work, as its last deed."""
        lengths, entries = self.parts.lengths(), self.archive.entries
        self.reached = replace(self.reached, lengths=lengths, entries=entries, **changes)
        self.on_batch(self.reached)


def write_zip(
    project: Project,
    asked: Asked,
    *,
    parts: Parts,
    checkpoint: ZipCheckpoint,
    on_batch: Report = lambda _: None,
) -> ZipCheckpoint:
    """Write the archive of what was asked into the part `zip`; answers the end.

    `parts` are cut to the checkpoint. `on_batch` is told of each checkpoint inside the unit
    of work of its batch; what it raises ends the export. Raises OSError of the files.
    """
    archive = ZipWriter(parts["zip"], parts["directory"], entries=checkpoint.entries, moment=asked.cut_off)
    work = _Work(project, asked, parts, archive, on_batch, checkpoint)
    if checkpoint.listed is None:
        _list(work)
    if work.reached.stage is Stage.ROWS:
        _write_rows(work)
    if work.reached.stage is Stage.BODIES:
        _write_bodies(work)
    _write_end(work)
    return work.reached


def _list(work: _Work) -> None:
    project, asked = work.project, work.asked
    with db.unit_of_work():
        wanted = Wanted(project.id, project.number, asked.filters, cut_off=asked.cut_off)
        work.advance(listed=list_ids(wanted, work.parts["ids"]))


def _write_rows(work: _Work) -> None:
    """The rows and logs of all that was listed; then the list of dataclips, each once."""
    ids, listed = work.parts["ids"], work.reached.listed or 0
    ids.seek(work.reached.done * ID_BYTES)
    while work.reached.done < listed:
        _row_batch(work, read_ids(ids, min(BATCH, listed - work.reached.done)))
    clips = sort_ids(work.parts["clips"], work.parts["sorted"])
    with db.unit_of_work():
        work.advance(stage=Stage.BODIES, clips=clips)


def _row_batch(work: _Work, ids: list[str]) -> None:
    with db.unit_of_work():
        rows, runs = write_rows(work.project.id, ids, work.parts, work.reached.rows)
        for run_id, pieces in stream_logs(runs):
            work.add(f"logs/{run_id}.txt", pieces)
        work.advance(done=work.reached.done + len(ids), rows=rows)


def _write_bodies(work: _Work) -> None:
    ids, clips = work.parts["sorted"], work.reached.clips
    ids.seek(work.reached.bodies * ID_BYTES)
    while work.reached.bodies < clips:
        _body_batch(work, read_ids(ids, min(BODIES, clips - work.reached.bodies)))
    with db.unit_of_work():
        work.advance(stage=Stage.END)


def _body_batch(work: _Work, ids: list[str]) -> None:
    with db.unit_of_work():
        secrets = step_secrets.secrets_of_step_output(ids)
        for clip_id, body in dataclips.stream_bodies(work.project.id, as_array(ids)):
            hidden = dataclips.scrub(body, secrets.get(clip_id, ()))
            work.add(f"dataclips/{clip_id}.json", iter((hidden,)))
        work.advance(bodies=work.reached.bodies + len(ids))


def _write_end(work: _Work) -> None:
    work.add("export.json", _export_json(work))
    work.parts["manifest"].flush()
    work.archive.add("manifest.json", _manifest_json(work))
    work.archive.close()


def _export_json(work: _Work) -> Iterator[bytes]:
    """One object with the four arrays; each line of a part is an element."""
    for place, name in enumerate(ARRAYS):
        yield f'{"," if place else "{"}"{name}":[\n'.encode()
        seen = 0
        for piece in _elements(work.parts[name]):
            yield piece
            seen += len(piece)
            if seen > LOOK:
                seen = 0
                work.on_batch(work.reached)
        yield b"]"
    yield b"}\n"


def _elements(lines: BinaryIO) -> Iterator[bytes]:
    """The lines of a file as elements of a JSON array: a comma after each but the last."""
    length = lines.seek(0, 2)
    lines.seek(0)
    while (left := length - lines.tell()) > 1:
        yield lines.read(min(_BLOCK, left - 1)).replace(b"\n", b",\n")
    yield lines.read()


def _manifest_json(work: _Work) -> Iterator[bytes]:
    """What the archive is, and size and SHA-256 of every other entry."""
    asked, project = work.asked, work.project
    head = {
        "portal_version": portal.__version__,
        "project": {"id": str(project.id), "name": project.name},
        "cut_off": asked.cut_off.isoformat(),
        "filters": asked.to_arguments()["filters"],
        "rows": {name: work.reached.rows[name] for name in ARRAYS},
    }
    yield json.dumps(head)[:-1].encode() + b', "entries": [\n'
    yield from _elements(work.parts["manifest"])
    yield b"]}\n"
