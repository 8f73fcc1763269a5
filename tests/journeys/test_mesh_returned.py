"""What comes back to our MESH mailbox: believed where it may speak, once, and never lost."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.errors import NoReplyError, Phase
from gateway.journey.claim import claim_due
from gateway.journey.gateway import Acknowledgement, Parcel
from gateway.journey.outbox import named
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.journey.returned import (
    Fate,
    Post,
    mailboxes,
    not_yet_collected,
    note_collected,
    take_in,
)
from gateway.ledger.entry import DeliveryRefused
from gateway.referral.directory import Transport
from gateway.referral.identifiers import EndpointId
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, Reached, ReferralState
from gateway.referral.model import Delivery
from gateway.store import deliveries
from tests.builders.evidence import (
    entries,
    id_in,
    kinds,
    take_back,
    the_delivery,
    the_referral,
    work,
)
from tests.builders.house import House
from tests.builders.messages import service_request

RECIPIENT, WORKFLOW = "OHPROV1", "REFERRAL"


@dataclass
class FakeMesh:
    """A MESH that takes everything, under a new name each time."""

    taken: list[Parcel] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(parcel)
        return Acknowledgement(status=202, receipt=f"MESH{len(self.taken)}")


@pytest.fixture
def mesh() -> FakeMesh:
    return FakeMesh()


@pytest.fixture
def posted(house: House, mesh: FakeMesh) -> House:
    """A house whose OH provider is reached by MESH, with one referral that waits."""
    parameters = {
        "recipient": RECIPIENT, "workflow": WORKFLOW, "mailbox": "GATEWAY1",
        "password_file": "password", "shared_key_file": "shared-key",
    }  # fmt: skip
    oh = {
        "id": "oh", "transport": "mesh", "format": "fhir-transaction",
        "address": "https://mesh.example", "parameters": parameters,
    }  # fmt: skip
    house.apply(endpoints=[oh, *house.directory["endpoints"][1:]])
    house.gateway = replace(house.gateway, destinations={Transport.MESH: mesh})
    assert house.post("/ServiceRequest", service_request()).status_code == 201
    return house


@pytest.fixture
def accepted(posted: House) -> House:
    """The referral is in MESH's hands."""
    assert work(posted) == 1
    return posted


def post(**said: Any) -> Post:
    base: dict[str, Any] = {
        "id": "IN1", "is_report": False, "sender": RECIPIENT, "workflow": f"{WORKFLOW}_ACK",
        "linked": None, "local_id": None, "code": None,
    }  # fmt: skip
    return Post(**(base | said))


def report(linked: str | None = "MESH1", **said: Any) -> Post:
    return post(
        **{"is_report": True, "sender": None, "linked": linked, "code": "14", "workflow": WORKFLOW}
        | said
    )


def answer(about: str, code: str = "ok", itk: str = "", **said: Any) -> Post:
    coding = {"system": "https://fhir.nhs.uk/STU3/CodeSystem/ITK-ResponseCodes-1", "code": itk}
    resources = [
        {"resourceType": "MessageHeader", "response": {"identifier": about, "code": code}},
        {"resourceType": "OperationOutcome", "issue": [{"details": {"coding": [coding]}}]},
    ]
    entry = [{"resource": each} for each in resources[: 2 if itk else 1]]
    return post(body=json.dumps({"resourceType": "Bundle", "entry": entry}).encode(), **said)


def take(house: House, given: Post) -> Fate:
    (endpoints,) = mailboxes(house.gateway)
    return take_in(given, endpoints, house.gateway).fate


def deliveries_of(house: House) -> dict[DeliveryKind, Delivery]:
    with house.gateway.store.reading(as_one_moment=True) as view:
        (found,) = deliveries.by_referral(view).values()
    return {each.kind: each for each in found}


