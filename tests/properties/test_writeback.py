"""Whatever an outcome looks like: what is taken for a document holds no code.

The reader here shares nothing with the rules: it reads the bytes, opens every attachment, and
looks for resource types, terminologies and marks by their spelling.
"""

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.referral.identifiers import OWN_BASE, OdsCode
from gateway.writeback.allowed import SenderCategory
from gateway.writeback.content import classify
from gateway.writeback.guard import rule
from gateway.writeback.learned import Position
from gateway.writeback.proposal import Objection, Payload, Proposal, RuleAnswer, RuleEffect
from gateway.writeback.ruling import Effect, Route

PRACTICE = OdsCode("Z99901")
PERMIT = RuleAnswer(RuleEffect.PERMIT, "PERMITTED")
DOCUMENT_ONLY = {Payload.DOCUMENT, Payload.ACTION, None}

FILED = (
    b"Observation Condition AllergyIntolerance Procedure MedicationStatement MedicationRequest "
    b"Immunization Flag ClinicalImpression QuestionnaireResponse FamilyMemberHistory "
    b"DiagnosticReport CarePlan"
).split()
TERMINOLOGIES = (b"snomed.info", b"loinc.org", b"read.info", b"dmd.nhs.uk", b"sid/icd-10")
MARKS = (b"data-code", b"<!--", b"itemprop", b"typeof=")


def holds_code(message: bytes) -> bool:
    """Read bytes by their spelling, and every attachment in them, to the innermost."""
    message = message.replace(b"\\", b"")  # a text within a text
    filed = any(b'"resourceType": "' + type_ + b'"' in message for type_ in FILED)
    pointed = any(b'"reference": "' + type_ + b"/" in message for type_ in FILED)
    marked = any(each in message for each in TERMINOLOGIES + MARKS)
    return filed or pointed or marked or any(holds_code(each) for each in opened(message))


def opened(message: bytes) -> Iterator[bytes]:
    for part in message.split(b'"data": "')[1:]:
        yield base64.b64decode(part.partition(b'"')[0])


def spelt(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False).encode()


def packed(tree: Any) -> str:
    return base64.b64encode(spelt(tree)).decode()


words = st.sampled_from(["Fit for work", "Phased return, 4 weeks", "See attached", "é 中"])
texts = words.map(lambda text: {"status": "generated", "div": f"<div><p>{text}</p></div>"})
own_codes = st.sampled_from(["fit", "not-fit"]).map(
    lambda code: {"coding": [{"system": f"{OWN_BASE}/CodeSystem/outcome", "code": code}]}
)
attachments = words.map(
    lambda text: {
        "contentType": "text/plain",
        "data": base64.b64encode(text.encode()).decode(),
    }
)
references = attachments.map(
    lambda each: {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": each}],
    }
)
compositions = st.lists(texts, min_size=1, max_size=3).map(
    lambda sections: {
        "resourceType": "Composition",
        "status": "final",
        "section": [{"title": "Outcome", "text": text} for text in sections],
    }
)
tasks = st.tuples(own_codes, words).map(
    lambda pair: {
        "resourceType": "Task",
        "status": "completed",
        "owner": {
            "identifier": {
                "system": "https://fhir.nhs.uk/Id/ods-organization-code",
                "value": "Z99902",
            }
        },
        "output": [{"valueCodeableConcept": pair[0]}, {"valueString": pair[1]}],
    }
)
people = st.just({"resourceType": "Patient", "name": [{"family": "Test"}]})


def boxed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    bundles = st.lists(inner, min_size=1, max_size=4).map(
        lambda parts: {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": part} for part in parts],
        }
    )
    holders = st.tuples(inner, people).map(lambda pair: pair[0] | {"contained": [pair[1]]})
    return st.one_of(bundles, holders)


plain = st.recursive(st.one_of(references, compositions, tasks, people), boxed, max_leaves=6)

