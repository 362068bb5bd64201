"""Dataclips: what arrived, was typed, or was left by a step."""

from portal.dataclips import policies as _policies  # noqa: F401 - registers the permissions
from portal.dataclips.batches import NewDataclip, create_many
from portal.dataclips.commands import create, create_wiped, wipe
from portal.dataclips.models import Dataclip, DataclipType
from portal.dataclips.queries import Preview, body_text, get, preview

__all__ = [
    "Dataclip",
    "DataclipType",
    "NewDataclip",
    "Preview",
    "body_text",
    "create",
    "create_many",
    "create_wiped",
    "get",
    "preview",
    "wipe",
]
