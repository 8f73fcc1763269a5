"""A house in which a provider writes reports, and persons say who may have a copy."""

import base64
import json
from typing import Any

from gateway.mapping.outcome_terms import OUTCOME_SYSTEM, to_task
from gateway.referral.outcome import OutcomeKind
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, OWN, PRACTICE, Tree, consent
from tests.builders.outcomes import document_reference
from tests.builders.returning import brought, say

EMPLOYER, HR, NATIONAL = "EM901", "HR901", "HW901"
DATASET = f"{OWN}/CodeSystem/employer-report"
NOTE = "Rest breaks each hour help."
SUBJECT = {"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NHS_NUMBER}}


def with_employers(house: House) -> None:
    """Put an employer, an HR service and the national service into the house's directory."""
    roles = {EMPLOYER: "employer", HR: "hr", NATIONAL: "national-service"}
    more = [
        {"ods": ods, "name": f"Organisation {ods}", "role": role, "assured_until": "2030-01-01"}
        for ods, role in roles.items()
    ]
    house.apply(providers=[*house.directory["providers"], *more])


def to_release(*recipients: tuple[str, str]) -> list[Tree]:
    """The Consent to be referred, and one to release for each recipient and purpose."""
    told = [consent(), *(consent(recipient=to, purpose=why) for to, why in recipients)]
    return [each | {"id": f"consent{number}"} for number, each in enumerate(told)]


def statement(code: str, *, words: str = "", **value: Any) -> Tree:
    """An Observation that states an item of the employer's dataset."""
    made: Tree = {
        "resourceType": "Observation",
        "id": code,
        "status": "final",
        "code": {"coding": [{"system": DATASET, "code": code}]},
        "subject": SUBJECT,
        **value,
    }
    return made | ({"note": [{"text": words}]} if words else {})


def choice(item: str, chosen: str, *, words: str = "") -> Tree:
    """A statement of a closed list, with words of the provider's beside the code."""
    coding: Tree = {"system": DATASET, "code": chosen}
    concept: Tree = {"coding": [coding | ({"display": words} if words else {})]}
    value = concept | ({"text": words} if words else {})
    return statement(item, words=words, valueCodeableConcept=value)


def a_report(
    words: str = "Rest breaks each hour.", *, note: str | None = None, draft: bool = True,
    name: str = "L-1", fitness: str | None = "fit-with-adjustments",
) -> dict[str, Any]:  # fmt: skip
    """The elements of a Task that bring a report: a letter, and statements for an employer."""
    letter: Tree = {"id": "letter"} | document_reference(SUBJECT)
    del letter["context"]
    letter["docStatus"] = "preliminary" if draft else "final"
    letter["description"] = words
    letter["identifier"] = [{"system": "https://oh.example/Id/letter", "value": name}]
    data = base64.b64encode(words.encode()).decode()
    letter["content"] = [{"attachment": {"contentType": "text/plain", "data": data}}]
    parts = [letter, choice("adjustment", "more-breaks", words=words)]
    if fitness is not None:
        parts.append(choice("fitness", fitness, words=words))
    if note is not None:
        parts.append(statement("note-for-employer", valueString=note))
    words_of = to_task(OutcomeKind.REPORT)
    business = {"coding": [{"system": OUTCOME_SYSTEM, "code": words_of.business_status}]}
    outputs = [
        {"type": {"text": "Report"}, "valueReference": {"reference": f"#{each['id']}"}}
        for each in parts
    ]
    return {
        "status": words_of.status, "businessStatus": business, "contained": parts,
        "output": outputs,
    }  # fmt: skip


def reported(
    house: House, *consents: tuple[str, str], is_employer: bool = False, **changes: Any
) -> tuple[str, str]:
    """Bring a referral, and have the provider send its report; return referral and Task."""
    own, task = brought(house, is_employer=is_employer, consents=to_release(*consents))
    answer = say(house, task, **a_report(**changes))
    assert answer.status_code in (200, 202), answer.get_data(as_text=True)
    return own, task


def post(house: House, path: str, tree: Any = None, *, client: str = "oh-one") -> Any:
    """Post JSON beside the FHIR door."""
    headers = {"Content-Type": "application/json", **house.bearer(client)}
    body = json.dumps(tree).encode() if tree is not None else b""
    return house.web.post(f"/reports{path}", data=body, headers=headers)


def get(house: House, path: str, *, client: str = "oh-one", **query: Any) -> Any:
    return house.web.get(f"/reports{path}", query_string=query, headers=house.bearer(client))


def copies(
    house: House, task: str, *wanted: tuple[str, str | None], kind: str = "functional",
    third_party: bool | None = False,
) -> list[str]:  # fmt: skip
    """Have copies made, one for each recipient; return their ids."""
    asked = [
        {"recipient": recipient} | ({"organisation": ods} if ods else {})
        for recipient, ods in wanted
    ]
    tree = {"task": task, "kind": kind, "copies": asked, "third_party": third_party}
    answer = post(house, "", tree)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return [each["id"] for each in answer.get_json()["copies"]]


def do(house: House, copy: str, act: str, **said: Any) -> Any:
    """Do an act on a copy that may be done; return how it stands."""
    answer = post(house, f"/{copy}/{act}", said or None)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def refused(house: House, copy: str, act: str, **said: Any) -> str:
    """Do an act that may not be done; return why."""
    answer = post(house, f"/{copy}/{act}", said or None)
    assert answer.status_code == 409, answer.get_data(as_text=True)
    return str(answer.get_json()["issue"][0]["diagnostics"])


TO_EMPLOYER = (EMPLOYER, "employment-report")
TO_GP = (PRACTICE, "occupational-health")
