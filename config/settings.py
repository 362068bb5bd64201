"""Every setting of the portal: typed, with its default and its meaning.

Values come from environment variables of the same name (upper case). A wrong
value stops the start with one line per mistake (`describe`), never later.
`docs/configuration.md` lists the same fields; a test keeps the two equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    """The whole configuration; built once by app.py, handed to the factory."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    # Where things are
    portal_data_dir: Path = Field(
        Path(".portal"), description="Folder of all state: database, queue, exports, keys."
    )
    database_url: str | None = Field(
        None, description="PostgreSQL 15 to 18, `postgresql://…`. Unset: a private PostgreSQL is started."
    )
    redis_url: str | None = Field(
        None,
        description="Valkey or Redis: `redis://…`, `rediss://…`, `unix://…`. Unset: a private Valkey starts.",
    )

    # The web server
    portal_host: str = Field("127.0.0.1", description="Address that the web server listens on.")
    portal_port: int = Field(8000, ge=1, le=65535, description="Port that the web server listens on.")
    portal_url: str | None = Field(
        None, description="Address that people use, when it differs from host and port (behind a proxy)."
    )
    web_processes: int = Field(2, ge=1, le=64, description="Web server processes.")
    web_threads: int = Field(16, ge=4, le=256, description="Threads of each web process.")
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="Number of proxies in front whose X-Forwarded headers are believed."
    )
    worker_processes: int = Field(1, ge=1, le=32, description="Background workers that `portal up` starts.")

    # Secrets
    secret_key: SecretStr | None = Field(
        None, description="Signs cookies and cursors. Unset: made once and kept in the data folder."
    )
    primary_encryption_key: SecretStr | None = Field(
        None,
        description="Base64 of 32 bytes that encrypt secrets. Unset: made once and kept in the data folder.",
    )
    session_cookie_secure: bool | None = Field(
        None, description="Send cookies over HTTPS only. Unset: on when PORTAL_URL begins with https."
    )

    # Limits
    max_dataclip_size_mb: int = Field(
        10, ge=1, le=500, description="Largest body of a webhook or dataclip, in units of 1,000,000 bytes."
    )
    max_run_duration_seconds: int = Field(
        300, ge=1, le=86_400, description="Time that a run may take when nothing narrower is set."
    )
    run_grace_period_seconds: int = Field(
        10, ge=0, le=3600, description="Added to a run's time before it counts as lost."
    )
    run_stop_seconds: int = Field(
        30, ge=0, le=3600, description="Time that a run has to stop when asked, before it is killed."
    )
    login_attempts_per_minute: int = Field(
        10, ge=1, le=1000, description="Log-in attempts allowed per minute, per account and per address."
    )
    purge_deleted_after_days: int = Field(
        7, ge=0, le=365, description="Days between scheduling a deletion and carrying it out."
    )
    export_retention_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="Days that exports are kept where the history is kept for ever.",
    )
    download_link_hours: int = Field(
        24, ge=1, le=720, description="Hours that a link to a stored file can be used."
    )

    # Logs
    log_level: LogLevel = Field("info", description="Least severe log line that is written.")
    log_format: Literal["console", "json"] = Field("console", description="Form of the log lines.")

    # First start
    portal_admin_email: str = Field(
        "admin@example.org", description="E-mail of the superuser that the first start creates."
    )
    portal_demo: bool = Field(True, description="Load demo data on the first start of an empty database.")
    portal_demo_work_orders: int = Field(
        2000, ge=0, le=100_000, description="Number of work orders in the demo data."
    )
    portal_languages: Annotated[list[str], NoDecode] = Field(
        ["en"], description="Languages offered, by code, comma separated; the first is the default."
    )

    @field_validator("portal_languages", mode="before")
    @classmethod
    def _split_languages(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("portal_admin_email")
    @classmethod
    def _an_address(cls, value: str) -> str:
        try:
            return validate_email(value, check_deliverability=False, test_environment=True).normalized
        except EmailNotValidError:
            raise ValueError("is not an e-mail address") from None

    @field_validator("portal_data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _only_postgresql(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(
            ("postgresql://", "postgres://", "postgresql+psycopg://")
        ):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("redis_url")
    @classmethod
    def _only_redis(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @property
    def address(self) -> str:
        """The address to print and to put into links, without a trailing slash."""
        return (self.portal_url or f"http://{self.portal_host}:{self.portal_port}").rstrip("/")


def describe(error: ValidationError) -> list[str]:
    """One line for each wrong setting, naming its variable and never its value (it may be a secret)."""
    found = error.errors(include_input=False, include_url=False)
    return [f"{'.'.join(str(part) for part in one['loc']).upper()}: {one['msg']}" for one in found]
