"""A house in which practices have a way for letters, and providers answer what they were brought."""

from dataclasses import dataclass, field
from typing import Any

from gateway.journey.gateway import Acknowledgement, Parcel
from gateway.journey.returned import Fate, Post, take_in
from gateway.mapping.outcome_terms import OUTCOME_SYSTEM, to_task
from gateway.referral.directory import Transport
from gateway.referral.outcome import OutcomeKind
from gateway.store.directory import DirectoryAsOf
from tests.builders.evidence import id_in, work
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, OWN, service_request
from tests.builders.outcomes import document_reference

LETTERS = "gp-connect"
ENDPOINT = {
    "id": LETTERS,
    "transport": "mesh",
    "format": "gp-connect",
    "address": "https://mesh.example",
    "parameters": {
        "recipient": "GPPROVIDER",
        "workflow": "GPCONNECT_SEND_DOCUMENT",
        "mailbox": "GATEWAY01",
        "password_file": "mesh-password",
        "shared_key_file": "mesh-key",
        "telephone": "0113 496 0000",
    },
}
"""The endpoint by which documents reach practices."""


@dataclass
class FakeMesh:
    """MESH as far as a sender meets it: takes what it is sent, and names it."""

    sent: list[Parcel] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(parcel)
        return Acknowledgement(status=202, receipt=f"MESH{len(self.sent):04}")


LETTER_SYSTEM = "https://oh.example/Id/letter"
CODED = {
    "resourceType": "Observation", "id": "finding", "status": "final",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "271649006",
                         "display": "Systolic blood pressure"}]},
    "valueQuantity": {"value": 142, "unit": "mmHg"},
    "subject": {"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number",
                               "value": NHS_NUMBER}},
}  # fmt: skip


def report(
    *more: Any,
    number: str = NHS_NUMBER,
    named: str = "L-1",
    replaces: str | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """The elements of a Task that bring a letter, and whatever else is to come with it."""
    subject = {"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}}
    letter: dict[str, Any] = {"id": "letter"} | document_reference(subject)
    del letter["context"]
    letter["identifier"] = [{"system": LETTER_SYSTEM, "value": named}]
    if replaces is not None:
        before = {"identifier": {"system": LETTER_SYSTEM, "value": replaces}}
        letter["relatesTo"] = [{"code": "replaces", "target": before}]
    parts = [letter, *more]
    outputs = [
        {"type": {"text": "Report"}, "valueReference": {"reference": f"#{each['id']}"}}
        for each in parts
    ]
    return told(OutcomeKind.REPORT, contained=parts, output=outputs) | changes


def told(kind: OutcomeKind, **more: Any) -> dict[str, Any]:
    """The elements of a Task that say a kind."""
    words = to_task(kind)
    business = {"coding": [{"system": OUTCOME_SYSTEM, "code": words.business_status}]}
    return {
        "status": words.status, "businessStatus": business,
        "statusReason": {"text": "as agreed by telephone"},
    } | more  # fmt: skip


def with_letters(house: House) -> FakeMesh:
    """Give the house's practices a way for letters; return the MESH that takes them."""
    mesh = FakeMesh()
    destinations: Any = house.gateway.destinations
    destinations[Transport.MESH] = mesh
    practices = [each | {"letters": LETTERS} for each in takes_documents(house)]
    house.apply(endpoints=[*house.directory["endpoints"], ENDPOINT], practices=practices)
    return mesh


def takes_documents(house: House) -> list[dict[str, Any]]:
    """The house's practices, which take documents and no codes: nobody has said so before."""
    on = {"send_document": "on", "update_record": "off"}
    return [each | {"switches": on} for each in house.directory["practices"]]


def of_employer(*, is_practice: bool) -> list[dict[str, Any]]:
    """Say whether the person works for the practice: nobody knows where nobody says."""
    coding = {"system": f"{OWN}/CodeSystem/employment-status", "code": "employed"}
    status = {"url": "status", "valueCodeableConcept": {"coding": [coding]}}
    said = {"url": "practiceIsEmployer", "valueBoolean": is_practice}
    return [{"url": f"{OWN}/StructureDefinition/employment", "extension": [status, said]}]


def brought(house: House, *, is_employer: bool | None = False, **changes: Any) -> tuple[str, str]:
    """Bring a referral to the provider; return its id and that of the provider's Task."""
    tree = service_request(**changes)
    if is_employer is not None:
        tree["extension"] = of_employer(is_practice=is_employer)
    sent = house.post("/ServiceRequest", tree)
    assert sent.status_code == 201, sent.get_data(as_text=True)
    own = id_in(sent.headers["Location"])
    work(house)
    return own, task_of(house, own)


def task_of(house: House, own: str) -> str:
    """Name the provider's Task for a referral that it was brought."""
    page = house.get("/Task", client="oh-one").get_json()
    (task,) = [
        str(each["resource"]["id"])
        for each in page["entry"]
        if each["resource"]["focus"]["reference"] == f"ServiceRequest/{own}"
    ]
    return task


def say(house: House, task_id: str, *, client: str = "oh-one", etag: str | None = None,
        headers: dict[str, str] | None = None, **changes: Any) -> Any:  # fmt: skip
    """Read the Task and put it back with changes, as a provider's system does."""
    read = house.get(f"/Task/{task_id}", client=client)
    tree = {**read.get_json(), **changes}
    sent = {"If_Match": etag or read.headers["ETag"], **(headers or {})}
    return house.put(f"/Task/{task_id}", tree, client=client, **sent)


def answer_letter(house: House, letter_id: str, code: str, *, workflow: str | None = None) -> Fate:
    """Have the practice's system answer a letter by ITK3."""
    from tests.builders.itk3 import an_itk3_answer

    post = Post(
        id=f"ANSWER{code}", is_report=False, sender="PRACTICE01",
        workflow=workflow or "GPCONNECT_SEND_DOCUMENT_ACK", linked=None, local_id=None, code=None,
        body=an_itk3_answer(letter_id, code),
    )  # fmt: skip
    return take_in(post, _ours(house), house.gateway).fate


def report_letter(house: House, receipt: str, code: str) -> Fate:
    """Have MESH report that it could not bring a letter."""
    post = Post(
        id=f"REPORT{code}", is_report=True, sender=None, workflow="GPCONNECT_SEND_DOCUMENT",
        linked=receipt, local_id=None, code=code,
    )  # fmt: skip
    return take_in(post, _ours(house), house.gateway).fate


def _ours(house: House) -> Any:
    with house.gateway.store.reading() as view:
        return DirectoryAsOf(view, house.clock.now).endpoints()
