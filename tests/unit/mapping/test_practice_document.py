"""A document for a practice's own FHIR server: the same bytes, the same words, and no code."""

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import IllegalMoveError, InvalidMessageError, Severity
from gateway.fhir.document_reference import OUTCOME_ID_SYSTEM
from gateway.fhir.json_text import read_json
from gateway.fhir.validate import validate
from gateway.mapping.compose_letter import Envelope
from gateway.mapping.practice_document import name_of, write_document
from gateway.referral.directory import Endpoint, Practice, Provider, ProviderRole, Transport
from gateway.referral.identifiers import (
    REFERENCE_SYSTEM,
    ClientId,
    DecisionId,
    DeliveryId,
    EndpointId,
    OdsCode,
    OutcomeId,
)
from gateway.referral.letter import Letter
from gateway.referral.outcome import Outcome, OutcomeKind, Standing
from gateway.writeback.interactions import DocumentVersion, Interaction, Permitted, permit
from gateway.writeback.ruling import Effect, RecipientType, Route, Ruling
from tests.builders.messages import NHS_NUMBER, PRACTICE, PROVIDER
from tests.builders.outcomes import CANARY, document_reference, person
from tests.builders.own_endpoint import document_in, resources, text_in
from tests.builders.returning import CODED
from tests.builders.rows import AT, a_referral

LETTER = DeliveryId("88888888-8888-4888-8888-888888888888")
EARLIER = DeliveryId("99999999-9999-4999-8999-999999999999")
OUTCOME = OutcomeId("55555555-5555-4555-8555-555555555555")
BEFORE = OutcomeId("44444444-4444-4444-8444-444444444444")
REFERRAL: Any = {"resourceType": "ServiceRequest", "contained": [{"id": "p"} | person()]}
WHY = "The practice has switched coded entries by others off."
PHOTO = b"\xff\xd8\xff\xe0" + b"0" * 20


def an_envelope(*, replaces: DeliveryId | None = None) -> Envelope:
    return Envelope(
        letter=Letter(
            id=LETTER, outcome=OUTCOME, interaction=Interaction.FHIR_DOCUMENT,
            recipient_type=RecipientType.FI, row=7, replaces=replaces,
            number=2 if replaces else 1,
            decision=DecisionId("66666666-6666-4666-8666-666666666666"),
        ),
        outcome=Outcome(
            id=OUTCOME, referral=a_referral().id, seq=1, delivery=EARLIER,
            provider=OdsCode(PROVIDER), kind=OutcomeKind.REPORT, closes=False, reason_system=None,
            reason=None, door="rest", client=ClientId("oh-one"), body_sha256="0" * 64,
            said_at=None, received_at=AT, standing=Standing.NOTED, replaces=BEFORE,
        ),
        referral=a_referral(),
        practice=Practice(
            ods=OdsCode(PRACTICE), name="Brook Surgery", commissioner=None, switches={}
        ),
        provider=Provider(
            ods=OdsCode(PROVIDER), name="Able Health", role=ProviderRole.OH_PROVIDER,
            assured_until=None,
        ),
        endpoint=Endpoint(
            id=EndpointId("surgery"), transport=Transport.FHIR_REST,
            address="https://surgery.example/fhir", ca_file=None,
        ),
        gateway=OdsCode("XGW01"),
        why_no_codes=WHY,
    )  # fmt: skip


def leave(
    interaction: Interaction = Interaction.FHIR_DOCUMENT, letter: DeliveryId = LETTER
) -> Permitted:
    ruling = Ruling(
        row=7, effect=Effect.ALLOW, route=interaction.route, recipient_type=RecipientType.FI,
        code="DOCUMENT_ALLOWED", text_inside="x", text_outside="x",
    )  # fmt: skip
    return permit(ruling, interaction, DocumentVersion(identifier=letter))


def a_letter(*more: Any) -> Any:
    """What a provider sent: a letter with a photograph, and whatever else."""
    photo = {"attachment": {
        "contentType": "image/jpeg", "title": "The chair",
        "data": base64.b64encode(PHOTO).decode(),
    }}  # fmt: skip
    sent: Any = {"id": "letter"} | document_reference()
    sent["content"] = [*sent["content"], photo]
    return {"resourceType": "Task", "status": "completed", "contained": [sent, *more]}


def write(tree: Any, envelope: Envelope | None = None) -> bytes:
    return write_document(
        envelope or an_envelope(), outcome=tree, referral=REFERRAL, permitted=leave()
    )


