"""Languages and time zones of the person who looks."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from flask import Flask, current_app, g, has_request_context, request
from flask_babel import Babel, get_locale, get_translations
from markupsafe import Markup

if TYPE_CHECKING:
    from config.settings import Settings

babel = Babel()


def init_app(app: Flask, settings: Settings) -> None:
    """Offer the configured languages; the browser's wish chooses."""
    app.config["LANGUAGES"] = settings.portal_languages
    babel.init_app(
        app,
        default_locale=settings.portal_languages[0],
        default_translation_directories="translations",
        locale_selector=_language,
        timezone_selector=lambda: zone().key,
    )
    app.jinja_env.globals["get_locale"] = get_locale
    _speed_up_templates(app)


def _speed_up_templates(app: Flask) -> None:
    """Give templates a plain function: a page says two hundred words; Jinja's own way costs thrice that."""
    environment: Any = app.jinja_env
    environment.install_gettext_callables(_say, _say_number, newstyle=False)
    environment.globals["_"] = _say
    environment.newstyle_gettext = True


def _say(message: str, /, **values: Any) -> Markup:
    """`message` in the reader's language; what is put into it is escaped, the message itself is ours."""
    text = Markup(_catalogue().ugettext(message))  # noqa: S704 - written by us or our translators
    return text % values if "%" in text else text


def _say_number(one: str, many: str, number: int, /, **values: Any) -> Markup:
    text = Markup(_catalogue().ungettext(one, many, number))  # noqa: S704 - as above
    return text % ({"num": number} | values) if "%" in text else text


def _catalogue() -> Any:
    try:
        return g.translations
    except AttributeError:
        g.translations = get_translations()
        return g.translations


def _language() -> str | None:
    if not has_request_context():
        return None
    return request.accept_languages.best_match(current_app.config["LANGUAGES"])


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def locale_name() -> str:
    """The reader's language, as `en` or `pt_BR`; looked up once a request."""
    return str(_once("locale_name", lambda: str(get_locale())))


def zone() -> ZoneInfo:
    """The zone that the browser told in the cookie `tz`; UTC when it told none that exists."""
    found: ZoneInfo = _once("zone", _told_zone)
    return found


def _once(name: str, make: Callable[[], Any]) -> Any:
    """What `make` answers, kept for the rest of the request."""
    if not has_request_context():
        return make()
    kept = request.environ.setdefault("portal.i18n", {})
    if name not in kept:
        kept[name] = make()
    return kept[name]


def _told_zone() -> ZoneInfo:
    told = request.cookies.get("tz", "") if has_request_context() else ""
    return ZoneInfo(told if told in _zones() else "UTC")
