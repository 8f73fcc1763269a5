"""Consents as a practice sends them to the register, and what it does with them there."""

from typing import Any

from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, PROVIDER, Tree, consent

NHS = "https://fhir.nhs.uk/Id/nhs-number"
NAMES = "https://one-surgery.example/consents"


def a_person(number: str = NHS_NUMBER) -> Tree:
    return {"identifier": {"system": NHS, "value": number}}


def to_register(
    name: str | None = None, *, number: str = NHS_NUMBER, to: str = PROVIDER, **changes: Any
) -> Tree:
    """A Consent of one person by NHS number; a change of None leaves the element out."""
    tree = consent(recipient=to)
    del tree["id"]
    tree |= {"patient": a_person(number), "performer": [a_person(number)]}
    if name is not None:
        tree["identifier"] = [{"system": NAMES, "value": name}]
    return {key: value for key, value in (tree | changes).items() if value is not None}


def register(house: House, tree: Tree | None = None, *, client: str = "gp-one") -> str:
    """Record a Consent; return its id."""
    answer = house.post("/Consent", tree or to_register(), client=client)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return str(answer.get_json()["id"])


def change(house: House, consent_id: str, **changes: Any) -> Any:
    """Append a version as a system does that has just read the last one."""
    read = house.get(f"/Consent/{consent_id}")
    tree = {k: v for k, v in (read.get_json() | changes).items() if v is not None}
    return house.put(f"/Consent/{consent_id}", tree, If_Match=read.headers["ETag"])


def withdraw(house: House, consent_id: str) -> None:
    assert change(house, consent_id, status="inactive").status_code == 200
