"""Dataclips: what arrived, was typed, or was left by a step."""

from portal.dataclips import policies as _policies  # noqa: F401 - registers the permissions
from portal.dataclips.commands import create, create_wiped, wipe
from portal.dataclips.models import Dataclip, DataclipType
from portal.dataclips.queries import body_text, get

__all__ = ["Dataclip", "DataclipType", "body_text", "create", "create_wiped", "get", "wipe"]
