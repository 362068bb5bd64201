"""The clinic: intake forms by webhook, appointment reminders in the afternoon."""

from __future__ import annotations

from datetime import datetime, time
from random import Random

from portal.core.db import Json
from portal.demo import words
from portal.demo.flows import Fate, Flow, Line, Trouble, Work

UPLOAD = "Upload to registry"


def _form(rng: Random, at: datetime) -> Json:
    return {
        "form_id": f"INT-{at:%y%m%d}-{rng.randint(1000, 9999)}",
        "form_version": "2.3",
        "submitted_at": at.isoformat(),
        "facility": {"code": f"F{rng.randint(1, 6):02}", "name": rng.choice(words.POSTS)},
        "patient": words.person(rng),
        "visit": {
            "complaint": rng.choice(words.COMPLAINTS),
            "temperature": round(rng.uniform(36.1, 40.2), 1),
            "weight_kg": round(rng.uniform(3, 95), 1),
            "pregnant": rng.random() < 0.12,
            "notes": rng.choice(("", "first visit", "came with her mother", "referred by neighbour", "none")),
        },
    }


def _intake(job: str, body: Json, rng: Random) -> Work:
    patient, form = body["patient"], body["form_id"]
    number = rng.randint(10_000, 99_999)
    name = f"{patient['given_name']} {patient['family_name']}"
    if job == "Validate form":
        lines: list[Line] = [
            ("info", "JOB", f"Form {form} of {body['facility']['name']}: 14 fields, 0 missing")
        ]
        if body["visit"]["temperature"] > 39.5:
            lines.append(("warn", "JOB", f"temperature {body['visit']['temperature']} is unusually high"))
        return Work(lines, {"data": body, "patient": patient}, rng.uniform(0.1, 0.5))
    if job == "Map to FHIR":
        resource = {
            "resourceType": "Patient",
            "identifier": [{"system": "https://clinic.example/form", "value": form}],
            "name": [{"given": [patient["given_name"]], "family": patient["family_name"]}],
            "gender": patient["sex"],
            "birthDate": patient["birth_date"],
        }
        lines = [
            ("debug", "ADA", "builders for FHIR 4.0.1 loaded"),
            ("info", "JOB", f"Patient resource for {name}"),
        ]
        return Work(lines, {"data": body, "resource": resource}, rng.uniform(0.2, 0.8))
    if job == UPLOAD:
        took = rng.randint(180, 1900)
        lines = [("info", "ADA", f"POST https://registry.example/fhir/Patient - 201 in {took}ms"),
                 ("success", "JOB", f"Registered as Patient/{number}")]  # fmt: skip
        return Work(lines, {"data": {"id": str(number)}, "registry_id": number}, took / 1000 + 0.2)
    lines = [("info", "ADA", "POST https://chat.example/messages - 200 in 96ms")]
    return Work(lines, {"data": {"sent": True}}, rng.uniform(0.1, 0.3))


INTAKE = Flow(
    spec="clinic",
    workflow="Patient intake",
    share=0.55,
    body=_form,
    path=lambda _body: ("Validate form", "Map to FHIR", UPLOAD),
    work=_intake,
    on_failure={UPLOAD: "Tell the clinic"},
    outage=Trouble(
        UPLOAD,
        Fate.FAILED,
        "RequestError",
        "connection timeout: registry.example:443 did not answer in 30000ms",
        30,
    ),
    troubles=(
        Trouble("Validate form", Fate.FAILED, "JobError", "birth_date is no date"),
        Trouble("Validate form", Fate.FAILED, "JobError", "given_name is missing"),
        Trouble(
            UPLOAD,
            Fate.FAILED,
            "RequestError",
            "409 Conflict: this identifier belongs to another patient",
            0.9,
        ),
        Trouble(UPLOAD, Fate.FAILED, "RequestError", "502 Bad Gateway from registry.example", 2.1),
        Trouble(
            "Map to FHIR",
            Fate.CRASHED,
            "TypeError",
            "TypeError: Cannot read properties of undefined (reading 'given_name')",
        ),
        Trouble("Map to FHIR", Fate.KILLED, "OOMError", "Run exceeded maximum memory usage (500 MB)", 12),
        Trouble(UPLOAD, Fate.EXCEPTION, "AutoinstallError", "Failed to install @openfn/language-http", 8),
    ),
)


def _tomorrow(rng: Random, at: datetime) -> Json:
    return {"day": at.date().isoformat(), "clinic": "Riverbend", "expected": rng.randint(8, 40)}


def _reminders(job: str, body: Json, rng: Random) -> Work:
    count = body["expected"]
    if job == "List appointments":
        line = (
            "info",
            "ADA",
            f"GET https://calendar.example/appointments?day=tomorrow - 200 in {rng.randint(90, 400)}ms",
        )
        return Work(
            [line, ("info", "JOB", f"{count} appointments")], {"appointments": count}, rng.uniform(0.3, 0.9)
        )
    refused = rng.randint(0, 2)
    lines: list[Line] = [("info", "JOB", f"{count - refused} messages sent")]
    if refused:
        lines.append(("warn", "JOB", f"{refused} numbers could not be reached"))
    return Work(lines, {"sent": count - refused, "refused": refused}, rng.uniform(2, 9))


REMINDERS = Flow(
    spec="clinic",
    workflow="Appointment reminders",
    at=time(15),
    body=_tomorrow,
    path=lambda _body: ("List appointments", "Send messages"),
    work=_reminders,
    outage=Trouble("Send messages", Fate.FAILED, "RequestError", "connection timeout: sms.example:443", 30),
    troubles=(
        Trouble("Send messages", Fate.FAILED, "RequestError", "402 Payment Required: no credit left", 0.7),
    ),
)
