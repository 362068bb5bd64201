"""The district's stock: delivery notes by webhook, a sync of all stores at night."""

from __future__ import annotations

from datetime import datetime, time
from random import Random

from portal.core.db import Json
from portal.demo import words
from portal.demo.flows import Fate, Flow, Line, Trouble, Work


def _note(rng: Random, at: datetime) -> Json:
    chosen = rng.sample(words.ITEMS, rng.randint(1, 4))
    return {
        "note": f"DN-{at:%Y}-{rng.randint(10_000, 99_999)}",
        "store": rng.choice(words.STORES),
        "delivered_on": at.date().isoformat(),
        "lines": [
            {
                "item_code": code,
                "item": item,
                "quantity": rng.randint(1, 60) * 10,
                "batch": f"B{rng.randint(100, 999)}",
            }
            for code, item in chosen
        ],
    }


def _delivery(job: str, body: Json, rng: Random) -> Work:
    if job == "Check note":
        lines: list[Line] = [
            ("info", "JOB", f"{body['note']}: {len(body['lines'])} lines for {body['store']}")
        ]
        return Work(lines, {"data": body}, rng.uniform(0.1, 0.4))
    lines = [
        (
            "info",
            "ADA",
            f"POST https://stock.example/stock-moves ({line['item_code']}) - 201 in {rng.randint(60, 500)}ms",
        )
        for line in body["lines"]
    ]
    moves = [{"item_code": line["item_code"], "booked": line["quantity"]} for line in body["lines"]]
    return Work(lines, {"moves": moves}, rng.uniform(0.4, 2.5))


DELIVERIES = Flow(
    spec="stock",
    workflow="Delivery notes",
    share=0.2,
    body=_note,
    path=lambda _body: ("Check note", "Book delivery"),
    work=_delivery,
    outage=Trouble("Book delivery", Fate.FAILED, "RequestError", "connection timeout: stock.example:443", 30),
    troubles=(
        Trouble("Check note", Fate.FAILED, "JobError", "1 lines without item code"),
        Trouble("Book delivery", Fate.FAILED, "RequestError", "422 Unprocessable: batch is expired", 0.6),
        Trouble("Book delivery", Fate.CRASHED, "ReferenceError", "ReferenceError: line is not defined", 0.2),
    ),
)


def _levels(rng: Random, at: datetime) -> Json:
    return {"last_sync": at.date().isoformat(), "stores": len(words.STORES), "levels": rng.randint(180, 420)}


def _sync(job: str, body: Json, rng: Random) -> Work:
    changed = body["levels"] // 7
    if job == "Fetch levels":
        lines: list[Line] = [
            ("info", "ADA", f"GET https://stock.example/stores/{number} - 200 in {rng.randint(80, 700)}ms")
            for number in range(1, body["stores"] + 1)
        ]
        return Work(lines, {"levels": body["levels"]}, rng.uniform(2, 8))
    if job == "Compare with catalogue":
        code, item = rng.choice(words.ITEMS)
        lines = [("info", "JOB", f"{body['levels']} levels, {changed} changed")]
        if rng.random() < 0.3:
            lines.append(
                ("warn", "JOB", f"{item} ({code}) is below its minimum in {rng.choice(words.STORES)}")
            )
        return Work(lines, {"changed": changed}, rng.uniform(0.5, 2))
    lines = [
        ("info", "ADA", f"upserted {changed} rows into stock_levels"),
        ("success", "JOB", "Register is up to date"),
    ]
    return Work(lines, {"rows": changed}, rng.uniform(1, 5))


NIGHTLY = Flow(
    spec="stock",
    workflow="Nightly stock sync",
    at=time(1, 30),
    body=_levels,
    path=lambda _body: ("Fetch levels", "Compare with catalogue", "Update register"),
    work=_sync,
    outage=Trouble("Fetch levels", Fate.FAILED, "RequestError", "connection timeout: stock.example:443", 30),
    troubles=(
        Trouble("Update register", Fate.FAILED, "DatabaseError", "deadlock detected on stock_levels", 3),
        Trouble(
            "Fetch levels", Fate.KILLED, "TimeoutError", "Run exceeded maximum duration of 300 seconds", 280
        ),
    ),
)
