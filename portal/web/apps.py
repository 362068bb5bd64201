"""The application itself, for what outlives the request or wants it whole."""

from __future__ import annotations

from typing import Any, cast

from flask import Flask, current_app


def this_app() -> Flask:
    """The application behind the proxy `current_app`, which means nothing outside its context."""
    proxy = cast(Any, current_app)  # Flask's types say it is an application; it is one that points at it
    return cast(Flask, proxy._get_current_object())
