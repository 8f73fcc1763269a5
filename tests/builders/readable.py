"""Outcomes of providers, whom they are about and where they come from, and what is made of them."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from gateway.fhir.json_text import read_json
from gateway.mapping.readable import Person, Provenance, Readable, Row, Section
from gateway.mapping.readable_content import render_content
from gateway.referral.identifiers import DecisionId, NhsNumber, OdsCode, ReferralReference

FOLDER = Path(__file__).parents[2] / "mappings" / "gp-connect"
OUTCOME = json.loads((FOLDER / "in" / "outcome.json").read_text("utf-8"))
PERSON = Person(
    number=NhsNumber("9990000018"), birth_date=date(1980, 2, 3), name="Zoë Müller-Jones"
)
SOURCE = Provenance(
    author="Dr Sam Field",
    organisation="Able Occupational Health",
    ods=OdsCode("OH123"),
    said_at=datetime(2026, 3, 4, 9, 30, tzinfo=UTC),
    gateway="Referral gateway",
    decision=DecisionId("11111111-1111-4111-8111-111111111111"),
    reference=ReferralReference("RG-7K3M-9QX2"),
    why_no_codes="Brook Surgery has switched off the writing of codes by third parties.",
)


def render(tree: dict[str, Any]) -> Readable:
    return render_content(read_json(json.dumps(tree).encode()), PERSON, SOURCE)


def note(**parts: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final"} | parts


def many(rows: int, text: str = "a", label: str = "b") -> Readable:
    row = Row(label=label, text=text)
    return Readable(title="T", sections=(Section(heading="H", rows=(row,) * rows),), footer="F")
