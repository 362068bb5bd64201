"""Password hashes: Argon2id, checked in the same time whether or not the account exists."""

from __future__ import annotations

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.core.errors import Invalid
from portal.core.text import N_

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The Argon2id hash of `password`.

    Raises Invalid on `password` unless it has 12 to 72 characters, at most 72 bytes and no NUL
    (dataclips-and-accounts §5.1).
    """
    if not 12 <= len(password) <= 72 or len(password.encode(errors="surrogatepass")) > 72:
        raise Invalid({"password": [N_("must have 12 to 72 characters")]})
    if "\0" in password:
        raise Invalid({"password": [N_("must not hold a NUL character")]})
    return _hasher.hash(password)


@lru_cache(maxsize=1)
def _dummy() -> str:
    return _hasher.hash("the hash that nobody has")


def verify_password(hashed: str | None, password: str) -> bool:
    """Whether `password` is the one behind `hashed`. Without a hash it takes as long, and says no."""
    try:
        return _hasher.verify(hashed or _dummy(), password) and hashed is not None
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def needs_rehash(hashed: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(hashed)
