"""Outcomes of every sort on their way to a practice, and what the table allows of each.

A Case is made up: a message with or without codes, by any kind of sender, over any objection,
whatever the practice said of coded entries. `allowed` reads the table of the write restriction a
second time: it shares no line with the guard, and says the most that may leave.
Source: the write restriction, section 9, rows 1 to 11.
"""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from hypothesis import strategies as st

from gateway.referral.identifiers import OdsCode
from gateway.writeback.allowed import SenderCategory
from gateway.writeback.interactions import Interaction
from gateway.writeback.learned import CodingEvent, Position, Source
from gateway.writeback.proposal import Objection, RuleAnswer, RuleEffect
from tests.builders.itk3 import A_PDF, sent_record
from tests.builders.outcomes import (
    bars_response,
    bundle,
    collection,
    contained_letter,
    document,
    document_reference,
    form,
    item,
    section,
    task,
    to,
    url,
)

Tree = dict[str, Any]
PRACTICE, SENDER = OdsCode("A81001"), OdsCode("FZZ01")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"
APPROVED = ("1577041000000109", "1659111000000107", "1659121000000101")
"""Update Record: "can only be used for 3 services"."""


class Most(IntEnum):
    """The most that may leave for the practice."""

    NOTHING = 0
    DOCUMENT = 1
    CODES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One outcome on its way. `is_record`: codes and nothing else. `asks`: it may want work done."""

    tree: Tree
    is_record: bool
    is_marked: bool
    asks: bool
    service: str | None
    sender: SenderCategory
    said: tuple[CodingEvent, ...]
    is_on: bool
    objection: Objection
    has_agreement: bool
    is_employer_facing: bool
    is_strict: bool
    has_workflow: bool
    write_back: RuleAnswer
    write_document: RuleAnswer
    interaction: Interaction


def allowed(case: Case) -> Most:
    """Say the most that the table lets leave, told from how the case was made."""
    if case.objection in (Objection.WITHHOLD, Objection.SENSITIVE) or case.is_marked:
        return Most.NOTHING
    is_approved = case.sender == "community-pharmacy" and case.service in APPROVED
    takes_codes = case.has_workflow and case.is_on and case.write_back.effect == "PERMIT"
    if case.is_record and is_approved and takes_codes:
        return Most.CODES
    is_refused = case.is_record and not is_approved and case.is_strict
    is_shut = case.is_employer_facing or not (
        case.has_agreement or case.sender == "practice-itself"
    )
    if is_refused or case.write_document.effect != "PERMIT":
        return Most.NOTHING
    return Most.NOTHING if is_shut and not case.asks else Most.DOCUMENT


def coding(code: str = "38341003", system: str = SNOMED) -> Tree:
    return {"system": system, "code": code, "display": "Hypertensive disorder"}


def concept() -> Tree:
    return {"coding": [coding()], "text": "High blood pressure"}


def clinical(kind: str) -> Tree:
    """A resource of a kind, with a code where such a one has it."""
    made: Tree = {"resourceType": kind, "id": "found", "status": "final", "code": concept()}
    if kind == "QuestionnaireResponse":
        answer = {"linkId": "1", "text": "Why?", "answer": [{"valueCoding": coding()}]}
        return {"resourceType": kind, "id": "found", "status": "completed", "item": [answer]}
    if kind.startswith("Medication"):
        del made["code"]
        return made | {"medicationCodeableConcept": {"coding": [coding("322236009")]}}
    if kind == "Observation":
        return made | {"valueQuantity": {"value": 142, "unit": "mmHg"}}
    if kind == "Parameters":
        return {"resourceType": kind, "parameter": [{"name": "a", "valueCoding": coding()}]}
    if kind == "List":
        entry = [{"item": {"reference": "Condition/1"}}]
        return {"resourceType": kind, "status": "current", "mode": "working", "entry": entry}
    if kind == "Communication":
        return {"resourceType": kind, "status": "completed", "reasonCode": [concept()]}
    if kind == "Consent":
        return {"resourceType": kind, "status": "active", "provision": {"code": [concept()]}}
    return made


KINDS = (
    "Condition Observation AllergyIntolerance MedicationStatement MedicationRequest Immunization "
    "Procedure CarePlan Flag DiagnosticReport List Communication Consent Parameters "
    "QuestionnaireResponse FamilyMemberHistory ClinicalImpression MadeUpResource"
).split()
CDA = '<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>'
FHIR_XML = '<Observation xmlns="http://hl7.org/fhir"><code/></Observation>'
HL7_V2 = "MSH|^~\\&|A|B|C|D|20261123||ORU^R01|1|P|2.4\rOBX|1|CE|38341003^^SCT||x"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


def file_of(content: bytes, media_type: str | None) -> Tree:
    made: Tree = {"data": base64.b64encode(content).decode()}
    return made if media_type is None else {"contentType": media_type} | made


FRONTS = {
    "application/pdf": A_PDF, "image/png": PNG, "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/tiff": b"II*\x00", "text/plain": b"Dear GP,\r\n", "application/fhir+json": b"",
}  # fmt: skip


def _data(text: str) -> st.SearchStrategy[Tree]:
    """A text for machines: behind what a person sees, or in a file that says it is another kind."""
    honest = st.sampled_from(sorted(FRONTS)).map(lambda t: file_of(FRONTS[t] + text.encode(), t))
    types = st.sampled_from([*FRONTS, "text/html", None])
    lying = types.map(lambda type_: file_of(b"\xef\xbb\xbf" + text.encode(), type_))
    return st.one_of(honest, lying)


DIV = '<div xmlns="http://www.w3.org/1999/xhtml">%s</div>'
MARKUP = (
    "<table><tr><td>38341003</td><td>High blood pressure</td></tr></table>",
    '<p data-code="38341003">x</p>',
    "<p>x<!-- 38341003 --></p>",
    '<p class="sct:38341003">x</p>',
    '<p title="38341003">x</p>',
)
resources = st.sampled_from(KINDS).map(clinical)
data_files = st.one_of(
    resources.flatmap(lambda each: _data(json.dumps(each))),
    st.sampled_from([CDA, FHIR_XML, HL7_V2]).flatmap(_data),
    st.sampled_from(MARKUP).map(lambda each: file_of((DIV % each).encode(), "text/html")),
)
plants: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    resources.map(lambda each: ("contained", [each])),
    resources.map(lambda each: ("entry", [{"resource": each}])),
    resources.map(lambda each: ("note", [{"text": json.dumps(each)}])),
    st.sampled_from([coding(), coding("8480-6", LOINC), coding("F..", "http://read.info/ctv3")])
    .map(lambda each: ("extension", [{"url": "https://x.example", "valueCoding": each}])),
    st.just(("modifierExtension", [{"url": "https://x.example", "valueCode": "38341003"}])),
    st.just(("code", concept())),
    st.just(("tag", [coding()])),
    st.just(("reasonReference", [{"reference": "Condition/1"}])),
    st.sampled_from(MARKUP).map(lambda each: ("text", {"status": "generated", "div": DIV % each})),
    data_files.map(lambda each: ("content", [{"attachment": each}])),
    data_files.map(lambda each: ("valueAttachment", each)),
)  # fmt: skip


def _objects(node: Any) -> Iterator[Tree]:
    if isinstance(node, dict):
        if "data" not in node:
            yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _apart(node: Any) -> Any:
    """Copy a tree; the builders share parts, and parts are changed here."""
    if isinstance(node, dict):
        return {key: _apart(value) for key, value in node.items()}
    return [_apart(value) for value in node] if isinstance(node, list) else node


def _record(service: str) -> Tree:
    tree: Tree = sent_record()
    for each in _objects(tree):
        if each.get("code") == APPROVED[0]:
            each["code"] = service
    return tree


def _with_letter(tree: Tree) -> Tree:
    letter = document_reference(to("patient"), author=[to("provider")])
    tree["entry"] += bundle("x", ("letter", letter))["entry"]
    return tree


def _asking() -> Tree:
    wanted: Tree = {
        "resourceType": "Task", "status": "requested", "intent": "order",
        "description": "Please check the blood pressure",
        "owner": {"identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code",
                                 "value": PRACTICE}},
    }  # fmt: skip
    return bundle("collection", ("wanted", wanted), ("letter1", document_reference()))


LETTERS: tuple[Callable[[], Tree], ...] = (
    lambda: task("completed", contained=[contained_letter()]),
    lambda: task("completed", contained=[contained_letter(), form(item("1", "How?", "Well"))]),
    collection,
    document,
    lambda: document([section("Findings", "38341003 | High blood pressure")]),
    lambda: _with_letter(bars_response()),
    document_reference,
    lambda: document_reference(content=[{"attachment": file_of(A_PDF, "application/pdf")}]),
    lambda: document_reference(description="38341003"),
    _asking,
)


_ASKING = {"Task", "CommunicationRequest", "ServiceRequest", "MedicationRequest", "Appointment"}


letters = st.one_of(
    st.sampled_from(LETTERS).map(lambda make: make()),
    data_files.map(lambda each: document_reference(content=[{"attachment": each}])),
    data_files.map(
        lambda each: bundle(
            "collection",
            ("letter1", document_reference(content=[{"attachment": {"url": url("file")}}])),
            ("file", {"resourceType": "Binary"} | each),
        )
    ),
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[Tree, bool, str | None]:
    """A message; whether it is a record and nothing else; its service."""
    is_record = draw(st.booleans())
    service = draw(st.sampled_from([*APPROVED, "38341003"])) if is_record else None
    made = _record(service) if service else draw(letters)
    tree = _apart(made)
    planted = draw(st.lists(plants, max_size=2 if not is_record else 1))
    if is_record and draw(st.booleans()):
        planted = []
    for key, value in planted:
        places = list(_objects(tree))
        place = places[draw(st.integers(0, len(places) - 1))]
        _put(place, key, _apart(value))
    return tree, is_record and not any(_is_paper(*each) for each in planted), service


def _put(place: Tree, key: str, value: Any) -> None:
    held = place.get(key)
    is_more = isinstance(held, list) and isinstance(value, list)
    place[key] = [*held, *value] if is_more else value  # type: ignore[misc]


def _is_paper(key: str, value: Any) -> bool:
    """Whether it brings a document, or asks: what it is put into is no mere record then."""
    kinds = {each.get("resourceType") for each in _objects(value)}
    return key in ("content", "valueAttachment") or bool(kinds & {"Communication", *_ASKING})


def _event(value: Position, sender: SenderCategory | None, days: int, **more: Any) -> CodingEvent:
    made: dict[str, Any] = {"source": Source.PRACTICE, "by": "gp-one", "seq": 10 - days} | more
    return CodingEvent(
        practice=PRACTICE, sender=sender, value=value, at=NOW - timedelta(days=days), **made
    )


def said_by(sender: SenderCategory) -> dict[str, tuple[CodingEvent, ...]]:
    """How a practice's switch for this kind of sender may have come to stand, by name."""
    on, off = _event(Position.ON, sender, 9), _event(Position.OFF, sender, 5)
    other = next(each for each in SenderCategory if each is not sender)
    learned = replace(off, source=Source.LEARNED, by="gateway", expires=NOW + timedelta(days=9))
    return {
        "on": (on,),
        "on again": (replace(off, at=NOW - timedelta(days=10), seq=1), replace(on, seq=2)),
        "nobody said": (),
        "off": (on, off),
        "off by an answer": (on, learned),
        "an answer, a while ago": (on, replace(learned, expires=NOW - timedelta(days=1))),
        "on, a while ago": (replace(on, expires=NOW - timedelta(days=1)),),
        "on from tomorrow": (replace(on, at=NOW + timedelta(days=1)),),
        "on for another kind": (replace(on, sender=other),),
        "all off": (on, replace(off, sender=None)),
    }


