"""The two secret keys: given by the environment, or made once and kept in the data folder (mode 0600)."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from config.services.errors import ServiceError, plain_errors
from config.services.folder import ensure_data_dir
from config.settings import Settings

ENCRYPTION_KEY_BYTES = 32


def ensure_keys(settings: Settings) -> Settings:
    """A copy of `settings` with `secret_key` and `primary_encryption_key` filled.

    secret_key: any text of 32 characters or more. primary_encryption_key: base64 of 32 bytes.
    Two processes that start together get the same keys.

    Raises: ServiceError when a key file cannot be read or made, or a key is damaged or too short.
    """
    secret = settings.secret_key or _kept(settings, "secret_key", lambda: secrets.token_urlsafe(48))
    encryption = settings.primary_encryption_key or _kept(
        settings, "primary_encryption_key", _new_encryption_key
    )
    _check(secret, encryption)
    return settings.model_copy(update={"secret_key": secret, "primary_encryption_key": encryption})


def _new_encryption_key() -> str:
    return base64.b64encode(secrets.token_bytes(ENCRYPTION_KEY_BYTES)).decode()


def _kept(settings: Settings, name: str, make: Callable[[], str]) -> SecretStr:
    path = ensure_data_dir(settings.portal_data_dir) / name
    with plain_errors(settings.portal_data_dir):
        if not path.exists():
            _write_once(path, make())
        key = path.read_text().strip()
    if not key:
        raise ServiceError(f"The data folder is broken: {path} is empty. Restore it from a back-up.")
    return SecretStr(key)


def _write_once(path: Path, text: str) -> None:
    """A link to a finished file: never half a key, and the first of two writers wins."""
    handle, draft = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()


def _check(secret: SecretStr, encryption: SecretStr) -> None:
    if len(secret.get_secret_value()) < 32:
        raise ServiceError("SECRET_KEY: must have 32 characters or more.")
    try:
        size = len(base64.b64decode(encryption.get_secret_value(), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size != ENCRYPTION_KEY_BYTES:
        raise ServiceError(
            "PRIMARY_ENCRYPTION_KEY: must be the base64 of 32 bytes (`openssl rand -base64 32` makes one)."
        )
