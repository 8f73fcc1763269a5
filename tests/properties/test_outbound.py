"""Whatever an outcome looks like: no bytes for a practice hold a code that the table forbids.

Each made-up outcome goes the way of a real one: what it holds is judged, the guard rules, the
message is written. Then a reader that knows the standard and nothing of the gateway looks at the
bytes. What may leave is told from how the outcome was made, by a second reading of the table.
"""

import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample

from gateway.errors import MessageError
from gateway.journey.onward import service_code
from gateway.mapping.compose_letter import Envelope, compose
from gateway.mapping.itk3 import PracticeMessage
from gateway.mapping.practice_document import write_document
from gateway.mapping.readable_content import can_be_read
from gateway.referral.directory import Endpoint, Practice, Provider, ProviderRole, Transport
from gateway.referral.identifiers import (
    ClientId,
    DecisionId,
    DeliveryId,
    EndpointId,
    OdsCode,
    OutcomeId,
    ReferralId,
)
from gateway.referral.letter import Letter
from gateway.referral.outcome import Outcome, OutcomeKind, Standing
from gateway.writeback.allowed import SenderCategory
from gateway.writeback.attachments import Bearing
from gateway.writeback.content import Content, classify
from gateway.writeback.guard import rule
from gateway.writeback.interactions import DocumentVersion, Interaction, permit
from gateway.writeback.learned import Position, Source, state_at
from gateway.writeback.proposal import (
    Objection,
    Proposal,
    RuleAnswer,
    RuleEffect,
    strictest,
)
from gateway.writeback.ruling import RecipientType, Route, Ruling
from tests.builders.itk3 import sent_record
from tests.builders.rows import a_referral
from tests.properties.outbound_cases import (
    NOW,
    PRACTICE,
    SENDER,
    Case,
    Most,
    allowed,
    cases,
    open_case,
)
from tests.properties.outbound_reader import read_for_server, read_outbound

LETTER = DeliveryId("88888888-8888-4888-8888-888888888888")
PERMIT = RuleAnswer(RuleEffect.PERMIT, "PERMITTED")
DENY = RuleAnswer(RuleEffect.DENY, "NOT_TAKEN")
PEOPLE = {
    "resourceType": "ServiceRequest",
    "contained": [
        next(
            each["resource"] | {"id": "patient"}
            for each in sent_record()["entry"]
            if each["resource"]["resourceType"] == "Patient"
        )
    ],
}


