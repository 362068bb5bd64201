"""How a term is sought among ids and names, and what further terms ask of a work order (workorders §9.2).

One term leads the search: the plain one, or the one that promises the fewest rows. The
others are conditions on what it finds, each work order looked at on its own; so nothing
has to be gathered that the page does not need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from portal.workorders.inputs import SearchField, Term
from portal.workorders.listing import Wanted, Where
from portal.workorders.spelling import Spelled
from portal.workorders.terms import IdTerm, gist_pattern, id_term, like_pattern, phrase_text

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound.

# Places from the one that promises the fewest rows to the one that promises the most.
LEADERS = (SearchField.ID, SearchField.BODY, SearchField.LOG, SearchField.NAME)
COLUMNS = {SearchField.LOG: "logs", SearchField.BODY: "bodies"}
MATCHES = {
    SearchField.LOG: "search_logs_match({run}, to_tsquery('pg_catalog.simple', {phrase}), {gist})",
    SearchField.BODY: "search_inputs_match({run}, to_tsquery('pg_catalog.simple', {phrase}), {gist})",
}
# Ids made within a minute share their first eight digits: so long a beginning has few, a shorter one many.
FEW = 8


def led(wanted: Wanted) -> Wanted:
    """The same wish with a plain term, made of the most promising further term if there is none."""
    filters = wanted.filters
    given = [term for term in filters.terms if not term.negated]
    if filters.q or not given:
        return wanted
    first = min(given, key=lambda term: (LEADERS.index(term.field), -len(term.text)))
    rest = tuple(term for term in filters.terms if term is not first)
    changes = {"q": first.text, "search_in": (first.field,), "terms": rest}
    return replace(wanted, filters=filters.model_copy(update=changes))


def of_names(term: str) -> Where:
    """The condition that the name of the work order's input holds `term`."""
    return Where([_NAMES.format(pattern=":pattern")], {"pattern": like_pattern(term)})


def of_ids(term: str) -> Iterator[Where]:
    """Conditions, of which one must hold, that an id of the work order begins or ends with `term`.

    Few ids are one look. For a short beginning each kind of id has its own: the planner
    begins at the id or at the list, whichever is shorter.
    """
    typed = id_term(term)
    if typed is None:
        return
    values = _id_values(typed)
    if len(typed.digits) < FEW:
        for condition in _PREFIXES:
            yield Where([f"w.id IN ({condition})"], values)
        return
    parts = [*_PREFIXES, *_TAILS] if typed.tail else _PREFIXES
    yield Where([f"w.id IN ({' UNION ALL '.join(parts)})"], values)


def _id_values(typed: IdTerm) -> dict[str, object]:
    values: dict[str, object] = {"low": typed.low, "high": typed.high}
    return values | ({"last": typed.tail[-8:], "tail": f"%{typed.tail}"} if typed.tail else {})


def further(wanted: Wanted, spelled: Spelled, id_: str) -> Where | None:
    """What the further terms ask of the work order with the id `id_`, an expression; None: none can pass."""
    asked = Where()
    for number, term in enumerate(wanted.filters.terms):
        found = _asked(term, number, spelled, id_)
        if found is None and not term.negated:
            return None
        if found is not None:
            condition = found.conditions[0]
            asked.add(f"NOT {condition}" if term.negated else condition, **found.values)
    return asked


def _asked(term: Term, number: int, spelled: Spelled, id_: str) -> Where | None:
    """One condition that the term is found; None for a term that no work order could have."""
    if term.field is SearchField.NAME:
        return _named(_NAME_OF.format(id=id_), number, term.text)
    if term.field is SearchField.ID:
        return _identified(number, term.text, id_)
    words = spelled.query(term.text, spelled.buckets)
    if words is None:
        return None
    match = MATCHES[term.field].format(run="s.run_id", phrase=f":phrase_{number}", gist=f":gist_{number}")
    # A scalar subquery cannot become a join, nor an expression one look at the column's index for each row.
    condition = f"""coalesce((SELECT true FROM run_search AS s WHERE s.work_order_id = {id_}
        AND coalesce(s.{COLUMNS[term.field]}, '') @@ CAST(:words_{number} AS tsquery)
        AND {match} LIMIT 1), false)"""
    values = {"words": words, "phrase": phrase_text(term.text), "gist": gist_pattern(term.text)}
    return Where([condition], {f"{name}_{number}": value for name, value in values.items()})