def in_order(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == ()


def test_what_mesh_took_is_delivered_and_known_by_the_name_that_it_has_there(
    accepted: House,
) -> None:
    sent = the_delivery(accepted)
    assert (sent.state, sent.receipt) == (DeliveryState.DELIVERED, "MESH1")
    assert sent.reached is Reached.ACCEPTED
    assert entries(accepted, "delivery.delivered")[0]["status"] == 202
    assert in_order(accepted)


@pytest.mark.parametrize("by", ["receipt", "local id", "local id in capitals"])
def test_what_mesh_could_not_bring_is_refused_and_held_for_the_operator(
    accepted: House, by: str
) -> None:
    name = the_delivery(accepted).id
    local_id = name.upper() if "capitals" in by else name
    given = report() if by == "receipt" else report(linked=None, local_id=local_id)
    assert take(accepted, given) is Fate.ON_RECORD
    back, referral = the_delivery(accepted), the_referral(accepted)
    assert (back.state, back.reason) == (DeliveryState.REFUSED, "RETURNED_BY_MESH.14")
    assert back.reached is None
    assert referral.state is ReferralState.HELD
    assert referral.hold is not None
    assert (referral.hold.code, referral.hold.owner) == ("RETURNED_BY_MESH.14", "operator")
    said = entries(accepted, "delivery.refused")[0]
    assert (said["actor"], said["code"], said["phase"]) == ("mesh", back.reason, "refused")
    assert (said["decision"], said["attempt"]) == (None, 1)
    assert kinds(accepted)[-2:] == ["delivery.refused", "hold.opened"]
    assert in_order(accepted)


@pytest.mark.parametrize(
    ("code", "kept"),
    [("EPL-151", "EPL-151"), (None, "UNSPECIFIED"), ("Avery is ill", "UNSPECIFIED")],
)
def test_a_code_is_kept_where_it_is_one(accepted: House, code: str | None, kept: str) -> None:
    take(accepted, report(code=code))
    assert the_delivery(accepted).reason == f"RETURNED_BY_MESH.{kept}"


@pytest.mark.parametrize(
    "given",
    [report(), answer("MESH1"), answer("MESH1", "fatal-error")],
    ids=["report", "yes", "no"],
)
def test_the_same_message_a_second_time_changes_nothing(accepted: House, given: Post) -> None:
    assert take(accepted, given) is Fate.ON_RECORD
    before = (entries(accepted), the_delivery(accepted), the_referral(accepted))
    assert take(accepted, given) is Fate.ON_RECORD
    assert (entries(accepted), the_delivery(accepted), the_referral(accepted)) == before


def test_one_that_came_back_may_be_sent_again_and_the_old_report_means_nothing_then(
    accepted: House, mesh: FakeMesh
) -> None:
    local_id = the_delivery(accepted).id
    take(accepted, report(local_id=local_id))
    replay_referral(the_referral(accepted).reference, accepted.gateway)
    assert in_order(accepted)
    assert work(accepted) == 1
    assert [p.delivery.id for p in mesh.taken] == [local_id, local_id]
    for _ in range(2):
        assert take(accepted, report(local_id=local_id)) is Fate.ON_RECORD
        again = the_delivery(accepted)
        assert (again.state, again.receipt) == (DeliveryState.DELIVERED, "MESH2")
    assert in_order(accepted)
    assert take(accepted, report("MESH2", local_id=local_id)) is Fate.ON_RECORD
    assert the_delivery(accepted).state is DeliveryState.REFUSED
    assert in_order(accepted)


NOT_BELIEVED = {
    "a-report-with-a-sender": report(sender=RECIPIENT),
    "a-report-about-nothing": report(linked=None),
    "a-report-about-another": report("MESH9"),
    "a-report-about-no-name-of-ours": report(linked=None, local_id="'; DROP TABLE delivery"),
    "an-answer-of-a-stranger": answer("MESH1", sender="STRANGER1"),
    "an-answer-of-nobody": answer("MESH1", sender=None),
    "an-answer-in-another-workflow": answer("MESH1", workflow=WORKFLOW),
    "an-answer-about-another": answer("MESH9"),
    "no-answer": post(body=b"{}"),
    "nothing": post(body=b""),
    "a-refusal-of-a-stranger": answer("MESH1", "fatal-error", sender="STRANGER1"),
}


@pytest.mark.parametrize("defect", NOT_BELIEVED)
def test_what_may_not_speak_is_not_believed_and_not_acknowledged(
    accepted: House, defect: str
) -> None:
    before = (entries(accepted), the_delivery(accepted))
    assert take(accepted, NOT_BELIEVED[defect]) is Fate.NOT_UNDERSTOOD
    assert (entries(accepted), the_delivery(accepted)) == before


def test_a_report_in_another_mailbox_than_the_deliverys_is_not_believed(accepted: House) -> None:
    ((endpoint,),) = mailboxes(accepted.gateway)
    another = replace(endpoint, id=EndpointId("another"))
    for given in (report(), answer("MESH1")):
        assert take_in(given, [another], accepted.gateway).fate is Fate.NOT_UNDERSTOOD
        assert take_in(given, [], accepted.gateway).fate is Fate.NOT_UNDERSTOOD
    assert the_delivery(accepted).state is DeliveryState.DELIVERED


@pytest.mark.parametrize(
    ("code", "faults"),
    [("RETURNED_BY_MESH.14", 0), ("REFUSED_BY_RECIPIENT.30002", 0), ("REFUSED", 1)],
)
def test_what_was_delivered_is_refused_for_one_of_two_reasons_only(
    accepted: House, code: str, faults: int
) -> None:
    delivered, referral = the_delivery(accepted), the_referral(accepted)
    refused = replace(delivered, state=DeliveryState.REFUSED, reason=code)
    with accepted.gateway.store.transaction(accepted.clock()) as tx:
        deliveries.change(tx, delivered, refused)
        tx.record(
            DeliveryRefused(
                **named(delivered, referral, actor="mesh"), decision=None, attempt=1,
                phase=Phase.REFUSED, code=code,
            )
        )  # fmt: skip
    texts = [each.text for each in reconcile(accepted.gateway).discrepancies]
    told = f"delivery {delivered.id} goes on in the ledger after its end, and nobody ordered it"
    assert texts.count(told) == faults


@pytest.mark.parametrize("kind", ["report", "answer"])
def test_a_message_about_an_attempt_that_has_not_ended_waits(posted: House, kind: str) -> None:
    name = the_delivery(posted).id
    given = report(linked=None, local_id=name) if kind == "report" else answer(name)
    assert take(posted, given) is Fate.LATER  # it is queued
    claim_due("worker", posted.gateway)
    assert take(posted, given) is Fate.LATER  # it is in flight
    assert kinds(posted)[-1] == "delivery.queued"


def test_a_lost_answer_waits_for_its_next_attempt(posted: House, mesh: FakeMesh) -> None:
    mesh.failures.append(NoReplyError("gone"))
    work(posted)
    name = the_delivery(posted).id
    assert take(posted, answer(name)) is Fate.LATER
    posted.clock.move(hours=1)
    work(posted)
    assert mesh.taken[0].delivery.may_have_arrived  # so that MESH is asked first
    assert take(posted, answer(name)) is Fate.ON_RECORD
    assert the_delivery(posted).reached is Reached.CONFIRMED


@pytest.mark.parametrize(
    ("itk", "reached"),
    [("20013", Reached.READ), ("30001", Reached.CONFIRMED), ("", Reached.CONFIRMED)],
)
def test_an_answer_of_the_recipient_is_noted(accepted: House, itk: str, reached: Reached) -> None:
    before = entries(accepted)
    assert take(accepted, answer(the_delivery(accepted).id, itk=itk)) is Fate.ON_RECORD
    noted = the_delivery(accepted)
    assert (noted.state, noted.reached) == (DeliveryState.DELIVERED, reached)
    assert the_referral(accepted).state is ReferralState.DELIVERED
    assert entries(accepted) == before
    assert in_order(accepted)


def test_an_answer_that_names_it_by_our_local_id_counts_too(accepted: House) -> None:
    name = the_delivery(accepted).id
    assert take(accepted, answer("their-own-name", local_id=name)) is Fate.ON_RECORD
    assert the_delivery(accepted).reached is Reached.CONFIRMED


def test_a_recipient_is_known_however_its_mailbox_is_spelt(accepted: House) -> None:
    assert take(accepted, answer("MESH1", sender=RECIPIENT.lower())) is Fate.ON_RECORD


def test_what_is_known_already_is_not_taken_back(accepted: House) -> None:
    take(accepted, answer("MESH1", itk="30001"))
    take(accepted, answer("MESH1", itk="20013"))
    note_collected(the_delivery(accepted), accepted.gateway)
    assert the_delivery(accepted).reached is Reached.CONFIRMED


@pytest.mark.parametrize(
    ("code", "itk", "kept"),
    [("fatal-error", "30002", "30002"), ("transient-error", "", "transient-error")],
)
def test_an_answer_that_says_no_is_a_refusal_and_held(
    accepted: House, code: str, itk: str, kept: str
) -> None:
    take(accepted, answer("MESH1", "ok", "20013"))
    assert take(accepted, answer("MESH1", code, itk)) is Fate.ON_RECORD
    assert the_delivery(accepted).reason == f"REFUSED_BY_RECIPIENT.{kept}"
    assert the_referral(accepted).state is ReferralState.HELD
    assert in_order(accepted)


def test_what_the_recipient_collected_is_noted_once(accepted: House) -> None:
    (endpoints,) = mailboxes(accepted.gateway)

    def waiting(after: str = "") -> list[Delivery]:
        return not_yet_collected(accepted.gateway, endpoints, after=after, most=9)

    (only,) = waiting()
    assert waiting(only.id) == []
    assert not_yet_collected(accepted.gateway, [], after="", most=9) == []
    note_collected(only, accepted.gateway)
    assert the_delivery(accepted).reached is Reached.COLLECTED
    assert waiting() == []
    assert in_order(accepted)


def test_what_came_back_meanwhile_is_not_noted_as_collected(accepted: House) -> None:
    seen = the_delivery(accepted)
    take(accepted, report())
    note_collected(seen, accepted.gateway)
    assert the_delivery(accepted).reached is None
    replay_referral(the_referral(accepted).reference, accepted.gateway)
    work(accepted)
    note_collected(seen, accepted.gateway)
    assert the_delivery(accepted).reached is Reached.ACCEPTED  # it was the one before


@pytest.fixture
def recalling(accepted: House) -> House:
    """Its sender took it back; word of that waits."""
    referral_id = id_in(f"/ServiceRequest/{the_referral(accepted).id}")
    assert take_back(accepted, referral_id).status_code == 200
    assert the_referral(accepted).state is ReferralState.RECALLING
    return accepted


def test_one_that_comes_back_while_it_is_being_recalled_leaves_the_recall_alone(
    recalling: House,
) -> None:
    assert take(recalling, report()) is Fate.ON_RECORD
    found = deliveries_of(recalling)
    assert found[DeliveryKind.REFERRAL].state is DeliveryState.REFUSED
    assert found[DeliveryKind.RECALL].state is DeliveryState.QUEUED
    assert the_referral(recalling).state is ReferralState.RECALLING
    assert in_order(recalling)


def test_a_recall_that_comes_back_is_for_a_person(
    recalling: House, caplog: pytest.LogCaptureFixture
) -> None:
    work(recalling)
    recall = deliveries_of(recalling)[DeliveryKind.RECALL]
    assert recall.receipt == "MESH2"
    cause = recall.reason
    assert take(recalling, report("MESH2")) is Fate.ON_RECORD
    back = deliveries_of(recalling)[DeliveryKind.RECALL]
    assert (back.state, back.reason) == (DeliveryState.REFUSED, cause)
    assert entries(recalling, "delivery.refused")[0]["code"] == "RETURNED_BY_MESH.14"
    state = the_referral(recalling).state
    if state is ReferralState.CLOSED:
        assert f"recall {recall.id}" in caplog.text
        assert "Avery" not in caplog.text
    else:
        assert state is ReferralState.HELD
    assert in_order(recalling)


def test_endpoints_of_one_mailbox_are_read_together(accepted: House) -> None:
    oh, *others = accepted.directory["endpoints"]
    second = oh | {"id": "oh-two", "parameters": oh["parameters"] | {"recipient": "OHPROV2"}}
    third = oh | {"id": "oh-three", "parameters": oh["parameters"] | {"mailbox": "GATEWAY2"}}
    accepted.apply(endpoints=[oh, second, third, *others])
    found = [[each.id for each in group] for group in mailboxes(accepted.gateway)]
    assert found == [["oh", "oh-two"], ["oh-three"]]
