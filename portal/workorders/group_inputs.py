"""What may be asked of the list of error groups (workorders §22.4)."""

from __future__ import annotations

import enum
import uuid

from pydantic import BaseModel, ConfigDict, field_validator

from portal.workorders.group_models import GroupState


class GroupSort(enum.StrEnum):
    """Orders of the list; both begin with the greatest."""

    LAST_SEEN = "last_seen"
    COUNT = "count"


class GroupFilters(BaseModel):
    """One address of the list: the state, a workflow or all, the order."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: GroupState = GroupState.OPEN
    workflow: uuid.UUID | None = None
    sort: GroupSort = GroupSort.LAST_SEEN

    @field_validator("workflow", mode="before")
    @classmethod
    def _blank(cls, value: object) -> object:
        return value or None

    def to_query(self) -> dict[str, str]:
        """The shortest pairs of an address that say the same."""
        given = self.model_dump(mode="json", exclude_defaults=True)
        return {name: str(value) for name, value in given.items()}


class NewGroupState(BaseModel):
    """The form of the buttons that resolve, ignore and reopen."""

    state: GroupState
