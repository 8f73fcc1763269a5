"""What a message says it is, where the front door's own tests do not reach."""

from typing import Any

import pytest

from gateway.errors import InvalidMessageError
from gateway.fhir.bars.answer import synchronous_answer
from gateway.fhir.bars.check import check_message
from gateway.fhir.bars.message import open_message
from gateway.fhir.bars.workflow import Meaning
from gateway.referral.identifiers import DosServiceId
from tests.builders.house import own_profiles
from tests.builders.messages import OH_SERVICE, OTHER_PRACTICE, PRACTICE, bars_message
from tests.builders.rows import a_referral

TARGET = DosServiceId(OH_SERVICE)


def meaning(message: Any) -> Meaning:
    return check_message(open_message(message), TARGET, own_profiles())


def expressions(message: Any) -> list[str | None]:
    with pytest.raises(InvalidMessageError) as refused:
        meaning(message)
    return [fault.expression for fault in refused.value.faults]


def test_a_message_names_its_sender() -> None:
    assert open_message(bars_message()).sender == PRACTICE
    assert open_message(bars_message(sender=OTHER_PRACTICE)).sender == OTHER_PRACTICE


def test_a_sender_without_a_code_is_nobody() -> None:
    message: Any = bars_message()
    message["entry"][0]["resource"]["sender"] = {"display": "A practice"}
    assert open_message(message).sender is None


def test_a_message_without_its_header_is_refused() -> None:
    message: Any = bars_message()
    del message["entry"][0]
    assert expressions(message) == ["Bundle.entry[0].resource"]
    assert expressions(message | {"entry": []}) == ["Bundle.entry[0].resource"]


def test_a_message_without_a_reply_address_is_refused() -> None:
    message: Any = bars_message()
    del message["entry"][0]["resource"]["source"]
    assert expressions(message) == ["Bundle.entry[0].resource.source.endpoint"]


def test_several_locations_are_welcome() -> None:
    # The definition allows one of its own and any number of others.
    message: Any = bars_message()
    for number in range(2):
        message["entry"].append(
            {"fullUrl": f"urn:uuid:place-{number}", "resource": {"resourceType": "Location"}}
        )
    assert meaning(message) is Meaning.NEW_REFERRAL


def test_resources_without_a_full_url_still_get_ids_of_their_own() -> None:
    message: Any = bars_message()
    for number in (-1, -2):
        del message["entry"][number]["fullUrl"]
    answer: Any = synchronous_answer(message, a_referral(), {}, [])
    ids = [e["resource"]["id"] for e in answer["entry"]]
    assert len(set(ids)) == len(ids)


def test_an_answer_without_a_subject_plans_an_encounter_without_one() -> None:
    message: Any = bars_message()
    del message["entry"][1]["resource"]["subject"]
    answer: Any = synchronous_answer(message, a_referral(), {}, [])
    assert "subject" not in answer["entry"][-1]["resource"]
