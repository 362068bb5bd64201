"""What one bulk operation is to do, as it stands in the ledger, and how far it is."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from portal.core.db import Json
from portal.operations import Item, ItemResult
from portal.workorders.deeds import Deed, Selection
from portal.workorders.inputs import SearchFilters
from portal.workorders.listing import Key

KIND = "workorders:bulk"


@dataclass(frozen=True, slots=True)
class Task:
    """A deed on work orders received until `cut_off`: those of `selection`, or what `again_of` left undone.

    `total` is how many the preview counted; None when it stopped counting.
    """

    deed: Deed
    job_id: uuid.UUID | None
    cut_off: datetime
    selection: Selection = field(default_factory=Selection)
    again_of: uuid.UUID | None = None
    total: int | None = None

    def to_json(self) -> Json:
        """The arguments of the operation."""
        return {
            "deed": str(self.deed),
            "job_id": _text(self.job_id),
            "cut_off": self.cut_off.isoformat(),
            "again_of": _text(self.again_of),
            "total": self.total,
            **selection_to_json(self.selection),
        }

    @classmethod
    def from_json(cls, stored: Json) -> Task:
        """Read what `to_json` wrote."""
        return cls(
            deed=Deed(stored["deed"]),
            job_id=_uuid(stored["job_id"]),
            cut_off=datetime.fromisoformat(stored["cut_off"]),
            selection=selection_from_json(stored),
            again_of=_uuid(stored["again_of"]),
            total=stored["total"],
        )


def selection_to_json(selection: Selection) -> Json:
    """A selection as small JSON."""
    filters = selection.filters
    return {
        "filters": None if filters is None else filters.model_dump(mode="json", exclude_defaults=True),
        "ids": [str(id_) for id_ in selection.ids],
    }


def selection_from_json(stored: Json) -> Selection:
    """Read what `selection_to_json` wrote."""
    filters = stored["filters"]
    ids = tuple(uuid.UUID(id_) for id_ in stored["ids"])
    return Selection(None if filters is None else SearchFilters.model_validate(filters), ids)


@dataclass(frozen=True, slots=True)
class Reached:
    """The last work order dealt with (in the order received), and what became of all until there."""

    after: Key | None = None
    handled: int = 0
    done: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def plus(self, items: Sequence[Item], after: Key | None) -> Reached:
        """Further by these items."""
        skipped = dict(self.skipped)
        for item in items:
            if item.result is not ItemResult.DONE:
                reason = item.reason or str(item.result)
                skipped[reason] = skipped.get(reason, 0) + 1
        done = self.done + sum(item.result is ItemResult.DONE for item in items)
        return Reached(after, self.handled + len(items), done, skipped)

    def left_out(self, number: int) -> Reached:
        """Further by `number` work orders that no longer belonged to the set when it was their turn."""
        if not number:
            return self
        skipped = self.skipped | {"changed": self.skipped.get("changed", 0) + number}
        return replace(self, handled=self.handled + number, skipped=skipped)

    @property
    def result(self) -> Json:
        """What the operation answers: the number done, and the others by reason."""
        return {"done": self.done, "skipped": self.skipped}

    def to_json(self) -> Json:
        """The checkpoint."""
        after = None if self.after is None else [self.after.at.isoformat(), str(self.after.id)]
        return {"after": after, "handled": self.handled, **self.result}

    @classmethod
    def from_json(cls, stored: Json) -> Reached:
        """Read what `to_json` wrote; {} is the beginning."""
        if not stored:
            return cls()
        after: Any = stored["after"]
        key = Key(datetime.fromisoformat(after[0]), uuid.UUID(after[1])) if after else None
        return cls(key, stored["handled"], stored["done"], stored["skipped"])


def _text(id_: uuid.UUID | None) -> str | None:
    return None if id_ is None else str(id_)


def _uuid(text: str | None) -> uuid.UUID | None:
    return None if text is None else uuid.UUID(text)
