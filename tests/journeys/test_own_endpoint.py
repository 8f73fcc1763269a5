"""Letters to a practice's own FHIR server: a document, once, and no more is claimed than it said."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.errors import (
    DestinationBusyError,
    DestinationRefusedError,
    DirectoryFileError,
    NoReplyError,
)
from gateway.journey.check_ledger import check_ledger
from gateway.journey.gateway import Acknowledgement, Parcel
from gateway.journey.reconcile import reconcile
from gateway.referral.directory import Transport
from gateway.referral.identifiers import NHS_NUMBER_SYSTEM, DeliveryId
from gateway.referral.letter import Letter, LetterState, state_of
from gateway.referral.outcome import Standing
from gateway.store import deliveries, letters
from tests.builders.evidence import entries, work
from tests.builders.house import FakeDestination, House
from tests.builders.messages import NHS_NUMBER, PRACTICE
from tests.builders.own_endpoint import (
    OWN_SERVER,
    brought_to_practice,
    document_in,
    resources,
    text_in,
    with_own_server,
    without_letters,
)
from tests.builders.pharmacy import consultation, pharmacy_says, to_pharmacy
from tests.builders.returning import (
    CODED,
    LETTER_SYSTEM,
    brought,
    report,
    say,
    takes_documents,
    with_letters,
)


@dataclass
class Attempts:
    """A destination that notes what each attempt sent, also where it failed."""

    behind: FakeDestination
    bodies: list[bytes] = field(default_factory=list)

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        self.bodies.append(parcel.body)
        return self.behind.send(parcel, deadline=deadline)


def is_sound(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == () and all(
        each.ok for each in check_ledger(house.gateway, lambda _rows: None)
    )


def stands(house: House, letter_id: DeliveryId) -> tuple[Letter, LetterState]:
    with house.gateway.store.reading() as view:
        letter = letters.get(view, letter_id)
        (delivery,) = deliveries.of_ids(view, [letter_id])
    return letter, state_of(letter, delivery)


def reminders(house: House) -> list[tuple[str, str]]:
    return [(each["code"], each["owner"]) for each in entries(house, "reminder.opened")]


def test_a_letter_goes_to_the_practices_own_server_as_a_document(house: House) -> None:
    with_own_server(house)
    _, task = brought(house)
    assert say(house, task, **report()).status_code == 200
    work(house)
    (parcel,) = brought_to_practice(house)
    assert (parcel.control, parcel.media_type) == (None, "application/fhir+json")
    assert {each["resource"]["resourceType"] for each in json.loads(parcel.body)["entry"]} == {
        "DocumentReference",
        "Binary",
    }
    document = document_in(parcel.body)
    assert (document["status"], document["docStatus"]) == ("current", "final")
    assert document["subject"]["identifier"] == {"system": NHS_NUMBER_SYSTEM, "value": NHS_NUMBER}
    assert "Rest breaks each hour." in text_in(parcel.body)
    (queued,) = entries(house, "letter.queued")
    assert (queued["route"], queued["recipient"]) == ("document", PRACTICE)
    assert entries(house, "writeback.fallback") == []
    assert reminders(house) == []
    assert is_sound(house)


def test_what_the_server_took_is_claimed_as_that_and_no_answer_is_awaited(house: House) -> None:
    with_own_server(house)
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    letter, state = stands(house, brought_to_practice(house)[0].delivery.id)
    assert state is LetterState.COLLECTED
    assert (letter.infrastructure, letter.business, letter.answer_due) == (None, None, None)
    (done,) = entries(house, "writeback.done")
    assert (done["route"], done["payload_sha256"]) == ("document", letter.payload_sha256)
    shown = house.get(f"/Task/{letter.id}").get_json()
    assert (shown["status"], shown["businessStatus"]["coding"][0]["code"]) == (
        "received",
        "collected",
    )
    house.clock.move(days=10)
    work(house)
    assert "LETTER_UNANSWERED" not in [code for code, _ in reminders(house)]


def test_codes_arrive_as_words_with_the_reason_and_never_as_codes(house: House) -> None:
    with_own_server(house)
    _, task = brought(house)
    assert say(house, task, **report(CODED)).status_code == 202
    work(house)
    (parcel,) = brought_to_practice(house)
    assert b"271649006" not in parcel.body
    assert resources(parcel.body, "Observation") == []
    assert "The codes in it are not entered; it is sent as text." in text_in(parcel.body)
    assert is_sound(house)


def test_a_pharmacys_codes_stay_here_where_gp_connect_does_not_reach(house: House) -> None:
    with_own_server(house)
    own = to_pharmacy(house)
    returned = pharmacy_says(house, consultation(own))
    assert returned.outcome.standing is Standing.SENT_ON
    work(house)
    (parcel,) = brought_to_practice(house)
    assert resources(parcel.body, "Observation") == []
    assert [each["route"] for each in entries(house, "letter.queued")] == ["document"]
    (refused,) = entries(house, "writeback.refused")
    assert (refused["route"], refused["code"]) == ("update-record", "NO_WORKFLOW_FOR_CODES")
    assert is_sound(house)


def test_each_attempt_sends_the_same_bytes_which_ask_for_one_document(house: House) -> None:
    with_own_server(house)
    _, task = brought(house)
    say(house, task, **report(CODED))
    tried = Attempts(house.destination)
    destinations: Any = house.gateway.destinations
    destinations[Transport.FHIR_REST] = tried
    house.destination.failures += [NoReplyError("silence"), DestinationBusyError("no", status=503)]
    for _ in range(3):
        work(house)
        house.clock.move(minutes=5)
    assert len(tried.bodies) == 3
    assert len(set(tried.bodies)) == 1
    entry = json.loads(tried.bodies[0])["entry"][0]
    own = entry["resource"]["identifier"][0]
    assert entry["request"]["ifNoneExist"] == f"identifier={own['system']}|{own['value']}"
    assert NHS_NUMBER not in entry["request"]["ifNoneExist"]
    assert len(brought_to_practice(house)) == 1
    assert is_sound(house)


def test_a_later_letter_says_which_document_it_replaces(house: House) -> None:
    with_own_server(house)
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    say(house, task, **report(named="L-2", replaces="L-1"))
    work(house)
    first, second = (document_in(each.body) for each in brought_to_practice(house))
    assert "relatesTo" not in first
    assert second["relatesTo"] == [
        {
            "code": "replaces",
            "target": {"type": "DocumentReference", "identifier": first["identifier"][0]},
        }
    ]
    assert LETTER_SYSTEM not in json.dumps(second)
    assert is_sound(house)


def test_a_document_that_the_server_refuses_is_for_a_person(house: House) -> None:
    with_own_server(house)
    _, task = brought(house)
    say(house, task, **report())
    house.destination.failures.append(DestinationRefusedError("no", status=422))
    work(house)
    (queued,) = entries(house, "letter.queued")
    letter, state = stands(house, queued["delivery"])
    assert (letter.returned, state) == ("422", LetterState.CAME_BACK)
    assert reminders(house) == [("BY_HAND", "operator")]
    (fallback,) = entries(house, "writeback.fallback")
    assert (fallback["route"], fallback["code"]) == ("letter", "REFUSED_BY_RECIPIENT.422")
    work(house)
    assert brought_to_practice(house) == []
    assert is_sound(house)


def test_a_server_that_stays_out_is_tried_until_time_is_up_and_a_person_is_told(
    house: House,
) -> None:
    with_own_server(house)
    _, task = brought(house)
    say(house, task, **report())
    house.destination.failures += [DestinationBusyError("no", status=503)] * 400
    for _ in range(200):
        house.clock.move(hours=1)
        work(house)
    (queued,) = entries(house, "letter.queued")
    _, state = stands(house, queued["delivery"])
    assert state is LetterState.NOT_SENT
    assert ("LETTER_NOT_BROUGHT", "operator") in reminders(house)
    assert is_sound(house)


def test_a_letter_that_waits_goes_where_the_practice_takes_letters_now(house: House) -> None:
    with_own_server(house)
    _, task = brought(house)
    say(house, task, **report())
    mesh = with_letters(house)
    work(house)
    assert brought_to_practice(house) == []
    assert len(mesh.sent) == 1
    assert len(entries(house, "letter.queued")) == 2
    assert is_sound(house)


def test_a_letter_that_waits_does_not_go_to_a_server_that_the_practice_left(house: House) -> None:
    with_own_server(house)
    _, task = brought(house)
    say(house, task, **report())
    other = {
        "id": "new-fhir", "transport": "fhir-rest", "address": "https://new.example/fhir"
    }  # fmt: skip
    practices = [each | {"letters": "new-fhir"} for each in takes_documents(house)]
    house.apply(endpoints=[*house.directory["endpoints"], other], practices=practices)
    work(house)
    assert brought_to_practice(house) == []
    assert [e.endpoint.id for e in house.destination.received if e.endpoint.id == "new-fhir"]
    assert [each["code"] for each in entries(house, "delivery.refused")] == ["ENDPOINT_CHANGED"]
    assert is_sound(house)


def test_where_the_practice_has_no_endpoint_any_more_a_person_brings_it(house: House) -> None:
    with_own_server(house)
    _, task = brought(house)
    say(house, task, **report())
    house.apply(practices=without_letters(house))
    work(house)
    assert brought_to_practice(house) == []
    assert reminders(house) == [("BY_HAND", "operator")]
    assert is_sound(house)


@pytest.mark.parametrize(
    ("letters_to", "word"),
    [
        ({"id": OWN_SERVER, "transport": "https", "address": "https://x.example"}, "own FHIR"),
        ({"id": "oh", "transport": "fhir-rest", "address": "https://oh.example/fhir"}, "service oh-assessment"),
    ],
)  # fmt: skip
def test_an_endpoint_that_takes_no_letters_is_refused(
    house: House, letters_to: dict[str, Any], word: str
) -> None:
    others = [each for each in house.directory["endpoints"] if each["id"] != letters_to["id"]]
    practices = [each | {"letters": letters_to["id"]} for each in house.directory["practices"]]
    with pytest.raises(DirectoryFileError, match=word):
        house.apply(endpoints=[*others, letters_to], practices=practices)
