"""What the search finds, and in which order (workorders §9, §18.45-60)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal import workorders
from portal.core.errors import Invalid, Unavailable
from portal.workorders import SearchFilters, Sort, spelling, words
from portal.workorders.indexing import index_due
from portal.workorders.terms import gist_pattern, phrase_text
from tests.support.cast import Cast
from tests.support.factories import MadeWorkflow, make_project, make_workflow
from tests.support.past import Happened, happen

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def found(cast: Cast, **filters: object) -> list[object]:
    """The ids of the first page, in order."""
    return [row.id for row in workorders.search(cast.project, SearchFilters.model_validate(filters)).items]


def searched(cast: Cast, term: str, *places: str, **filters: object) -> set[object]:
    """The ids found for a term, after all that is due was indexed."""
    while index_due():
        pass
    ids = (
        found(cast, q=term, search_in=places or None, **filters) if places else found(cast, q=term, **filters)
    )
    assert len(ids) == len(set(ids))
    return set(ids)


def test_18_45_the_newest_activity_comes_first(cast: Cast, flow: MadeWorkflow) -> None:
    middle, newest, oldest = (happen(flow, at=NOW - timedelta(days=days)).id for days in (2, 1, 3))
    assert found(cast) == [newest, middle, oldest]


def test_18_46_only_the_states_asked_for_are_found_and_counted(cast: Cast, flow: MadeWorkflow) -> None:
    made = {
        state: [happen(flow, state=state, at=NOW - timedelta(minutes=n)).id for n in range(3)]
        for state in ("pending", "crashed", "success")
    }
    filters = SearchFilters(states=("pending", "crashed"))
    rows = workorders.search(cast.project, filters).items
    assert {row.id for row in rows} == {*made["pending"], *made["crashed"]}
    times = [row.last_activity for row in rows]
    assert times == sorted(times, reverse=True)
    assert workorders.count(cast.project, filters) == workorders.Total(6, False)


def test_18_47_all_states_are_the_same_as_none(cast: Cast, flow: MadeWorkflow) -> None:
    ids = {happen(flow, state=state).id for state in ("rejected", "lost", "success")}
    every = [str(state) for state in workorders.WorkorderState]
    assert set(found(cast, states=every)) == ids == set(found(cast))


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("states", [[], ["success"], ["success", "failed", "lost"]])
def test_18_48_pages_of_four_hold_each_of_ten_once_in_order(
    cast: Cast, flow: MadeWorkflow, sort: Sort, states: list[str]
) -> None:
    for number in range(10):
        state = ("success", "failed")[number % 2]
        # Pairs share a moment, so that ids have to decide.
        moment = NOW - timedelta(hours=number // 2)
        happen(flow, at=moment, received=moment - timedelta(days=number % 3), state=state)
    filters = SearchFilters.model_validate({"sort": sort, "states": states})
    sizes, rows, cursor = [], [], None
    while True:
        page = workorders.search(cast.project, filters, cursor, size=4)
        sizes.append(len(page.items))
        rows += page.items
        if (cursor := page.next_cursor) is None:
            break
    assert sizes == ([4, 1] if states == ["success"] else [4, 4, 2])
    keys = [(getattr(row, sort.column), row.id) for row in rows]
    assert keys == sorted(set(keys), reverse=sort.descending)


def test_18_49_old_filter_names_are_ignored_and_named(cast: Cast, flow: MadeWorkflow) -> None:
    ids = [happen(flow, at=NOW - timedelta(hours=hours)).id for hours in range(9)]
    read = workorders.read_filters([("crash", "true"), ("failure", "true"), ("timeout", "true")])
    assert read.ignored == ("crash", "failure", "timeout")
    assert [row.id for row in workorders.search(cast.project, read.filters, size=3).items] == ids[:3]


def test_18_50_by_workflow_and_by_work_order(cast: Cast, flow: MadeWorkflow) -> None:
    other = make_workflow(cast.project)
    here, there = happen(flow).id, happen(other, state="failed").id
    assert found(cast, workflow_id=str(other.id)) == [there]
    assert set(found(cast, workflows=[flow.id, other.id])) == {here, there}
    assert found(cast, workflows=[flow.id, other.id], states=["failed"]) == [there]
    assert found(cast, workorder_id=str(here)) == [here]


def test_18_51_both_kinds_of_date_include_their_ends(cast: Cast, flow: MadeWorkflow) -> None:
    early = happen(flow, at=NOW, received=NOW - timedelta(days=9)).id
    late = happen(flow, at=NOW + timedelta(microseconds=1), received=NOW).id
    assert found(cast, active_from=NOW, active_to=NOW) == [early]
    assert found(cast, received_from=NOW, received_to=NOW) == [late]
    assert found(cast, active_to=NOW - timedelta(seconds=1)) == []


def test_18_52_ids_of_work_orders_runs_and_steps_are_found_by_beginning_and_end(
    cast: Cast, flow: MadeWorkflow
) -> None:
    wanted = happen(flow, steps=[{"a": 1}], at=NOW)
    happen(flow, steps=[{"a": 1}], at=NOW - timedelta(days=400))
    for id_ in (wanted.id, wanted.run.id, wanted.steps[0].id):
        for term in (str(id_), str(id_).upper(), id_.hex, str(id_)[:20], str(id_)[-8:], id_.hex[-14:]):
            assert searched(cast, term, "id") == {wanted.id}, term
        assert searched(cast, id_.hex[10:20], "id") == set()
    assert searched(cast, str(wanted.order.dataclip_id), "id") == set()


def test_18_53_a_word_in_a_log_is_found_as_it_stands(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, logs=["now playing", "done"]).id
    assert searched(cast, "playing", "log") == {wanted}
    assert searched(cast, "PLAYING", "log") == {wanted}
    assert searched(cast, "played", "log") == searched(cast, "playings", "log") == set()


def test_18_54_words_are_prefixes_in_order_and_side_by_side(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, logs=["Bukayo Saka plays for England", "Saka Bukayo's brother"]).id
    happen(flow, logs=["Bukayo", "Saka"])
    happen(flow, logs=["Bukayo and Saka", "Saka, Bukayo"])
    assert searched(cast, "Bukayo Sa", "log") == searched(cast, "Buk Sa", "log") == {wanted}
    assert searched(cast, "saka plays for", "log") == {wanted}
    assert searched(cast, "ngland", "log") == set()


def test_18_55_parts_of_a_key_are_found_by_their_beginnings(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, body={"date_of_birth": "1992-04-10", "gone": None, "yes": True}).id
    for term in ("date_of", "bir", "1992-04", "true"):
        assert searched(cast, term, "body") == {wanted}, term
    for term in ("irth", "04-10", "birth 1992", "null"):
        assert searched(cast, term, "body") == set(), term


def test_18_56_values_are_found_by_their_beginnings(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, body={"city": "Vertès", "year": 1992, "mail": "joe@example.org"}).id
    for term in ("vert", "vertès", "199", "joe"):
        assert searched(cast, term, "body") == {wanted}, term
    for term in ("ertès", "tès", "992", "example"):
        assert searched(cast, term, "body") == set(), term


def test_18_57_a_word_of_a_log_is_not_found_in_bodies(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, logs=["kerfuffle"], body={"calm": "sea"}).id
    assert searched(cast, "kerfuffle", "body", "log") == {wanted}
    assert searched(cast, "kerfuffle", "body") == set()


def test_18_58_many_hits_are_one_result_with_its_runs_and_steps(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(
        flow, body={"a": "kiwi"}, logs=["kiwi one", "kiwi two", "kiwi"], runs=2, steps=[{"b": "kiwi"}]
    )
    assert searched(cast, "kiwi") == {wanted.id}
    runs = workorders.runs_of(cast.project.id, [wanted.id])[wanted.id]
    assert [len(run.steps) for run in runs] == [1, 0]
    assert runs[0].steps[0].job_name == "First"


def test_18_59_all_places_at_once_without_repeats(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, logs=["beef"], body={"x": "beefcafe"}, name="beefsteak", at=NOW)
    assert searched(cast, "beef") == {wanted.id}
    assert searched(cast, wanted.id.hex[:8]) == {wanted.id}


def test_18_60_names_are_found_by_any_piece(cast: Cast, flow: MadeWorkflow) -> None:
    named = happen(flow, name="My Test Dataclip").id
    erased = happen(flow, name="Erased tests", wiped=True).id
    happen(flow)
    assert searched(cast, "test", "name") == searched(cast, "TEST", "name") == {named, erased}
    assert searched(cast, "clip", "dataclip_name") == {named}
    assert searched(cast, "test", "log", "body", "id") == set()


@pytest.mark.parametrize(
    ("term", "name"), [("50%", "50% off"), ("a_b", "a_b"), ("c\\d", "c\\d"), ("%_\\", "x%_\\y")]
)
def test_signs_of_patterns_stand_for_themselves(cast: Cast, flow: MadeWorkflow, term: str, name: str) -> None:
    wanted = happen(flow, name=name).id
    happen(flow, name="50 acb cxd")
    assert searched(cast, term, "name") == {wanted}


STRANGE = [
    *("!!!", "&|!:*()<->", "\\", "'", "''''", "a\\", "it's", "%", "_", "<div>", "-", "x:*", "\\'", "🐘"),
    *("\x00", "\ud800", "a\x00b", "\u202e", "'; DROP TABLE runs --", "é" * 200, "a " * 99),
]


@pytest.mark.parametrize("term", STRANGE)
def test_strange_terms_find_little_and_break_nothing(cast: Cast, flow: MadeWorkflow, term: str) -> None:
    happen(flow, logs=["calm"], name="calm")
    filters = workorders.read_filters([("q", term)]).filters
    index_due()
    rows = workorders.search(cast.project, filters).items
    total = workorders.count(cast.project, filters).count
    assert total == len(rows) == (0 if filters.q else 1)


def test_a_term_that_is_sought_nowhere_finds_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    happen(flow, logs=["word"])
    filters = workorders.read_filters([("q", "word"), ("in", "")]).filters
    index_due()
    assert workorders.search(cast.project, filters).items == []
    assert workorders.count(cast.project, filters) == workorders.Total(0, False)


def test_places_without_a_term_change_nothing(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow).id
    assert found(cast, search_in=[]) == [wanted]


def test_an_input_is_found_before_the_run_has_any_step(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, state="pending", body={"patient": "Quillfeather"}).id
    assert searched(cast, "quill", "body") == {wanted}


def test_a_rejected_work_order_is_found_by_id_and_name_alone(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, state="rejected", body={"a": "needle"}, name="needle").id
    assert searched(cast, "needle", "body", "log") == set()
    assert searched(cast, "needle") == {wanted}


def test_a_step_input_is_found_and_its_output_is_not(cast: Cast, flow: MadeWorkflow) -> None:
    wanted = happen(flow, steps=[{"said": "parsley"}, None]).id
    assert searched(cast, "parsley", "body") == {wanted}


def test_filters_narrow_what_a_term_finds(cast: Cast, flow: MadeWorkflow) -> None:
    other = make_workflow(cast.project)
    good = happen(flow, logs=["anvil"], at=NOW).id
    bad = happen(other, logs=["anvil"], at=NOW - timedelta(days=70), state="failed").id
    assert searched(cast, "anvil", states=["failed"]) == {bad}
    assert searched(cast, "anvil", workflows=[flow.id]) == {good}
    assert searched(cast, "anvil", active_from=NOW - timedelta(days=1)) == {good}
    assert searched(cast, "anvil", active_to=NOW - timedelta(days=1)) == {bad}
    assert searched(cast, "anvil", received_to=NOW - timedelta(days=1)) == {bad}


def test_another_project_is_never_searched(cast: Cast, flow: MadeWorkflow) -> None:
    elsewhere = happen(make_workflow(make_project()), logs=["secret"], body={"a": "secret"}, name="secret")
    happen(flow)
    assert searched(cast, "secret") == set()
    for id_ in (elsewhere.id, elsewhere.run.id):
        assert searched(cast, str(id_)) == set()


@pytest.mark.parametrize("near", [(100, 400), (2, 3), (4, 30)])
@pytest.mark.parametrize("sort", list(Sort))
def test_pages_of_a_term_run_through_all_periods_in_order(
    cast: Cast, flow: MadeWorkflow, sort: Sort, near: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "NEAR", near)
    made = [
        happen(
            flow,
            logs=["tin drum"],
            name=f"drum {days}" if days % 3 else None,
            at=NOW - timedelta(days=days // 2 * 2),
        ).id
        for days in range(0, 400, 13)
    ]
    happen(flow, logs=["drum tin"], at=NOW - timedelta(days=30))
    while index_due():
        pass
    filters = SearchFilters.model_validate({"q": "tin dru", "sort": sort})
    rows, cursor = [], None
    while True:
        page = workorders.search(cast.project, filters, cursor, size=5)
        rows += page.items
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(row.id for row in rows) == sorted(made)
    keys = [(getattr(row, sort.column), row.id) for row in rows]
    assert keys == sorted(keys, reverse=sort.descending)


def test_a_cursor_of_other_filters_or_another_project_is_refused(cast: Cast, flow: MadeWorkflow) -> None:
    for _ in range(2):
        happen(flow)
    cursor = workorders.search(cast.project, SearchFilters(), size=1).next_cursor
    assert cursor is not None
    for project, filters, tried in (
        (cast.project, SearchFilters(states=("success",)), cursor),
        (make_project(), SearchFilters(), cursor),
        (cast.project, SearchFilters(), cursor[:-2]),
        (cast.project, SearchFilters(), "nonsense"),
    ):
        with pytest.raises(Invalid) as refused:
            workorders.search(project, filters, tried)
        assert set(refused.value.fields) == {"cursor"}


def test_with_a_term_counting_stops_at_fifty(cast: Cast, flow: MadeWorkflow) -> None:
    for number in range(53):
        happen(flow, name=f"plum {number}")
        if number == 49:
            assert workorders.count(cast.project, SearchFilters(q="plum")) == workorders.Total(50, False)
    assert workorders.count(cast.project, SearchFilters(q="plum")) == workorders.Total(50, True)
    assert workorders.count(cast.project, SearchFilters()) == workorders.Total(53, False)


def test_a_page_takes_the_same_number_of_statements_however_long(
    cast: Cast, flow: MadeWorkflow, db_session: sa.orm.Session
) -> None:
    def statements(number: int, term: str) -> int:
        for _ in range(number):
            happen(flow, logs=["pear"], steps=[{"a": 1}])
        index_due()
        seen: list[str] = []
        connection = db_session.connection()
        listener = lambda *given: seen.append(given[2])  # noqa: E731
        sa.event.listen(connection, "before_cursor_execute", listener)
        rows = workorders.search(cast.project, SearchFilters(q=term)).items
        workorders.runs_of(cast.project.id, [row.id for row in rows])
        sa.event.remove(connection, "before_cursor_execute", listener)
        return len(seen)

    assert statements(1, "") == statements(20, "") == 3
    assert statements(0, "pear") == statements(9, "pear")


def test_the_row_tells_what_the_list_shows(cast: Cast, flow: MadeWorkflow) -> None:
    made: Happened = happen(flow, state="failed", runs=2, error_type="CompileError", name="Intake", at=NOW)
    (row,) = workorders.search(cast.project, SearchFilters()).items
    assert (row.state, row.runs, row.last_run_id, row.last_run_state) == ("failed", 2, made.run.id, "failed")
    assert (row.last_error_type, row.trigger_type, row.workflow_name) == (
        "CompileError",
        "webhook",
        flow.workflow.name,
    )
    assert row.dataclip == workorders.DataclipRef(made.order.dataclip_id, "http_request", "Intake", False)
    assert workorders.get(cast.project.id, made.id) == row


def test_a_search_that_takes_too_long_says_so_and_leaves_the_request_usable(
    cast: Cast, flow: MadeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(flow, logs=["word"])
    impatient = sa.text("SELECT set_config('statement_timeout', '50ms', true)")
    monkeypatch.setattr(import_module("portal.workorders.search"), "_BE_PATIENT", impatient)
    monkeypatch.setattr(spelling, "_SPELL", sa.text("SELECT pg_sleep(2)"))
    for ask in (workorders.search, workorders.count):
        with pytest.raises(Unavailable):
            ask(cast.project, SearchFilters(q="word"))
    assert len(workorders.search(cast.project, SearchFilters()).items) == 1


LETTERS = st.sampled_from(
    [*"ab1 -_.,/:@'\\\"<>&;#\n\téÉ", "ab", "http://", "x.org/p", "a@b.org", "1992-04", "<b>", "&amp;"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(LETTERS, max_size=14).map("".join),
    term=st.lists(LETTERS, max_size=5).map("".join),
    cut=st.data(),
)
def test_the_quick_pattern_passes_over_no_text_that_holds_the_phrase(
    db_session: sa.orm.Session, text: str, term: str, cut: st.DataObject
) -> None:
    start = cut.draw(st.integers(0, len(text)))
    for asked in (term, text[start : start + 9]):
        values = {"text": text, "phrase": phrase_text(asked), "gist": gist_pattern(asked)}
        held, passed = db_session.execute(
            sa.text(
                "SELECT search_text_matches(:text, to_tsquery('pg_catalog.simple', :phrase)),"
                " :text ILIKE :gist"
            ),
            values,
        ).one()
        assert passed or not held
