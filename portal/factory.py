"""The only wiring: settings in, a Flask application out.

Every part gets its piece of the settings here; nobody else reads the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from flask import Flask
from flask_migrate import Migrate
from sqlalchemy.orm import configure_mappers

from portal import api, blueprints, credentials, schedule, web

# Every context's tables must be known before the first query.
from portal.accounts import models as _accounts  # noqa: F401 - makes its tables known
from portal.audit import models as _audit  # noqa: F401 - makes its tables known
from portal.core import broker, limits, links, paging, storage
from portal.core.db import Base, db
from portal.credentials import models as _credentials  # noqa: F401 - makes its tables known
from portal.dataclips import models as _dataclips  # noqa: F401 - makes its tables known
from portal.operations import models as _operations  # noqa: F401 - makes its tables known
from portal.projects import models as _projects  # noqa: F401 - makes its tables known
from portal.workflows import models as _workflows  # noqa: F401 - makes its tables known
from portal.workorders import group_models as _groups  # noqa: F401 - makes its tables known
from portal.workorders import models as _workorders  # noqa: F401 - makes its tables known
from portal.workorders import view_models as _views  # noqa: F401 - makes its tables known

if TYPE_CHECKING:
    from config.settings import Settings

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
Process = Literal["web", "worker", "ticker", "command"]

# Milliseconds a statement may take. Pages answer quickly or not at all; work behind them has time.
STATEMENT_TIMEOUT: dict[Process, int] = {"web": 5_000, "worker": 120_000, "ticker": 30_000, "command": 0}


def create_app(settings: Settings, process: Process = "web") -> Flask:
    """Build the application for one process.

    `settings` must hold both addresses and both keys (app.py sees to that).
    Raises RuntimeError when a route lacks a guard.
    """
    # WhiteNoise serves static files (web/assets.py), so Flask has no route for them.
    app = Flask("portal", static_folder=None, instance_path=str(settings.portal_data_dir / "instance"))
    app.config.update(_flask_config(settings, process))
    _configure_core(settings)
    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS), compare_type=True)
    configure_mappers()
    web.init_app(app, settings)
    blueprints.init_app(app)
    api.init_app(app)
    schedule.init_app(app)
    web.refuse_unguarded_routes(app)
    return app


def _configure_core(settings: Settings) -> None:
    paging.configure(_secret(settings.secret_key))
    links.configure(_secret(settings.secret_key), settings.address)
    broker.configure(settings.redis_url or "")
    credentials.configure(_secret(settings.primary_encryption_key))
    storage.configure(settings.portal_data_dir / "files")
    limits.configure(
        dataclip_bytes=settings.max_dataclip_size_mb * 1_000_000,
        run_seconds=settings.max_run_duration_seconds,
        run_grace_seconds=settings.run_grace_period_seconds,
        run_stop_seconds=settings.run_stop_seconds,
        purge_after_days=settings.purge_deleted_after_days,
        export_days=settings.export_retention_days,
        link_hours=settings.download_link_hours,
    )


def _flask_config(settings: Settings, process: Process) -> dict[str, Any]:
    secure = settings.session_cookie_secure
    if secure is None:
        secure = settings.address.startswith("https://")
    return {
        "SECRET_KEY": _secret(settings.secret_key),
        "SETTINGS": settings,
        "SQLALCHEMY_DATABASE_URI": database_uri(settings.database_url or ""),
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(settings, process),
        "SESSION_COOKIE_NAME": "__Host-portal" if secure else "portal",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "MAX_CONTENT_LENGTH": 1_000_000,
        "MAX_FORM_MEMORY_SIZE": 500_000,
        "MAX_FORM_PARTS": 500,
        "PREFERRED_URL_SCHEME": "https" if secure else "http",
    }


def _engine_options(settings: Settings, process: Process) -> dict[str, Any]:
    # Short queries of a page lose more by parallel workers and JIT than they win.
    options = {
        "jit": "off",
        "max_parallel_workers_per_gather": "0",
        "statement_timeout": str(STATEMENT_TIMEOUT[process]),
        "lock_timeout": "2000" if process == "web" else "0",
        "timezone": "UTC",
    }
    return {
        "pool_pre_ping": True,
        "pool_size": settings.web_threads if process == "web" else 4,
        "max_overflow": 4,
        "pool_timeout": 5,
        "connect_args": {
            "connect_timeout": 5,
            "application_name": f"portal-{process}",
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        },
    }


def database_uri(url: str) -> sa.URL:
    """`url` (postgresql://…) with psycopg 3 as its driver."""
    return sa.make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+psycopg")


def _secret(value: Any) -> str:
    return str(value.get_secret_value()) if value is not None else ""


__all__ = ["Base", "create_app", "database_uri"]
