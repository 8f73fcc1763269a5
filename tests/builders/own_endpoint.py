"""A house in which practices have FHIR servers of their own, and what those receive."""

import base64
import io
from typing import Any

from pypdf import PdfReader

from gateway.fhir.json_text import read_json
from gateway.journey.gateway import Parcel
from tests.builders.house import House
from tests.builders.messages import PRACTICE
from tests.builders.returning import takes_documents

OWN_SERVER = "surgery-fhir"
ENDPOINT = {
    "id": OWN_SERVER,
    "transport": "fhir-rest",
    "address": "https://surgery.example/fhir",
}


def with_own_server(house: House, **changes: Any) -> None:
    """Give the house's practices a FHIR server of their own for letters."""
    others = [each for each in house.directory["endpoints"] if each["id"] != OWN_SERVER]
    practices = [each | {"letters": OWN_SERVER} for each in takes_documents(house)]
    house.apply(endpoints=[*others, ENDPOINT | changes], practices=practices)


def brought_to_practice(house: House) -> list[Parcel]:
    """What the practice's server was sent, in order."""
    return [each for each in house.destination.received if each.endpoint.id == OWN_SERVER]


def resources(body: bytes, type_: str) -> list[Any]:
    """The resources of one type in a transaction."""
    tree: Any = read_json(body)
    found = [each["resource"] for each in tree["entry"]]
    return [each for each in found if each["resourceType"] == type_]


def document_in(body: bytes) -> Any:
    """The one DocumentReference of a transaction."""
    (only,) = resources(body, "DocumentReference")
    return only


def text_in(body: bytes) -> str:
    """What a person reads in the document of a transaction."""
    pdf = base64.b64decode(resources(body, "Binary")[0]["data"])
    pages = PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def without_letters(house: House) -> list[dict[str, Any]]:
    """The house's practices; the one that refers has no endpoint for letters any more."""
    return [
        {name: value for name, value in each.items() if name != "letters"}
        if each["ods"] == PRACTICE
        else each
        for each in house.directory["practices"]
    ]
