"""Each id of a long list once, in order, in little memory."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from typing import BinaryIO

from portal.workorders.export_listing import ID_BYTES

# Ids that are sorted in memory at a time (some 10 MB).
CHUNK = 100_000
_READ_AT_A_TIME = 500


def sort_ids(source: BinaryIO, target: BinaryIO) -> int:
    """Write the ids of `source` (a line each) to `target`, sorted and each once; answers their number.

    What `target` held is dropped; `source` is left at its end. Raises OSError of the files,
    also of the temporary ones.
    """
    target.seek(0)
    target.truncate()
    source.seek(0)
    written = 0
    with ExitStack() as opened:
        chunks = [opened.enter_context(chunk) for chunk in _chunks(source)]
        for line, _ in groupby(heapq.merge(*map(_lines, chunks))):
            target.write(line)
            written += 1
    target.flush()
    return written


def _chunks(source: BinaryIO) -> Iterator[BinaryIO]:
    while block := source.read(CHUNK * ID_BYTES):
        lines = sorted({block[at : at + ID_BYTES] for at in range(0, len(block), ID_BYTES)})
        chunk = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's stack closes it
        chunk.write(b"".join(lines))
        chunk.seek(0)
        yield chunk


def _lines(chunk: BinaryIO) -> Iterator[bytes]:
    while block := chunk.read(_READ_AT_A_TIME * ID_BYTES):
        yield from (block[at : at + ID_BYTES] for at in range(0, len(block), ID_BYTES))