def _named(condition: str, number: int, text: str) -> Where:
    name = f"pattern_{number}"
    return Where([condition.format(pattern=f":{name}")], {name: like_pattern(text)})


def _identified(number: int, text: str, id_: str) -> Where | None:
    typed = id_term(text)
    if typed is None:
        return None
    match = "{0} BETWEEN :low_{1} AND :high_{1}"
    if typed.tail:
        match = f"({match} OR replace({{0}}::text, '-', '') LIKE :tail_{{1}})"
    checks = {place: match.format(place, number) for place in (id_, "r.id", "rs.step_id")}
    condition = f"""({checks[id_]} OR coalesce((SELECT true FROM runs AS r WHERE r.work_order_id = {id_} AND (
        {checks["r.id"]} OR coalesce((SELECT true FROM run_steps AS rs
            WHERE rs.run_id = r.id AND {checks["rs.step_id"]} LIMIT 1), false)) LIMIT 1), false))"""
    values = {name: value for name, value in _id_values(typed).items() if name != "last"}
    return Where([condition], {f"{name}_{number}": value for name, value in values.items()})


def narrowing(wanted: Wanted, spelled: Spelled, buckets: list[int], stage: int) -> Where:
    """Conditions on work orders `w` that the further terms imply, for an index to answer in some periods."""
    implied = Where()
    for number, term in enumerate(wanted.filters.terms):
        if term.negated or term.field is SearchField.ID:
            continue
        if term.field is SearchField.NAME:
            found = _named(_NAMES, number, term.text)
            implied.add(found.conditions[0], **found.values)
            continue
        name = f"words_{stage}_{number}"
        implied.add(
            f"""w.id IN (SELECT s.work_order_id FROM run_search AS s WHERE s.project_id = :project_id
                AND s.{COLUMNS[term.field]} @@ CAST(:{name} AS tsquery))""",
            **{name: spelled.query(term.text, buckets)},
        )
    return implied


_NAMES = """w.dataclip_id IN (SELECT d.id FROM dataclips AS d WHERE d.project_id = :project_id
    AND d.name IS NOT NULL AND d.name ILIKE {pattern})"""
_NAME_OF = """coalesce((SELECT d.name ILIKE {{pattern}} FROM work_orders AS o JOIN dataclips AS d
    ON d.id = o.dataclip_id WHERE o.id = {id}), false)"""
_PREFIXES = (
    "SELECT o.id FROM work_orders AS o WHERE o.id BETWEEN :low AND :high",
    "SELECT r.work_order_id FROM runs AS r WHERE r.id BETWEEN :low AND :high",
    """SELECT r.work_order_id FROM run_steps AS rs JOIN runs AS r ON r.id = rs.run_id
        WHERE rs.step_id BETWEEN :low AND :high""",
)
_TAIL = "right({0}::text, 8) = :last AND replace({0}::text, '-', '') LIKE :tail"
_TAILS = (
    f"SELECT o.id FROM work_orders AS o WHERE {_TAIL.format('o.id')}",
    f"SELECT r.work_order_id FROM runs AS r WHERE {_TAIL.format('r.id')}",
    f"""SELECT r.work_order_id FROM steps AS s JOIN run_steps AS rs ON rs.step_id = s.id
        JOIN runs AS r ON r.id = rs.run_id WHERE {_TAIL.format("s.id")}""",
)
