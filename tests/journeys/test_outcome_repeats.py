"""What a provider said once hears the same when it is said again: no second answer tells more."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.journey import onward
from gateway.writeback.proposal import Objection
from tests.builders.evidence import the_referral, work
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, bars_headers, bars_message
from tests.builders.outcomes import document_reference
from tests.builders.returning import CODED, brought, of_employer, report, with_letters
from tests.builders.shared_care import prescribe
from tests.journeys.test_outcome_messages import by_bars, letter, post, resource, response

SECRET = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                       "code": "R"}]}]  # fmt: skip
NUMBER = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NHS_NUMBER}
Tree = dict[str, Any]


def marked() -> Tree:
    made = report()
    made["contained"][0]["securityLabel"] = SECRET
    return made


def drafted() -> Tree:
    made = report()
    made["contained"][0]["docStatus"] = "preliminary"
    return made


TASKS = {
    "sent_on": (report(), 200),
    "held": (drafted(), 202),
    "as_a_document": (report(CODED), 202),
    "asked_informally": (report(prescribe()), 403),
    "confidential": (marked(), 403),
}
DOCUMENTS: dict[str, tuple[Tree, Sequence[int]]] = {
    "sent_on": ({}, (201, 200)),
    "held": ({"docStatus": "preliminary"}, (202, 202)),
    "confidential": ({"securityLabel": SECRET}, (403, 403)),
}
MESSAGES: dict[str, tuple[Tree, int]] = {
    "held": ({"docStatus": "preliminary"}, 200),
    "confidential": ({"securityLabel": SECRET}, 422),
}


def put_twice(house: House, task: str, changes: Tree) -> list[Any]:
    """Say the same bytes twice, as a system does that heard no answer."""
    read = house.get(f"/Task/{task}", client="oh-one")
    tree = {**read.get_json(), **changes}
    return [
        house.put(f"/Task/{task}", tree, client="oh-one", If_Match=read.headers["ETag"])
        for _ in range(2)
    ]


def heard(answer: Any) -> Any:
    tree = answer.get_json() if answer.data else None
    return tree and (tree["resourceType"], tree.get("issue", tree.get("status")))


@pytest.mark.parametrize("what", TASKS)
def test_a_task_that_is_put_again_is_answered_as_before(house: House, what: str) -> None:
    with_letters(house)
    _, task = brought(house)
    changes, status = TASKS[what]
    first, again = put_twice(house, task, changes)
    assert (first.status_code, again.status_code) == (status, status)
    assert heard(first) == heard(again)


def test_no_second_answer_tells_that_a_record_is_marked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_letters(house)
    _, task = brought(house)
    monkeypatch.setattr(onward, "_objection", lambda *_: Objection.SENSITIVE)
    first, again = put_twice(house, task, report())
    assert (first.status_code, again.status_code) == (404, 404)
    assert heard(first) == heard(again)


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_document_that_is_posted_again_is_answered_as_before(house: House, what: str) -> None:
    with_letters(house)
    own, _ = brought(house)
    related = {"context": {"related": [{"reference": f"ServiceRequest/{own}"}]}}
    changes, statuses = DOCUMENTS[what]
    tree = document_reference({"identifier": NUMBER}) | related | changes
    first, again = (house.post("/DocumentReference", tree, client="oh-one") for _ in range(2))
    assert (first.status_code, again.status_code) == tuple(statuses)
    assert heard(first) == heard(again)


@pytest.mark.parametrize("what", MESSAGES)
def test_a_message_that_is_sent_again_is_answered_as_before(house: House, what: str) -> None:
    by_bars(house)
    with_letters(house)
    sent = bars_message()
    resource(sent, "ServiceRequest")["extension"] = of_employer(is_practice=False)
    assert house.post("/$process-message", sent, **bars_headers()).status_code == 200
    work(house)
    changes, status = MESSAGES[what]
    tree = response(house, str(the_referral(house).id), letter(**changes))
    first, again = (post(house, tree) for _ in range(2))
    assert (first.status_code, again.status_code) == (status, status), first.get_data(as_text=True)
    told_first, told_again = (
        resource(each.get_json(), "OperationOutcome") if status == 200 else each.get_json()
        for each in (first, again)
    )
    assert told_first["issue"] == told_again["issue"]
