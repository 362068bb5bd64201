"""Names of people, places and things that plainly do not exist."""

from __future__ import annotations

from random import Random

GIVEN = (
    "Amber", "Basil", "Clover", "Dahlia", "Elder", "Fern", "Hazel", "Iris", "Jasmine", "Juniper", "Laurel",
    "Linden", "Maple", "Myrtle", "Olive", "Poppy", "Reed", "Rowan", "Saffron", "Sorrel", "Thyme", "Willow",
)  # fmt: skip
FAMILY = (
    "Sampleton", "Testwell", "Mockridge", "Exemplar", "Placeholder", "Fauxley", "Trialsworth", "Draftman",
    "Pretendo", "Fixture", "Dummerfield", "Imagino", "Nonesuch", "Stubbs-Example", "Ñandú-Ejemplo",
    "Probezahl",
)  # fmt: skip
VILLAGES = ("Upper Sample", "Lower Sample", "Mockford", "Testbury", "Exampleton", "Fauxville", "Placeholm")
POSTS = ("Mockford health post", "Testbury health post", "Exampleton clinic", "Fauxville maternity")
COMPLAINTS = (
    "fever",
    "cough",
    "malaria",
    "headache",
    "injury",
    "antenatal visit",
    "vaccination",
    "diabetes check",
)
ITEMS = (
    ("AMX-250", "Amoxicillin 250 mg"), ("ORS-001", "Oral rehydration salts"),
    ("PCM-500", "Paracetamol 500 mg"),
    ("ACT-020", "Artemether and lumefantrine"),
    ("GLV-M", "Gloves, medium"), ("RDT-MAL", "Malaria rapid test"),
    ("ZNC-020", "Zinc 20 mg"), ("BCG-010", "BCG vaccine, 10 doses"), ("SYR-005", "Syringe 5 ml"),
)  # fmt: skip
STORES = ("Central store", "Mockford store", "Testbury store", "Exampleton store", "Fauxville store")
WARDS = ("maternity", "paediatrics", "surgery", "internal medicine")
REASONS = (
    "suspected appendicitis", "high-risk pregnancy", "severe malaria", "fracture of the forearm",
    "persistent cough", "raised blood pressure", "follow-up after surgery", "eye infection",
)  # fmt: skip


def person(rng: Random) -> dict[str, str]:
    """A patient who does not exist: names, date of birth, sex, village, phone."""
    return {
        "given_name": rng.choice(GIVEN),
        "family_name": rng.choice(FAMILY),
        "birth_date": f"{rng.randint(1945, 2025)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        "sex": rng.choice(("female", "male")),
        "village": rng.choice(VILLAGES),
        "phone": f"+000 555 {rng.randint(0, 9999):04}",
    }
