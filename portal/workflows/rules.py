"""What a workflow and its parts may look like (projects-and-workflows §3.1-3.4, adaptors §1).

Pure checks of single values. Each answers the message to show, or None when the
value is fine, so that forms, the API and the import say the same thing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from portal.core.text import N_

DEFAULT_ADAPTOR = "@openfn/language-common@latest"
DEFAULT_CRON = "0 0 * * *"
MAX_NAME = 255
MAX_JOB_NAME = 100
MAX_CONDITION = 255
MAX_CUSTOM_PATH = 255
MAX_ADAPTOR_NAME = 214
REPLY_CODES = range(200, 600)

BLANK = N_("can't be blank")
INVALID_FORMAT = N_("has invalid format")
CONTROL_CHARACTERS = N_("can't contain control characters")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DELETED = re.compile(r"_del\d*\Z", re.ASCII)
_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_ADAPTOR = re.compile(rf"(?P<name>(?:@{_SEGMENT}/)?{_SEGMENT})(?:@{_SEGMENT})?")
_CUSTOM_PATH = re.compile(r"[a-z0-9_-]+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Any instant will do: the expression is only parsed.
_SOME_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def name_problem(name: str, *, longest: int = MAX_NAME) -> str | None:
    """Rules common to the names of workflows and jobs; `name` is trimmed already."""
    if not name:
        return BLANK
    if len(name) > longest:
        return f"should be at most {longest} character(s)"
    return CONTROL_CHARACTERS if _CONTROL.search(name) else None


def workflow_name_problem(name: str) -> str | None:
    """§3.1: as `name_problem`, and endings that mark deleted workflows are reserved."""
    if _DELETED.search(name):
        return N_("cannot end with _del followed by digits")
    return name_problem(name)


def job_name_problem(name: str) -> str | None:
    """§3.2: any text of at most 100 characters without control characters."""
    return name_problem(name, longest=MAX_JOB_NAME)


def adaptor_problem(spec: str) -> str | None:
    """Adaptors §1.1: `name` or `name@version`, ASCII, name at most 214 characters."""
    match = _ADAPTOR.fullmatch(spec)
    if match and len(match["name"]) <= MAX_ADAPTOR_NAME:
        return None
    return N_("must name an adaptor package, such as @openfn/language-common@latest")


def cron_problem(expression: str) -> str | None:
    """§3.3: five fields that parse. Seconds (a sixth field) are not offered."""
    message = N_("must be a cron expression of five fields, such as 0 6 * * *")
    if len(expression) > MAX_NAME or not expression.isascii() or len(expression.split()) != 5:
        return message
    try:
        CronSim(expression, _SOME_MOMENT)
    except (CronSimError, AssertionError):  # the library asserts where a step follows a special day
        return message
    return None


def custom_path_problem(path: str) -> str | None:
    """§3.3: at most 255 of `a-z 0-9 _ -`, and no UUID, which would hide a trigger's own address."""
    if len(path) > MAX_CUSTOM_PATH:
        return f"should be at most {MAX_CUSTOM_PATH} character(s)"
    if not _CUSTOM_PATH.fullmatch(path):
        return INVALID_FORMAT
    return N_("cannot be a UUID") if _UUID.fullmatch(path) else None


def condition_expression_problem(expression: str) -> str | None:
    """§3.4: at most 255 characters, no null byte."""
    if len(expression) > MAX_CONDITION:
        return f"should be at most {MAX_CONDITION} character(s)"
    return N_("can't contain a null byte") if "\0" in expression else None


def condition_label_problem(label: str) -> str | None:
    """§3.4: at most 255 characters, no control characters."""
    if len(label) > MAX_CONDITION:
        return f"should be at most {MAX_CONDITION} character(s)"
    return CONTROL_CHARACTERS if _CONTROL.search(label) else None
