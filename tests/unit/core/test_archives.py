"""The zip writer, read back by the standard library's reader and by nobody's good will."""

from __future__ import annotations

import hashlib
import io
import os
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import archives
from portal.core.archives import ZipWriter

NOW = datetime(2026, 11, 20, 12, 30, 44, tzinfo=UTC)


def packed(entries: dict[str, list[bytes]]) -> io.BytesIO:
    sink = io.BytesIO()
    writer = ZipWriter(sink, io.BytesIO(), entries=0, moment=NOW)
    for name, pieces in entries.items():
        entry = writer.add(name, pieces)
        whole = b"".join(pieces)
        assert (entry.name, entry.bytes, entry.sha256) == (
            name,
            len(whole),
            hashlib.sha256(whole).hexdigest(),
        )
    writer.close()
    return sink


def unpacked(sink: io.BytesIO) -> dict[str, bytes]:
    with zipfile.ZipFile(sink) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@given(st.dictionaries(st.from_regex(r"[a-z0-9/]{1,40}", fullmatch=True), st.lists(st.binary()), max_size=8))
def test_what_goes_in_comes_out(entries: dict[str, list[bytes]]) -> None:
    assert unpacked(packed(entries)) == {name: b"".join(pieces) for name, pieces in entries.items()}


def test_an_archive_may_be_empty() -> None:
    assert unpacked(packed({})) == {}


def test_a_large_entry_is_written_before_its_end_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "HELD", 1000)
    noise = [os.urandom(700) for _ in range(9)]
    entries = {"a": [b"first"], "large": noise, "b": [b"last"]}
    assert unpacked(packed(entries)) == {name: b"".join(pieces) for name, pieces in entries.items()}


def test_more_than_65_535_entries_and_far_places_use_the_large_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archives, "_MOST_ENTRIES", 2)
    entries = {name: [name.encode()] for name in "abcd"}
    assert unpacked(packed(entries)) == {name: name.encode() for name in "abcd"}
    many = {f"logs/{number}.txt": [b"x"] for number in range(66_000)}
    monkeypatch.undo()
    with zipfile.ZipFile(packed(many)) as archive:
        assert len(archive.namelist()) == 66_000


def test_an_archive_beyond_4_gib_is_read_back() -> None:
    """A gap stands in for the first four gibibytes, so that nobody waits for them."""
    sink = _Gapped()
    writer = ZipWriter(sink, io.BytesIO(), entries=0, moment=NOW)
    writer.add("far", [b"away"])
    writer.close()
    with zipfile.ZipFile(sink) as archive:
        assert archive.getinfo("far").header_offset == _Gapped.GAP
        assert archive.read("far") == b"away"


class _Gapped(io.BytesIO):
    """A file that begins with five gibibytes of nothing."""

    GAP = 5 << 30

    def tell(self) -> int:
        return super().tell() + self.GAP

    def seek(self, offset: int, whence: int = 0) -> int:
        return super().seek(max(offset - self.GAP, 0) if whence == 0 else offset, whence) + self.GAP


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 70_000])
def test_tiny_and_large_entries_come_out_alike(size: int) -> None:
    text = bytes(range(256)) * (size // 256 + 1)
    pieces = [text[at : at + 1000] for at in range(0, size, 1000)]
    assert unpacked(packed({"a": pieces})) == {"a": b"".join(pieces)}


def test_it_goes_on_where_a_checkpoint_cut_it_off() -> None:
    sink, directory = io.BytesIO(), io.BytesIO()
    writer = ZipWriter(sink, directory, entries=0, moment=NOW)
    writer.add("kept", [b"1"])
    lengths = sink.tell(), directory.tell()
    writer.add("lost", [b"2"])
    for file, length in zip((sink, directory), lengths, strict=True):
        file.truncate(length)
        file.seek(length)
    again = ZipWriter(sink, directory, entries=1, moment=NOW)
    again.add("new", [b"3"])
    again.close()
    assert unpacked(sink) == {"kept": b"1", "new": b"3"}


def test_the_same_entries_give_the_same_bytes_and_the_time_given() -> None:
    entries = {"a": [b"x" * 5000]}
    assert packed(entries).getvalue() == packed(entries).getvalue()
    with zipfile.ZipFile(packed(entries)) as archive:
        assert archive.infolist()[0].date_time == (2026, 11, 20, 12, 30, 44)


def test_memory_does_not_grow_with_the_entries(tmp_path: Path) -> None:
    def peak(entries: int) -> int:
        with (tmp_path / "zip").open("w+b") as sink, (tmp_path / "records").open("w+b") as directory:
            writer = ZipWriter(sink, directory, entries=0, moment=NOW)
            tracemalloc.start()
            for number in range(entries):
                writer.add(f"logs/{number}.txt", [b"a line"])
            writer.close()
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return found

    few, many = peak(2_000), peak(12_000)
    assert many < few + 200_000