def as_said(case: Case) -> Position:
    return state_at(case.said, case.sender, NOW).value


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The pieces that a letter goes through; a test puts a broken one in the place of one."""

    look: Callable[[Any, OdsCode], Content] = classify
    guard: Callable[[Proposal], Ruling] = rule
    stand: Callable[[Case], Position] = as_said
    write: Callable[..., Any] = compose
    write_for_server: Callable[..., bytes] = write_document


def rulings(case: Case, gateway: Gateway) -> list[Ruling]:
    """Rule on an outcome, and then on what stands in for codes that cannot be written."""
    content = gateway.look(case.tree, PRACTICE)
    is_refused = any(each.bearing is Bearing.REFUSE for each in content.faults)
    if content.payload is None or is_refused:
        return []
    return [
        gateway.guard(proposed(case, content, gateway, answer))
        for answer in (case.write_back if case.has_workflow else DENY, DENY)
    ]


def sent(case: Case, gateway: Gateway = Gateway()) -> list[bytes]:
    """Bring one outcome on, as the walk does; return the bytes that leave."""
    for ruling in rulings(case, gateway):
        if ruling.route is Route.NONE:
            return []
        if ruling.route is Route.FALLBACK:
            return for_server(case, gateway, ruling)
        is_codes = ruling.route is Route.UPDATE_RECORD
        interaction = Interaction.UPDATE_RECORD if is_codes else case.interaction
        leave = permit(ruling, interaction, DocumentVersion(identifier=LETTER))
        try:
            message = gateway.write(
                envelope(ruling, interaction),
                outcome=case.tree,
                referral=PEOPLE,
                permitted=leave,
            )
        except MessageError:
            continue  # what cannot be written as codes goes as a document
        return [message.body]
    return []


def for_server(case: Case, gateway: Gateway, ruling: Ruling) -> list[bytes]:
    """Write what a practice without GP Connect has on its own FHIR server."""
    leave = permit(ruling, Interaction.FHIR_DOCUMENT, DocumentVersion(identifier=LETTER))
    try:
        body = gateway.write_for_server(
            envelope(ruling, Interaction.FHIR_DOCUMENT),
            outcome=case.tree,
            referral=PEOPLE,
            permitted=leave,
        )
    except MessageError:
        return []
    return [body]


def proposed(case: Case, content: Content, gateway: Gateway, write_back: RuleAnswer) -> Proposal:
    marked = Objection.WITHHOLD if content.has_withheld_mark else Objection.NONE
    return Proposal(
        objection=strictest([case.objection, marked]),
        payload=content.payload,  # type: ignore[arg-type]
        sender=case.sender,
        service=service_code(case.tree),
        switch=gateway.stand(case),
        has_agreement=case.has_agreement,
        is_employer_facing=case.is_employer_facing,
        is_routine=True,
        is_readable=content.is_readable or can_be_read(case.tree),
        is_strict=case.is_strict,
        has_workflow=case.has_workflow,
        write_back=write_back,
        write_document=case.write_document,
    )


def envelope(ruling: Ruling, interaction: Interaction) -> Envelope:
    outcome = OutcomeId("55555555-5555-4555-8555-555555555555")
    return Envelope(
        letter=Letter(
            id=LETTER, outcome=outcome, interaction=interaction,
            recipient_type=ruling.recipient_type or RecipientType.FI, row=ruling.row,
            decision=DecisionId("66666666-6666-4666-8666-666666666666"),
        ),
        outcome=Outcome(
            id=outcome, referral=ReferralId("33333333-3333-4333-8333-333333333333"), seq=1,
            delivery=LETTER, provider=SENDER, kind=OutcomeKind.REPORT, closes=False,
            reason_system=None, reason=None, door="rest", client=ClientId("rx-one"),
            body_sha256="0" * 64, said_at=None, received_at=NOW, standing=Standing.NOTED,
        ),
        referral=a_referral(),
        practice=Practice(ods=PRACTICE, name="Brook Surgery", commissioner=None, switches={}),
        provider=Provider(
            ods=SENDER, name="Able Pharmacy", role=ProviderRole.COMMUNITY_PHARMACY,
            assured_until=None,
        ),
        endpoint=Endpoint(
            id=EndpointId("gp-connect"), transport=Transport.MESH, address="https://mesh.example",
            ca_file=None, parameters={"mailbox": "GATEWAY01", "telephone": "0113 496 0001"},
        ),
        gateway=OdsCode("XGW01"),
        why_no_codes=ruling.text_outside if ruling.keeps_coded else None,
    )  # fmt: skip


def breaches(case: Case, gateway: Gateway = Gateway()) -> list[str]:
    """Say what of the bytes that leave the table forbids."""
    most = allowed(case)
    found: list[str] = []
    for body in sent(case, gateway):
        reading = (read_for_server if body.startswith(b"{") else read_outbound)(body)
        found += reading.findings
        if most is Most.NOTHING:
            found.append("something leaves, and nothing may")
        if reading.is_record and most is not Most.CODES:
            found.append("codes leave, and none may")
        if not reading.entered <= codes_of(case.tree) and reading.is_record:
            found.append("codes leave that nobody sent")
    return found


def codes_of(node: Any) -> set[str]:
    """Collect whatever stands under `code` in what was sent."""
    if isinstance(node, list):
        return set().union(*(codes_of(each) for each in node))
    if not isinstance(node, dict):
        return set()
    own = {node["code"]} if isinstance(node.get("code"), str) else set()
    return own.union(*(codes_of(each) for each in node.values()))


QUICK = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(case=cases())
def test_no_message_to_a_practice_holds_a_code_that_the_table_forbids(case: Case) -> None:
    assert breaches(case) == []


@pytest.mark.soak
def test_no_message_holds_one_however_long_one_looks(soak_time: timedelta) -> None:
    """Few at once, with a seed of their own each time."""
    last, number = time.monotonic() + soak_time.total_seconds(), 0
    while time.monotonic() < last:
        assert found_by(Gateway(), seed=number, most=500) is None
        number += 1


def found_by(gateway: Gateway, *, seed: int = 0, most: int = 1500) -> Case | None:
    """Look for an outcome of which this gateway sends what the table forbids."""
    looking = settings(
        max_examples=most,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    try:
        return find(
            cases(),
            lambda case: is_other(case, gateway) and bool(breaches(case, gateway)),
            settings=looking,
            random=random.Random(seed),  # noqa: S311  # the same outcomes each time
        )
    except NoSuchExample:
        return None


def is_other(case: Case, gateway: Gateway) -> bool:
    """Whether it is worth writing: a broken guard shows where it rules otherwise."""
    whole = Gateway()
    wrote = (gateway.write, gateway.write_for_server)
    writes_otherwise = gateway == whole or wrote != (whole.write, whole.write_for_server)
    return writes_otherwise or rulings(case, gateway) != rulings(case, whole)


def takes_codes_of_anyone(proposal: Proposal) -> Ruling:
    return rule(replace(proposal, sender=SenderCategory.COMMUNITY_PHARMACY))


def asks_no_sharing_rule(proposal: Proposal) -> Ruling:
    return rule(replace(proposal, write_back=PERMIT, write_document=PERMIT))


def takes_unknown_for_on(case: Case) -> Position:
    stands = state_at(case.said, case.sender, NOW).value
    return Position.ON if stands is Position.UNKNOWN else stands


def remembers_no_answer(case: Case) -> Position:
    """Ask what the practice said, and forget what was found out."""
    said = [each for each in case.said if each.source is Source.PRACTICE]
    return state_at(said, case.sender, NOW).value


def sees_no_mark(tree: Any, practice: OdsCode) -> Content:
    return replace(classify(tree, practice), has_withheld_mark=False)


def looks_at_no_file(tree: Any, practice: OdsCode) -> Content:
    return replace(classify(tree, practice), faults=())


def adds_what_it_read(envelope: Envelope, **more: Any) -> PracticeMessage:
    """Write the document, and what it was made of behind it."""
    message = compose(envelope, **more)
    entry = b"<entry><resource><Observation><code/></Observation></resource></entry>"
    body = message.body.rpartition(b"</Bundle>")[0] + entry + b"</Bundle>"
    return replace(message, body=body)


def adds_what_it_read_for_a_server(envelope: Envelope, **more: Any) -> bytes:
    tree = json.loads(write_document(envelope, **more))
    tree["entry"].append({"resource": {"resourceType": "Observation", "status": "final"}})
    return json.dumps(tree).encode()


def codes_what_it_says_to_a_server(envelope: Envelope, **more: Any) -> bytes:
    tree = json.loads(write_document(envelope, **more))
    coded = {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}]}
    tree["entry"][0]["resource"]["context"]["event"] = [coded]
    return json.dumps(tree).encode()


def names_codes_in_titles(envelope: Envelope, **more: Any) -> PracticeMessage:
    message = compose(envelope, **more)
    body = re.sub(rb'<title value="[^"]*"', b'<title value="38341003"', message.body)
    return replace(message, body=body)


BROKEN = {
    "codes of anyone": Gateway(guard=takes_codes_of_anyone),
    "no sharing rule is asked": Gateway(guard=asks_no_sharing_rule),
    "no row for the person's wish": Gateway(
        guard=lambda proposal: rule(
            replace(proposal, objection=Objection.NONE)
            if proposal.objection is Objection.WITHHOLD
            else proposal
        )
    ),
    "no row for a sensitive record": Gateway(
        guard=lambda proposal: rule(
            replace(proposal, objection=Objection.NONE)
            if proposal.objection is Objection.SENSITIVE
            else proposal
        )
    ),
    "no sharing agreement is asked for": Gateway(
        guard=lambda proposal: rule(replace(proposal, has_agreement=True))
    ),
    "unknown is on": Gateway(stand=takes_unknown_for_on),
    "an answer is forgotten": Gateway(stand=remembers_no_answer),
    "marks are not seen": Gateway(look=sees_no_mark),
    "files are not looked at": Gateway(look=looks_at_no_file),
    "an entry behind the document": Gateway(write=adds_what_it_read),
    "an entry for a server": Gateway(write_for_server=adds_what_it_read_for_a_server),
    "a coded event for a server": Gateway(write_for_server=codes_what_it_says_to_a_server),
    "a code for a title": Gateway(write=names_codes_in_titles),
}


@pytest.mark.parametrize("gateway", BROKEN.values(), ids=BROKEN)
def test_a_gateway_that_is_broken_in_any_one_way_is_noticed(gateway: Gateway) -> None:
    assert found_by(gateway) is not None


@pytest.mark.parametrize(
    ("sender", "is_record", "wanted"),
    [
        (SenderCategory.COMMUNITY_PHARMACY, True, Most.CODES),
        (SenderCategory.COMMUNITY_PHARMACY, False, Most.DOCUMENT),
        (SenderCategory.OH_PROVIDER, True, Most.DOCUMENT),
        (SenderCategory.HEALTH_AND_WORK, True, Most.DOCUMENT),
    ],
)
def test_what_the_table_lets_through_leaves(
    sender: SenderCategory, *, is_record: bool, wanted: Most
) -> None:
    case = open_case(sender, is_record=is_record)
    assert allowed(case) is wanted
    (body,) = sent(case)
    assert read_outbound(body).is_record is (wanted is Most.CODES)
