"""Why a work order was found: the place, and a marked piece of it (ux: match evidence)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from portal import workorders
from portal.workorders import Evidence, SearchField, SearchFilters
from portal.workorders.indexing import index_due
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow
from tests.support.past import happen

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def why(cast: Cast, term: str, *places: str) -> list[tuple[Evidence, ...]]:
    while index_due():
        pass
    filters = {"q": term} | ({"search_in": places} if places else {})
    rows = workorders.search(cast.project, SearchFilters.model_validate(filters)).items
    return [row.evidence for row in rows]


def marked(evidence: Evidence) -> list[str]:
    return [text for text, match in evidence.segments if match]


def test_a_log_line_is_shown_with_the_words_marked(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, logs=["start", "now Bukayo Saka plays for England", "end"])
    ((found,),) = why(cast, "buk sa")
    assert (found.field, found.item, found.run_id) == (SearchField.LOG, "log", made.run.id)
    assert found.segments == (
        ("now ", False),
        ("Bukayo", True),
        (" ", False),
        ("Saka", True),
        (" plays for England", False),
    )


def test_the_newest_run_and_its_first_line_speak(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, runs=2, logs=["an apple", "an apple tree"])
    ((found,),) = why(cast, "apple", "log")
    assert found.run_id == made.run.id
    assert found.segments == (("an ", False), ("apple", True))


def test_a_body_is_shown_with_its_key(cast: Cast, flow: MadeWorkflow) -> None:
    happen(flow, body={"patient": {"name": "Quillfeather", "note": "line\nbreak"}})
    ((found,),) = why(cast, "quill", "body")
    assert (found.field, marked(found)) == (SearchField.BODY, ["Quillfeather"])
    assert "name" in "".join(text for text, _ in found.segments)


def test_a_match_in_a_long_text_is_shown_where_it_stands(cast: Cast, flow: MadeWorkflow) -> None:
    happen(flow, body={"long": "word " * 50_000 + "needle at the end"})
    ((found,),) = why(cast, "needle at", "body")
    assert marked(found) == ["needle", "at"]
    assert sum(len(text) for text, _ in found.segments) < 300


def test_every_place_that_answered_speaks_once(cast: Cast, flow: MadeWorkflow) -> None:
    happen(
        flow,
        logs=["plum one", "plum two"],
        body={"fruit": "plums"},
        name="Plum intake",
        steps=[{"x": "plum"}],
    )
    (found,) = why(cast, "plum")
    assert [evidence.field for evidence in found] == [SearchField.NAME, SearchField.LOG, SearchField.BODY]
    (only,) = why(cast, "plum", "name")
    assert [marked(evidence) for evidence in only] == [["Plum"]]


def test_an_id_tells_whose_it_is(cast: Cast, flow: MadeWorkflow) -> None:
    made = happen(flow, steps=[{"a": 1}], at=NOW)
    happen(flow, at=NOW - timedelta(days=300))
    for item, id_, run_id in (
        ("work_order", made.id, None),
        ("run", made.run.id, made.run.id),
        ("step", made.steps[0].id, made.run.id),
    ):
        for term in (str(id_), id_.hex[-10:]):
            ((found,),) = why(cast, term, "id")
            assert (found.item, found.run_id) == (item, run_id)
            assert "".join(text for text, _ in found.segments) == str(id_)
            assert "".join(marked(found)).replace("-", "") == term.replace("-", "")


def test_markup_in_a_line_stays_text(cast: Cast, flow: MadeWorkflow) -> None:
    happen(flow, logs=["bad <script>alert(1)</script> & needle <mark>x</mark>"])
    ((found,),) = why(cast, "needle", "log")
    assert marked(found) == ["needle"]


def test_without_a_term_there_is_nothing_to_prove(cast: Cast, flow: MadeWorkflow) -> None:
    happen(flow)
    assert why(cast, "") == [()]
