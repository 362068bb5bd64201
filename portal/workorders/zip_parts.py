"""The files that a ZIP export grows in, and how far each is (performance §6)."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import BinaryIO

from portal.core import storage
from portal.core.db import Json
from portal.projects import ProjectFile
from portal.workorders import export_files
from portal.workorders.export_listing import ID_BYTES

ARRAYS = ("work_orders", "runs", "steps", "run_steps")
# Files that only grow; each checkpoint knows their lengths.
GROWING = ("zip", "directory", "manifest", "clips", *ARRAYS)


class Stage(StrEnum):
    """What an export works on: rows and logs, bodies of dataclips, the archive's end."""

    ROWS = "rows"
    BODIES = "bodies"
    END = "end"


@dataclass(frozen=True, slots=True)
class ZipCheckpoint:
    """How far a ZIP export is.

    `listed` work orders (None: not all yet) and `done` of them; `clips` distinct dataclips
    and `bodies` of them stored; `entries` of the archive; `rows` of each array; `lengths`
    in bytes of each growing file.
    """

    stage: Stage = Stage.ROWS
    listed: int | None = None
    done: int = 0
    clips: int = 0
    bodies: int = 0
    entries: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ARRAYS, 0))
    lengths: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GROWING, 0))

    @classmethod
    def from_json(cls, stored: Json) -> ZipCheckpoint:
        """Read what `to_json` wrote; {} is the beginning."""
        return cls(**{**stored, "stage": Stage(stored.get("stage", Stage.ROWS))})

    def to_json(self) -> Json:
        """For the ledger."""
        return asdict(self)

    @property
    def kept(self) -> dict[str, int]:
        """Bytes to keep of every file; what stands behind them belongs to a batch that never ended."""
        return {**self.lengths, "ids": (self.listed or 0) * ID_BYTES, "sorted": self.clips * ID_BYTES}


class Parts:
    """The open files of one ZIP export, cut to the checkpoint's lengths. Used in a `with` block."""

    def __init__(self, file: ProjectFile, reached: ZipCheckpoint) -> None:
        self._files: dict[str, BinaryIO] = {}
        with ExitStack() as opened:
            for name, length in reached.kept.items():
                stream = storage.open_for_append(export_files.key(file, name), keep=length)
                self._files[name] = opened.enter_context(stream)
            self._stack = opened.pop_all()

    def __enter__(self) -> Parts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> BinaryIO:
        """The file called `name`: one of GROWING, `ids` or `sorted`."""
        return self._files[name]

    def lengths(self) -> dict[str, int]:
        """The lengths of the growing files, with all that was written handed to the system."""
        for name in GROWING:
            self._files[name].flush()
        return {name: self._files[name].tell() for name in GROWING}


def usable(file: ProjectFile, reached: ZipCheckpoint) -> ZipCheckpoint:
    """The checkpoint, or the beginning when the files no longer hold what it speaks of."""
    for name, length in reached.kept.items():
        key = export_files.key(file, name)
        if length and not (storage.exists(key) and storage.size(key) >= length):
            return ZipCheckpoint()
    return reached
