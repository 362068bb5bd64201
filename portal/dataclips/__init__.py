"""Dataclips: what arrived, was typed, or was left by a step."""

from portal.dataclips import policies as _policies  # noqa: F401 - registers the permissions
from portal.dataclips.batches import NewDataclip, create_many
from portal.dataclips.commands import create, create_wiped, wipe
from portal.dataclips.models import Dataclip, DataclipType
from portal.dataclips.queries import Preview, body_text, get, preview
from portal.dataclips.saved import SavedInput, list_saved
from portal.dataclips.scrubbing import mended, scrub, scrubber
from portal.dataclips.streaming import stream_bodies

__all__ = [
    "Dataclip",
    "DataclipType",
    "NewDataclip",
    "Preview",
    "SavedInput",
    "body_text",
    "create",
    "create_many",
    "create_wiped",
    "get",
    "list_saved",
    "mended",
    "preview",
    "scrub",
    "scrubber",
    "stream_bodies",
    "wipe",
]
