"""Job bodies that a spec keeps in files beside it (projects-and-workflows §5.2).

A spec may come from anywhere, so a path must stay below the spec's own folder,
also after symbolic links are followed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from portal.core.text import N_

MAX_BYTES = 1_000_000


class BodyFileError(Exception):
    """The file cannot be used; `message` says why, naming it as the document does."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(slots=True)
class BodyFiles:
    """The files below `base_dir`; None when the document did not come from a folder."""

    base_dir: Path | None
    _read: dict[str, str] = field(default_factory=dict)

    def body(self, path: str) -> str:
        """The text of the file `path`, relative to the folder. Raises BodyFileError."""
        if path not in self._read:
            self._read[path] = self._text(path)
        return self._read[path]

    def _text(self, path: str) -> str:
        data = self._bytes(path)
        if len(data) > MAX_BYTES:
            raise BodyFileError(f"the file {path!r} is larger than {MAX_BYTES // 1_000_000} MB")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BodyFileError(f"the file {path!r} is not UTF-8 text") from None
        if "\0" in text:
            raise BodyFileError(f"the file {path!r} has a NUL character")
        if not text.strip():
            raise BodyFileError(f"the file {path!r} is empty")
        return text

    def _bytes(self, path: str) -> bytes:
        try:
            file = self._below(path)
            # A pipe or a device would never end.
            if not file.is_file():
                raise BodyFileError(f"the file {path!r} is missing")
            with file.open("rb") as opened:
                return opened.read(MAX_BYTES + 1)
        except (OSError, RuntimeError, ValueError):  # unreadable, a loop of links, a name no system takes
            raise BodyFileError(f"the file {path!r} cannot be read") from None

    def _below(self, path: str) -> Path:
        if self.base_dir is None:
            raise BodyFileError(N_("names a file, but the document did not come from a folder"))
        if PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor:
            raise BodyFileError(f"the path {path!r} must be relative to the document")
        base = self.base_dir.resolve()
        file = (base / path).resolve()
        if not file.is_relative_to(base):
            raise BodyFileError(f"the path {path!r} leads out of the document's folder")
        return file
