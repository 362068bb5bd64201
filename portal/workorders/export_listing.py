"""The ids that an export is about, listed once into a file, and read back in blocks (workorders §13.3)."""

from __future__ import annotations

from typing import BinaryIO

from portal.core.copying import copy_out
from portal.workorders.listing import Wanted
from portal.workorders.search import all_keys_sql

# An id as text, and a line feed.
ID_BYTES = 37


def list_ids(wanted: Wanted, ids: BinaryIO) -> int:
    """Write the ids of all that pass, a line each, in the order of the list; answers their number.

    What the file held is dropped. Needs a transaction. Raises OSError of the file.
    """
    ids.seek(0)
    ids.truncate()
    found = all_keys_sql(wanted)
    listed = 0
    if found is not None:
        with copy_out(f"SELECT k.id FROM ({found[0]}) AS k", found[1]) as lines:  # noqa: S608 - from our search
            for line in lines:
                ids.write(line)
                listed += 1
    ids.flush()
    return listed


def read_ids(ids: BinaryIO, number: int) -> list[str]:
    """The next `number` ids of the file. Raises OSError when it is shorter than it was."""
    block = ids.read(number * ID_BYTES)
    if len(block) < number * ID_BYTES:
        raise OSError("the list of ids is shorter than it was")
    return block.decode().split()


def as_array(ids: list[str]) -> str:
    """The ids as one array literal, which the planner can count."""
    return "{" + ",".join(ids) + "}"