def _mark(tree: Tree) -> None:
    first = next(each for each in _objects(tree) if "resourceType" in each)
    first.setdefault("meta", {})["security"] = [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    ]


S = SenderCategory
_SENDERS = st.sampled_from(
    [S.COMMUNITY_PHARMACY, S.COMMUNITY_PHARMACY, S.COMMUNITY_PHARMACY, *SenderCategory]
)
_PERMIT = RuleAnswer(RuleEffect.PERMIT, "PERMITTED")
_ANSWERS = [_PERMIT, RuleAnswer(RuleEffect.HOLD, "ASK"), RuleAnswer(RuleEffect.DENY, "NO")]
_OPEN: dict[str, Any] = {
    "is_marked": False, "objection": Objection.NONE, "has_agreement": True,
    "is_employer_facing": False, "is_strict": False, "has_workflow": True,
    "write_back": _PERMIT, "write_document": _PERMIT,
}  # fmt: skip
_FACTS: dict[str, list[Any]] = {
    "is_marked": [True],
    "objection": list(Objection),
    "has_agreement": [False],
    "is_employer_facing": [True],
    "is_strict": [True],
    "has_workflow": [False],
    "write_back": _ANSWERS,
    "write_document": _ANSWERS,
}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any outcome, on facts of which any, few at once, stand against it."""
    (tree, is_record, service), sender = draw(bodies()), draw(_SENDERS)
    against = draw(st.lists(st.sampled_from(sorted(_FACTS)), max_size=2, unique=True))
    facts = _OPEN | {name: draw(st.sampled_from(_FACTS[name])) for name in against}
    if facts["is_marked"]:
        _mark(tree)
    said = said_by(sender)
    switch = draw(st.sampled_from([*["on"] * 6, *said]))
    return Case(
        tree=tree,
        is_record=is_record and not facts["is_marked"],
        asks=_may_ask(tree),
        service=service,
        sender=sender,
        said=said[switch],
        is_on=switch in ("on", "on again"),
        interaction=draw(
            st.sampled_from([Interaction.SEND_DOCUMENT, Interaction.CONSULTATION_REPORT])
        ),
        **facts,
    )


def open_case(sender: SenderCategory, *, is_record: bool) -> Case:
    """An outcome that nothing stands against but the table itself."""
    return Case(
        tree=_record(APPROVED[0]) if is_record else document_reference(),
        is_record=is_record,
        asks=False,
        service=APPROVED[0] if is_record else None,
        sender=sender,
        said=said_by(sender)["on"],
        is_on=True,
        interaction=Interaction.SEND_DOCUMENT,
        **_OPEN,
    )


def _may_ask(tree: Tree) -> bool:
    """Whether it holds, below its top, anything that could ask the practice to act."""
    kinds = {each.get("resourceType") for each in _objects(tree) if each is not tree}
    return bool(kinds & _ASKING)
