"""The secret keys that are made once and kept."""

from __future__ import annotations

import base64
import multiprocessing

import pytest

from config.keys import ensure_keys
from config.services import ServiceError
from config.settings import Settings


def values(settings: Settings) -> tuple[str, str]:
    filled = ensure_keys(settings)
    return filled.secret_key.get_secret_value(), filled.primary_encryption_key.get_secret_value()


def test_keys_are_made_once_and_kept_for_their_user_alone(fresh: Settings) -> None:
    first = values(fresh)
    assert values(fresh) == first
    assert len(first[0]) >= 32
    assert len(base64.b64decode(first[1])) == 32
    files = [fresh.portal_data_dir / name for name in ("secret_key", "primary_encryption_key")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]


def test_processes_that_start_together_get_the_same_keys(fresh: Settings) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(values, [fresh] * 8))) == 1


def test_given_keys_are_used_and_not_kept(fresh: Settings) -> None:
    given = {"SECRET_KEY": "s" * 40, "PRIMARY_ENCRYPTION_KEY": base64.b64encode(b"k" * 32).decode()}
    named = Settings(portal_data_dir=fresh.portal_data_dir, **{k.lower(): v for k, v in given.items()})
    assert values(named) == tuple(given.values())
    assert not (fresh.portal_data_dir / "secret_key").exists()


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("secret_key", "", "secret_key is empty"),
        ("secret_key", "short", "SECRET_KEY: must have 32"),
        ("primary_encryption_key", "not base64!", "PRIMARY_ENCRYPTION_KEY: must be the base64"),
        ("primary_encryption_key", "c2hvcnQ=", "PRIMARY_ENCRYPTION_KEY: must be the base64"),
    ],
)
def test_a_damaged_key_is_refused(fresh: Settings, name: str, text: str, line: str) -> None:
    ensure_keys(fresh)
    (fresh.portal_data_dir / name).write_text(text)
    with pytest.raises(ServiceError, match=line):
        ensure_keys(fresh)
