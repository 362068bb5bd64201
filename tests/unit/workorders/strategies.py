"""Filters of every kind, for property tests."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from portal.workorders.inputs import SearchField, SearchFilters, Sort, Term
from portal.workorders.models import WorkorderState
from portal.workorders.names import clean

moments = st.datetimes(
    min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=st.just(UTC)
)  # fmt: skip
any_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)
# Texts that are likely to mean something in the language of the search box.
LIKELY = [
    *('"', "\\", "-", ":", ",", " ", "//", "..", ">", "<=", "a", "é", "state:", "log:", "-body:", "failed"),
    *("received:", "2026-11-01", "workflow:", "error:", "id:", "in:", "sort:", "x:", "\x00", "\ud800", "\n"),
]
typed = st.lists(st.sampled_from(LIKELY), max_size=14).map("".join)
values = (st.text(max_size=200) | typed.map(clean)).filter(clean)
terms = st.builds(
    Term,
    field=st.sampled_from(SearchField),
    text=values.filter(lambda v: len(v) <= 200),
    negated=st.booleans(),
)
errors = values.map(clean).filter(lambda value: len(value) <= 200)
filters = st.builds(
    SearchFilters,
    states=st.lists(st.sampled_from(WorkorderState)),
    not_states=st.lists(st.sampled_from(WorkorderState)),
    workflows=st.lists(st.uuids(), max_size=4),
    not_workflows=st.lists(st.uuids(), max_size=4),
    errors=st.lists(errors, max_size=4),
    not_errors=st.lists(errors, max_size=4),
    error_group=st.none() | st.uuids(),
    q=st.text(max_size=200) | typed.filter(lambda v: len(v) <= 200),
    search_in=st.lists(st.sampled_from(SearchField)),
    terms=st.lists(terms, max_size=4),
    received_from=st.none() | moments,
    active_to=st.none() | moments,
    started_from=st.none() | moments,
    work_order=st.none() | st.uuids(),
    sort=st.sampled_from(Sort),
)
