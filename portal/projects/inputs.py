"""What comes in about projects (projects-and-workflows §1.1)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, StringConstraints

from portal.core.text import N_

NAME = re.compile(r"[a-z0-9-]+\Z")
COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})\Z")
ENV = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")


def _matching(pattern: re.Pattern[str], message: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.match(value):
            raise ValueError(message)
        return value

    return AfterValidator(check)


ProjectName = Annotated[str, _matching(NAME, N_("has invalid format"))]
Color = Annotated[str, _matching(COLOR, N_("must be hex"))]
Env = Annotated[str, _matching(ENV, N_("must be a short slug"))]


class NewProject(BaseModel):
    """A new root project. Without an environment it gets `main`."""

    name: ProjectName
    description: Annotated[str, StringConstraints(max_length=240)] | None = None
    color: Color | None = None
    env: Env = "main"


def name_from(typed: str) -> str:
    """The project name that a typed name becomes: lower case, other characters to single hyphens.

    `_` and `.` survive this step and are then refused by the rule for names, as upstream does.
    """
    return re.sub(r"[^a-z0-9\-_.]+", "-", typed.lower()).strip("-")