def test_it_is_a_valid_transaction_of_a_document_and_its_files() -> None:
    body = write(a_letter())
    tree: Any = read_json(body)
    assert [each for each in validate(tree) if each.severity is not Severity.WARNING] == []
    assert (tree["type"], [each["request"]["url"] for each in tree["entry"]]) == (
        "transaction",
        ["DocumentReference", "Binary", "Binary"],
    )
    urls = [each["fullUrl"] for each in tree["entry"]]
    assert urls == [name_of(LETTER, part) for part in ("document", "file/0", "file/1")]
    named = [each["attachment"] for each in document_in(body)["content"]]
    assert [each["url"] for each in named] == urls[1:]
    for attachment, file in zip(named, resources(body, "Binary"), strict=True):
        content = base64.b64decode(file["data"])
        assert attachment["contentType"] == file["contentType"]
        assert attachment["size"] == len(content)
        digest = hashlib.sha1(content, usedforsecurity=False).digest()
        assert base64.b64decode(attachment["hash"]) == digest
        assert file["securityContext"] == {"reference": urls[0]}


def test_files_that_were_sent_go_with_it_as_they_came() -> None:
    pdf, photo = resources(write(a_letter()), "Binary")
    assert base64.b64decode(pdf["data"]).startswith(b"%PDF-")
    assert (photo["contentType"], base64.b64decode(photo["data"])) == ("image/jpeg", PHOTO)


def test_the_bytes_are_the_same_whenever_they_are_written() -> None:
    assert write(a_letter(CODED)) == write(a_letter(CODED))


def test_it_is_created_once_by_an_identifier_that_names_no_person() -> None:
    entry = json.loads(write(a_letter()))["entry"][0]
    own = f"{OUTCOME_ID_SYSTEM}|{OUTCOME}"
    assert entry["request"]["ifNoneExist"] == f"identifier={own}"
    assert entry["resource"]["identifier"] == [{"system": OUTCOME_ID_SYSTEM, "value": OUTCOME}]


def test_another_letter_of_the_same_outcome_asks_for_the_same_document() -> None:
    first = an_envelope()
    other = replace(first, letter=replace(first.letter, id=EARLIER))
    body = write_document(
        other, outcome=a_letter(), referral=REFERRAL, permitted=leave(letter=EARLIER)
    )
    asked = [json.loads(each)["entry"][0] for each in (body, write(a_letter()))]
    assert asked[0]["request"] == asked[1]["request"]
    assert asked[0]["fullUrl"] != asked[1]["fullUrl"]


def test_it_says_where_it_comes_from_and_why_no_codes_were_written() -> None:
    read = text_in(write(a_letter(CODED)))
    for words in (WHY, "Able Health", "Referral gateway (XGW01)", "Rest breaks each hour."):
        assert words in read
    assert "66666666-6666-4666-8666-666666666666" in read.replace(" ", "")


def test_what_the_provider_coded_is_no_resource_and_no_coding() -> None:
    body = write(a_letter(CODED))
    kinds = {each["resource"]["resourceType"] for each in json.loads(body)["entry"]}
    assert kinds == {"DocumentReference", "Binary"}
    assert b"271649006" not in body
    assert [each["code"] for each in document_in(body)["type"]["coding"]] == ["371531000"]


def test_nothing_of_it_points_to_what_only_the_gateway_holds() -> None:
    document = document_in(write(a_letter(), an_envelope(replaces=EARLIER)))
    assert document["subject"]["identifier"]["value"] == NHS_NUMBER
    assert document["context"]["related"][0]["identifier"]["system"] == REFERENCE_SYSTEM
    assert '"reference"' not in json.dumps(document)
    assert {"id", "meta"} & document.keys() == set()


def test_a_document_replaces_the_one_that_was_brought_before() -> None:
    assert "relatesTo" not in document_in(write(a_letter()))
    (relation,) = document_in(write(a_letter(), an_envelope(replaces=EARLIER)))["relatesTo"]
    assert relation["code"] == "replaces"
    assert relation["target"]["identifier"]["value"] == BEFORE


@pytest.mark.parametrize(
    ("permitted", "word"),
    [
        (leave(Interaction.SEND_DOCUMENT), "not written here"),
        (leave(letter=EARLIER), "another delivery"),
    ],
)
def test_leave_for_something_else_writes_nothing(permitted: Permitted, word: str) -> None:
    with pytest.raises(IllegalMoveError, match=word):
        write_document(an_envelope(), outcome=a_letter(), referral=REFERRAL, permitted=permitted)


def test_a_person_who_cannot_be_named_is_a_fault_that_quotes_nothing() -> None:
    nobody = person() | {"birthDate": "1980", "name": [{"family": CANARY, "given": ["A"]}]}
    referral: Any = {"resourceType": "ServiceRequest", "contained": [{"id": "p"} | nobody]}
    with pytest.raises(InvalidMessageError) as caught:
        write_document(an_envelope(), outcome=a_letter(), referral=referral, permitted=leave())
    (fault,) = caught.value.faults
    assert "whole date of birth" in fault.diagnostics
    assert CANARY not in fault.diagnostics
    assert Route.FALLBACK is Interaction.FHIR_DOCUMENT.route
