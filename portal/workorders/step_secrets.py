"""Which secrets may stand in what a step left behind (dataclips-and-accounts §1.11)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence


def secrets_of_step_output(dataclip_ids: Collection[str]) -> Mapping[uuid.UUID, Sequence[str]]:
    """For each dataclip the secrets to hide when it is shown or exported; those without are left out.

    The portal keeps the names of credentials but no values yet, so there is nothing to
    hide. This is the one place that everything which shows or exports bodies asks.
    """
    return {}
