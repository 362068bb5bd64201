"""What people type about accounts."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from portal.core.text import N_


def _email(value: str) -> str:
    try:
        # Accounts may live on names that only a private network knows.
        return validate_email(value, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise ValueError(N_("is not an e-mail address")) from None


def _visible(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise ValueError(N_("must not hold control characters"))
    if not any(character.isprintable() and not character.isspace() for character in value):
        raise ValueError(N_("can't be blank"))
    return value


Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=320), AfterValidator(_email)]
PersonName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(_visible)
]


class LogIn(BaseModel):
    """The log-in form. The address is not judged here: every failure must look the same."""

    model_config = ConfigDict(extra="ignore")

    email: str = ""
    password: str = ""
    next: str = ""


class NewUser(BaseModel):
    """A new account (dataclips-and-accounts §5.1)."""

    email: Email
    first_name: PersonName
    last_name: PersonName
    password: str


class NewPassword(BaseModel):
    """The form that replaces a password."""

    current_password: str = ""
    password: str = ""
    password_confirmation: str = ""
