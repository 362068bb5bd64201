"""Zip files of any number of entries, written front to back in constant memory.

The standard library keeps every entry's directory record in memory until the end: millions
of entries would take gigabytes. Here the records wait in a second file. Nothing that was
written is changed later, so both files can be cut back to a checkpoint and gone on with.
Formats: APPNOTE 6.3, with its 64-bit records where a number needs them.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import BinaryIO

# Compressed bytes of an entry that are held back, so that its header can tell its sizes.
HELD = 1 << 20
_BLOCK = 1 << 16
_LEVEL = 1
_TINY = 1 << 12
_STREAMED = 0x08
_SMALL, _LARGE = 20, 45
_MOST, _MOST_ENTRIES = 0xFFFFFFFF, 0xFFFF
_LOCAL = struct.Struct("<4s5H3I2H")
_TRAILER = struct.Struct("<4sI2Q")
_RECORD = struct.Struct("<4s6H3I5H2I")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")
_READABLE = 0o100644 << 16
_UNIX = 3 << 8


def _head(pieces: Iterator[bytes]) -> bytes:
    """The first pieces, joined; shorter than `_TINY` only when there are no more."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= _TINY:
            break
    return bytes(held)


def _compressor(head: bytes) -> zlib._Compress:
    """A compressor for an entry that begins so. A tiny one needs no large tables, whose making costs most."""
    window, memory = (-12, 5) if len(head) < _TINY else (-15, 8)
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, window, memory)


@dataclass(frozen=True, slots=True)
class Entry:
    """What was stored: name, size before compression in bytes, SHA-256 in hexadecimal digits."""

    name: str
    bytes: int
    sha256: str


class ZipWriter:
    """Appends entries to `sink`, and their records to `directory`; both stand at their ends.

    `entries` is how many they hold by now; `moment` is the time that all entries bear.
    Names are ASCII, at most 65,535 bytes, and the caller's care to be distinct and harmless.
    Every method raises OSError of the files.
    """

    def __init__(self, sink: BinaryIO, directory: BinaryIO, *, entries: int, moment: datetime) -> None:
        self._sink, self._directory, self.entries = sink, directory, entries
        self._at = sink.tell()
        self._time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
        self._date = (moment.year - 1980) << 9 | moment.month << 5 | moment.day

    def add(self, name: str, pieces: Iterable[bytes]) -> Entry:
        """Store the joined pieces under `name`; of a large entry only a part is in memory at a time."""
        rest = iter(pieces)
        head = _head(rest)
        begin, squeeze, digest = self._at, _compressor(head), hashlib.sha256()
        crc = size = packed = 0
        held = bytearray()
        for piece in chain((head,), rest):
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            digest.update(piece)
            held += squeeze.compress(piece)
            if len(held) > HELD:
                packed = self._stream(name, held, packed)
        held += squeeze.flush()
        streamed = packed > 0
        packed += len(held)
        self._write(held if streamed else self._local(name, 0, crc, packed, size) + held)
        if streamed:
            self._write(_TRAILER.pack(b"PK\x07\x08", crc, packed, size))
        self._directory.write(self._record(name, streamed, crc, packed, size, begin))
        self.entries += 1
        return Entry(name, size, digest.hexdigest())

    def _stream(self, name: str, held: bytearray, packed: int) -> int:
        """Write what is held of an entry that is too large to wait for its end; answers its bytes so far."""
        if not packed:
            self._write(self._local(name, _STREAMED, 0, _MOST, _MOST))
        self._write(held)
        packed += len(held)
        held.clear()
        return packed

    def _local(self, name: str, flags: int, crc: int, packed: int, size: int) -> bytes:
        extra = struct.pack("<2H2Q", 1, 16, 0, 0) if flags else b""
        given = name.encode("ascii")
        needs = _LARGE if flags else _SMALL
        times = (self._time, self._date)
        head = (b"PK\x03\x04", needs, flags, 8, *times, crc, packed, size, len(given), len(extra))
        return _LOCAL.pack(*head) + given + extra

    def _record(self, name: str, streamed: bool, crc: int, packed: int, size: int, begin: int) -> bytes:
        large = [number for number in (size, packed, begin) if number >= _MOST]
        extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        needs = _LARGE if streamed or large else _SMALL
        given, flags = name.encode("ascii"), _STREAMED if streamed else 0
        sizes = (min(packed, _MOST), min(size, _MOST), len(given), len(extra), 0)
        fields = (_UNIX | needs, needs, flags, 8, self._time, self._date, crc, *sizes)
        return _RECORD.pack(b"PK\x01\x02", *fields, 0, 0, _READABLE, min(begin, _MOST)) + given + extra

    def close(self) -> None:
        """Put the directory behind the entries; the file is whole then. Does not close the files."""
        begin = self._at
        self._directory.flush()
        self._directory.seek(0)
        shutil.copyfileobj(self._directory, self._sink, _BLOCK)
        length = self._directory.tell()
        if self.entries >= _MOST_ENTRIES or begin + length >= _MOST:
            end = begin + length
            counts = (self.entries, self.entries, length, begin)
            self._write(_END_64.pack(b"PK\x06\x06", 44, _UNIX | _LARGE, _LARGE, 0, 0, *counts))
            self._write(_LOCATOR_64.pack(b"PK\x06\x07", 0, end, 1))
        entries = min(self.entries, _MOST_ENTRIES)
        where = (min(length, _MOST), min(begin, _MOST))
        self._write(_END.pack(b"PK\x05\x06", 0, 0, entries, entries, *where, 0))
        self._sink.flush()

    def _write(self, piece: bytes | bytearray) -> None:
        self._sink.write(piece)
        self._at += len(piece)
