"""Good messages for each door and each format, and how they are sent.

The patient in them is unmistakable (see `tests.builders.canary`), so that one word of theirs
in an answer is found. They carry more kinds of resource than a referral needs, so that there
is more to break.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from tests.builders.canary import canary_message, canary_patient, canary_referral
from tests.builders.house import House
from tests.builders.messages import Tree, bars_headers, letter_transaction
from tests.conformance.xml_of import xml_of


class Door(StrEnum):
    """Where a message is sent: the path below the FHIR base."""

    REST = "/ServiceRequest"
    TRANSACTION = "/"
    BARS = "/$process-message"


class Format(StrEnum):
    """The media type of a body and of its answer."""

    JSON = "application/fhir+json"
    XML = "application/fhir+xml"


DATA: Final = "RGVhciBjb2xsZWFndWUsIHBsZWFzZSBzZWUgdGhpcyBwZXJzb24u"
AT: Final = "2026-11-01T09:00:00+00:00"


def _concept(system: str, code: str) -> Tree:
    return {"coding": [{"system": system, "code": code}]}


def condition(subject: str) -> Tree:
    return {
        "resourceType": "Condition",
        "clinicalStatus": _concept(
            "http://terminology.hl7.org/CodeSystem/condition-clinical", "active"
        ),
        "code": {"text": "Low back pain"},
        "subject": {"reference": subject},
    }


def letter(subject: str) -> Tree:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": subject},
        "content": [{"attachment": {"contentType": "text/plain", "data": DATA}}],
    }


def task(subject: str, focus: str) -> Tree:
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": _concept("http://snomed.info/sct", "306152009"),
        "focus": {"reference": focus},
        "for": {"reference": subject},
        "authoredOn": AT,
        "restriction": {"repetitions": 1},
    }


def rest_referral() -> Tree:
    """A ServiceRequest that contains a patient, a consent, a condition and a letter."""
    tree = canary_referral()
    tree["contained"] += [
        condition("#patient") | {"id": "condition"},
        letter("#patient") | {"id": "letter"},
    ]
    tree["reasonReference"] = [{"reference": "#condition"}]
    tree["supportingInfo"].append({"reference": "#letter"})
    return tree


def transaction() -> Tree:
    """The same kinds of resource as entries of a transaction."""
    tree = letter_transaction()
    entries = {each["resource"]["resourceType"]: each for each in tree["entry"]}
    person = canary_patient()
    del person["id"]
    entries["Patient"]["resource"] = person
    tree["entry"].append(
        {
            "fullUrl": f"urn:uuid:{uuid.uuid4()}",
            "resource": condition(entries["Patient"]["fullUrl"]),
            "request": {"method": "POST", "url": "Condition"},
        }
    )
    return tree


def bars_referral() -> Tree:
    """A message for a new referral, with a Task."""
    tree = canary_message()
    urls = {each["resource"]["resourceType"]: each["fullUrl"] for each in tree["entry"]}
    tree["entry"].append(
        {
            "fullUrl": f"urn:uuid:{uuid.uuid4()}",
            "resource": task(urls["Patient"], urls["ServiceRequest"]),
        }
    )
    return tree


GOOD: Final[Mapping[Door, Callable[[], Tree]]] = {
    Door.REST: rest_referral,
    Door.TRANSACTION: transaction,
    Door.BARS: bars_referral,
}


def body_of(tree: Any, form: Format) -> bytes:
    """Write a tree, right or wrong, in a format."""
    return json.dumps(tree).encode() if form is Format.JSON else xml_of(tree)


def headers_for(door: Door, form: Format) -> dict[str, str]:
    """The headers of a good request, with ids of its own and the answer in the same format."""
    given = bars_headers() | {"Content-Type": form.value, "Accept": form.value}
    if door is Door.BARS:
        given["Accept"] += "; version=1.4.0"
    else:
        del given["NHSD-Target-Identifier"]
    return given


def send(house: House, door: Door, body: bytes, headers: Mapping[str, str]) -> Any:
    """Post bytes as they are, by the practice's own client."""
    return house.web.post(f"/FHIR/R4{door}", data=body, headers={**house.bearer(), **headers})