concepts = st.sampled_from(
    ["http://snomed.info/sct", "http://loinc.org", "https://dmd.nhs.uk", "http://read.info/ctv3"]
).map(lambda system: {"system": system, "code": "38341003"})
resources = st.sampled_from(FILED).map(lambda type_: {"resourceType": type_.decode()})
hidden = st.one_of(
    resources.map(lambda each: ("contained", [each])),
    resources.map(lambda each: ("entry", [{"resource": each}])),
    resources.map(
        lambda each: ("valueReference", {"reference": f"{each['resourceType']}/1"}),
    ),
    concepts.map(lambda each: ("extension", [{"url": "https://x.example", "valueCoding": each}])),
    concepts.map(
        lambda each: ("modifierExtension", [{"valueCodeableConcept": {"coding": [each]}}])
    ),
    concepts.map(lambda each: ("_status", {"extension": [{"valueUri": each["system"]}]})),
    concepts.map(lambda each: ("tag", [each])),
    resources.map(lambda each: ("content", [{"attachment": {"data": packed(each)}}])),
    resources.map(
        lambda each: (
            "valueAttachment",
            {"contentType": "application/pdf", "data": packed([each])},
        )
    ),
    resources.map(lambda each: ("note", [{"text": spelt(each).decode()}])),
    st.sampled_from(
        ["<div data-code='1'>x</div>", "<div>x<!-- 1 --></div>", "<div itemprop='x'>x</div>"]
    ).map(lambda div: ("text", {"div": div})),
)


def objects_of(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield each object that a code could be put into: attachments carry bytes, so not those."""
    if isinstance(tree, dict):
        if "data" not in tree:
            yield tree
        for value in tree.values():
            yield from objects_of(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from objects_of(value)


@settings(deadline=None)
@given(plain)
def test_a_message_without_codes_is_not_taken_for_one_with_codes(tree: dict[str, Any]) -> None:
    assert not holds_code(spelt(tree))
    assert classify(tree, PRACTICE).coded == ()


@settings(deadline=None, max_examples=300)
@given(plain, hidden, st.data())
def test_nothing_that_is_taken_for_a_document_holds_a_code(
    tree: dict[str, Any], code: tuple[str, Any], data: st.DataObject
) -> None:
    tree = copy.deepcopy(tree)
    places = list(objects_of(tree))
    data.draw(st.sampled_from(places))[code[0]] = code[1]
    assert holds_code(spelt(tree)), "the reader of this test is blind"
    assert classify(tree, PRACTICE).payload not in DOCUMENT_ONLY


@settings(deadline=None)
@given(
    plain,
    st.none() | hidden,
    st.sampled_from([who for who in SenderCategory if who is not SenderCategory.PRACTICE_ITSELF]),
    st.sampled_from(Position),
    st.sampled_from(Objection),
)
def test_no_third_party_but_a_pharmacy_that_is_let_in_ever_writes_a_code(
    tree: dict[str, Any],
    code: tuple[str, Any] | None,
    sender: SenderCategory,
    switch: Position,
    objection: Objection,
) -> None:
    tree = tree | {code[0]: code[1]} if code else tree
    payload = classify(tree, PRACTICE).payload
    if payload is None:
        return
    ruling = rule(
        Proposal(
            objection=objection,
            payload=payload,
            sender=sender,
            service="1577041000000109",
            switch=switch,
            has_agreement=True,
            is_employer_facing=False,
            is_routine=True,
            is_readable=True,
            is_strict=False,
            has_workflow=True,
            write_back=PERMIT,
            write_document=PERMIT,
        )
    )
    if ruling.route is Route.UPDATE_RECORD:
        assert (sender, switch) == (SenderCategory.COMMUNITY_PHARMACY, Position.ON)
    elif code and ruling.is_sent:
        assert ruling.effect is Effect.DOWNGRADE
        assert ruling.keeps_coded is not None
