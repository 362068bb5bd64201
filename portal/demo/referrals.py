"""Referrals from health posts to a hospital: urgent ones alert a ward, others get an appointment."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from portal.core.db import Json
from portal.demo import words
from portal.demo.flows import Fate, Flow, Line, Trouble, Work


def _referral(rng: Random, at: datetime) -> Json:
    return {
        "number": f"REF-{rng.randint(100_000, 999_999)}",
        "from": rng.choice(words.POSTS),
        "ward": rng.choice(words.WARDS),
        "urgency": "urgent" if rng.random() < 0.22 else "routine",
        "reason": rng.choice(words.REASONS),
        "patient": words.person(rng),
        "wished_for": (at.date() + timedelta(days=rng.randint(1, 21))).isoformat(),
        "attachments": [{"name": "letter.pdf", "bytes": rng.randint(20_000, 900_000)}]
        if rng.random() < 0.4
        else [],
    }


def _path(body: Json) -> tuple[str, ...]:
    branch = "Alert hospital" if body["urgency"] == "urgent" else "Book appointment"
    return ("Read referral", branch, "Answer health post")


def _refer(job: str, body: Json, rng: Random) -> Work:
    lines: list[Line]
    if job == "Read referral":
        lines = [
            ("info", "JOB", f"{body['number']} from {body['from']}: {body['urgency']}, {body['reason']}")
        ]
        return Work(lines, {"referral": body}, rng.uniform(0.1, 0.4))
    if job == "Alert hospital":
        lines = [("info", "ADA", f"POST https://hospital.example/alerts - 202 in {rng.randint(40, 300)}ms"),
                 ("always", "JOB", f"{body['ward']} was alerted")]  # fmt: skip
        return Work(lines, {"referral": body, "alerted": body["ward"]}, rng.uniform(0.2, 1.1))
    if job == "Book appointment":
        lines = [
            ("info", "ADA", f"POST https://hospital.example/appointments - 201 in {rng.randint(90, 800)}ms")
        ]
        if rng.random() < 0.2:
            lines.append(("warn", "JOB", f"{body['wished_for']} is full, booked the day after"))
        return Work(lines, {"referral": body, "appointment": body["wished_for"]}, rng.uniform(0.3, 1.8))
    lines = [("info", "ADA", f"POST https://posts.example/answers - 200 in {rng.randint(50, 250)}ms")]
    return Work(lines, {"referral": body["number"], "status": "accepted"}, rng.uniform(0.2, 0.7))


REFERRALS = Flow(
    spec="referrals",
    workflow="Referrals",
    share=0.25,
    body=_referral,
    path=_path,
    work=_refer,
    outage=Trouble(
        "Answer health post",
        Fate.FAILED,
        "RequestError",
        "connection timeout: posts.example:443 did not answer",
        30,
    ),
    troubles=(
        Trouble("Answer health post", Fate.FAILED, "RequestError", "404 Not Found: unknown health post", 0.5),
        Trouble("Read referral", Fate.FAILED, "JobError", "ward is not one of the hospital's wards"),
        Trouble("Read referral", Fate.CRASHED, "SyntaxError", "SyntaxError: Unexpected token '}'", 0.1),
        Trouble(
            "Answer health post",
            Fate.EXCEPTION,
            "ImportError",
            "Failed to import module @openfn/language-http",
            5,
        ),
    ),
)
