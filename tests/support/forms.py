"""The forms of a page, as a browser without script would send them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@dataclass
class Sendable:
    """One form: where it goes, what it holds unasked, and its buttons (label → address)."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: dict[str, str] = field(default_factory=dict)

    def send(self, client: FlaskClient, *, to: str = "", htmx: bool = False, **more: object) -> TestResponse:
        """Post it; `to` is another button's address, `more` what somebody fills in."""
        data: dict[str, object] = {}
        for name, value in self.fields:
            data.setdefault(name, [])
            data[name].append(value)  # type: ignore[attr-defined]
        return client.post(to or self.action, data=data | more, headers=PARTIAL if htmx else None)


class Reader(HTMLParser):
    """Collects the posting forms of a page; disabled buttons do not count."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Sendable] = []
        self._ids: dict[str, Sendable] = {}
        self._open: Sendable | None = None
        self._button: tuple[Sendable, str] | None = None
        self._label = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms, hidden and checked fields, and buttons."""
        given = dict(attrs)
        if tag == "form" and (given.get("method") or "").lower() == "post":
            self._open = Sendable(given.get("action") or "")
            self.forms.append(self._open)
            self._ids[given.get("id") or ""] = self._open
        owner = self._ids.get(given["form"] or "") if "form" in given else self._open
        if owner is None:
            return
        kept = given.get("type") == "hidden" or "checked" in given
        if tag == "input" and given.get("name") and kept:
            owner.fields.append((given["name"] or "", given.get("value") or ""))
        if tag == "button" and given.get("type") == "submit" and "disabled" not in given:
            self._button, self._label = (owner, given.get("formaction") or owner.action), ""

    def handle_data(self, data: str) -> None:
        """Labels of buttons."""
        self._label += data

    def handle_endtag(self, tag: str) -> None:
        """Buttons and forms end."""
        if tag == "button" and self._button is not None:
            owner, address = self._button
            owner.buttons[" ".join(self._label.split())] = address
            self._button = None
        if tag == "form":
            self._open = None


def forms_of(answer: TestResponse) -> list[Sendable]:
    """All forms of the page that post."""
    reader = Reader()
    reader.feed(answer.text)
    return reader.forms


def form_with(answer: TestResponse, button: str) -> Sendable:
    """The first form with a button of that label. Raises AssertionError when there is none."""
    found = [form for form in forms_of(answer) if button in form.buttons]
    assert found, f"no form offers {button}: {[form.buttons for form in forms_of(answer)]}"
    return found[0]


def offers(answer: TestResponse) -> list[str]:
    """The labels of all buttons that send something, in the order of the page."""
    return [label for form in forms_of(answer) for label in form.buttons]
