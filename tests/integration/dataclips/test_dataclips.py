"""Creating, reading and wiping dataclips (dataclips-and-accounts §1.3, §1.4, §1.9)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from portal import dataclips
from portal.core import clock, db
from portal.core.errors import Invalid, NotFound
from portal.dataclips import Dataclip
from portal.dataclips.models import DataclipBody
from portal.projects import Project
from tests.support.factories import make_project

NOON = datetime(2026, 11, 2, 12, 0, 0, 123, tzinfo=UTC)


@pytest.fixture
def project(db_session: sa.orm.Session) -> Project:
    """A project that stays when a creation is refused."""
    made = make_project()
    db_session.commit()
    return made


def problems(*args: object, **more: object) -> dict[str, object]:
    with pytest.raises(Invalid) as refused:
        dataclips.create(*args, **more)  # type: ignore[arg-type]
    return dict(refused.value.fields)


def count(model: type[db.Base]) -> int:
    return db.session().scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_a_dataclip_keeps_every_digit_and_drops_its_configuration(project: Project) -> None:
    text = '{"n": 123456789012345678901234567890.10, "configuration": {"a": 1}, "in": {"configuration": 2}}'
    with clock.frozen_at(NOON):
        clip = dataclips.get(project.id, dataclips.create(project.id, "saved_input", text))
    assert (clip.type, clip.name, clip.wiped_at, clip.inserted_at) == ("saved_input", None, None, NOON)
    stored = dataclips.body_text(project.id, clip.id)
    assert stored == '{"n": 123456789012345678901234567890.10, "in": {"configuration": 2}}'


@pytest.mark.parametrize("kind", ["http_request", "kafka"])
def test_1_2_what_arrived_is_wrapped_with_its_request(project: Project, kind: str) -> None:
    clip = dataclips.create(project.id, kind, {"a": 1}, request={"method": "POST"})
    bare = dataclips.create(project.id, kind, {"a": 1})
    shown = json.loads(dataclips.body_text(project.id, clip))
    assert shown == {"data": {"a": 1}, "request": {"method": "POST"}}
    assert json.loads(dataclips.body_text(project.id, bare)) == {"data": {"a": 1}, "request": None}


def test_1_3_4_a_request_belongs_to_what_arrived(project: Project) -> None:
    assert set(problems(project.id, "saved_input", {}, request={"a": 1})) == {"request"}
    assert set(problems(project.id, "http_request", {}, request={"a": "\x00"})) == {"request"}


def test_unknown_types_are_refused(project: Project) -> None:
    assert set(problems(project.id, "picture", {})) == {"type"}


def test_1_6_2_names_are_unique_in_their_project(project: Project) -> None:
    dataclips.create(project.id, "saved_input", {}, name=" Base ")
    assert set(problems(project.id, "global", {}, name="Base")) == {"name"}
    db.session().commit()
    other = make_project()
    assert dataclips.create(other.id, "global", {}, name="Base")
    assert dataclips.create(project.id, "global", {}, name="base")


def test_an_id_from_outside_is_kept_once(project: Project) -> None:
    wanted = uuid.uuid4()
    assert dataclips.create(project.id, "step_result", {}, dataclip_id=wanted) == wanted
    assert set(problems(project.id, "step_result", {}, dataclip_id=wanted)) == {"id"}
    with pytest.raises(Invalid):
        dataclips.create_wiped(project.id, "step_result", dataclip_id=wanted)


def test_a_refused_dataclip_leaves_nothing(project: Project) -> None:
    assert problems(project.id, "saved_input", "[]") == {"body": ["must be a JSON object"]}
    assert (count(Dataclip), count(DataclipBody)) == (0, 0)


def test_everything_that_passes_the_checks_can_be_stored(project: Project) -> None:
    text = (
        '{"a": 1e308, "b": 1e-308, "c": -0.0, "d": "\\u00e9\\ud83d\\ude00", "a": 2, "e": ' + "9" * 4000 + "}"
    )
    clip = dataclips.create(project.id, "saved_input", text)
    assert json.loads(dataclips.body_text(project.id, clip), parse_int=str)["e"] == "9" * 4000


def test_another_projects_dataclip_is_not_found(project: Project) -> None:
    clip = dataclips.create(project.id, "saved_input", {})
    for read in (dataclips.get, dataclips.body_text):
        with pytest.raises(NotFound):
            read(uuid.uuid4(), clip)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("http_request", '{"data": null, "request": null}'), ("saved_input", "null"), ("step_result", "null")],
)
def test_1_9_wiping_erases_the_body_and_keeps_the_row(project: Project, kind: str, text: str) -> None:
    clip = dataclips.create(project.id, kind, {"secret": "word"})
    loaded = dataclips.get(project.id, clip)
    with clock.frozen_at(NOON):
        assert dataclips.wipe(project.id, clip) == NOON.replace(microsecond=0)
    assert loaded.wiped_at == NOON.replace(microsecond=0)
    assert count(DataclipBody) == 0
    assert dataclips.body_text(project.id, clip) == text


def test_1_9_a_wiped_dataclip_is_not_wiped_again(project: Project) -> None:
    clip = dataclips.create(project.id, "saved_input", {})
    with clock.frozen_at(NOON):
        dataclips.wipe(project.id, clip)
    assert dataclips.wipe(project.id, clip) is None
    assert dataclips.get(project.id, clip).wiped_at == NOON.replace(microsecond=0)


def test_1_9_global_named_and_foreign_dataclips_are_not_wiped(project: Project) -> None:
    fixed = dataclips.create(project.id, "global", {})
    named = dataclips.create(project.id, "saved_input", {}, name="Base")
    plain = dataclips.create(project.id, "saved_input", {})
    assert [dataclips.wipe(project.id, clip) for clip in (fixed, named)] == [None, None]
    assert dataclips.wipe(uuid.uuid4(), plain) is None
    assert count(DataclipBody) == 3
