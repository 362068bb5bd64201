"""Which jobs are carried into a retry (workorders §10.1.4)."""

from __future__ import annotations

import uuid

import pytest

from portal.workorders.carried import Edge, carried_jobs


def graph(drawing: str) -> list[Edge]:
    """`T>a a>b`: edges between one-letter jobs; T is the trigger."""
    pairs = [edge.split(">") for edge in drawing.split()]
    return [(None if source == "T" else job(source), job(target)) for source, target in pairs]


def job(letter: str) -> uuid.UUID:
    return uuid.UUID(int=ord(letter))


@pytest.mark.parametrize(
    ("drawing", "start", "carried"),
    [
        ("T>a a>b b>c", "a", ""),
        ("T>a a>b b>c", "b", "a"),
        ("T>a a>b b>c", "c", "ab"),
        # Parallel branches stay, everything downstream goes.
        ("T>a a>b a>c b>d", "b", "ac"),
        ("T>a a>b a>c b>d", "d", "abc"),
        # Where branches meet again, the meeting job is run again.
        ("T>a a>b a>c b>d c>d", "b", "ac"),
        # A job whose only edges led into what runs again has none left: it is not carried.
        ("a>b c>b", "a", ""),
        ("T>a x>a", "a", ""),
        # Circles end.
        ("T>a a>b b>a", "a", ""),
        ("", "a", ""),
    ],
)
def test_upstream_and_parallel_jobs_are_carried(drawing: str, start: str, carried: str) -> None:
    assert carried_jobs(graph(drawing), job(start)) == {job(letter) for letter in carried}
