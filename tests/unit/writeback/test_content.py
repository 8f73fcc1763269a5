"""What an outcome holds, wherever it hides."""

import base64

import pytest

from gateway.referral.identifiers import ODS_CODE_SYSTEM, OWN_BASE, OdsCode
from gateway.referral.json import Json, JsonObject
from gateway.writeback.attachments import FaultCode
from gateway.writeback.content import Content, classify
from gateway.writeback.proposal import Payload

PRACTICE = OdsCode("Z99901")
SNOMED = "http://snomed.info/sct"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>Fit for work</p></div>'
HYPERTENSION: JsonObject = {"system": SNOMED, "code": "38341003"}
CONCEPT: JsonObject = {"coding": [HYPERTENSION]}
FHIR_BYTES = base64.b64encode(b'{"resourceType":"Observation"}').decode()
TEXT_BYTES = base64.b64encode(b"Fit for work").decode()
LETTER: JsonObject = {
    "resourceType": "DocumentReference",
    "status": "current",
    "type": CONCEPT,
    "content": [{"attachment": {"contentType": "text/plain", "data": TEXT_BYTES}}],
}


def look(tree: JsonObject) -> Content:
    return classify(tree, PRACTICE)


def bundle(*resources: JsonObject, type_: str = "collection") -> JsonObject:
    return {
        "resourceType": "Bundle",
        "type": type_,
        "entry": [
            {"fullUrl": f"urn:uuid:{n}", "resource": each} for n, each in enumerate(resources)
        ],
    }


def organisation(code: str) -> JsonObject:
    return {"identifier": {"system": ODS_CODE_SYSTEM, "value": code}}


def answer(**more: Json) -> JsonObject:
    return {"resourceType": "Task", "status": "completed", "intent": "order"} | more


def letter_with(**more: Json) -> JsonObject:
    return LETTER | more


def extension(**value: Json) -> JsonObject:
    return letter_with(extension=[{"url": "https://example.org/x", **value}])


def places(found: tuple[object, ...]) -> list[str]:
    return [each.expression for each in found]  # type: ignore[attr-defined]  # Found


@pytest.mark.parametrize(
    ("tree", "payload"),
    [
        (answer(), None),
        (answer(output=[{"type": {"text": "x"}, "valueString": "Fit"}]), None),
        (LETTER, Payload.DOCUMENT),
        ({"resourceType": "Composition", "type": CONCEPT, "text": {"div": DIV}}, Payload.DOCUMENT),
        (bundle({"resourceType": "Observation", "code": CONCEPT}), Payload.CODED),
        (
            bundle({"resourceType": "Composition"}, {"resourceType": "Observation"}),
            Payload.CODED,
        ),
        (bundle(LETTER, {"resourceType": "Observation"}), Payload.DOCUMENT_WITH_CODES),
        (bundle({"resourceType": "CommunicationRequest"}), Payload.ACTION),
        (bundle({"resourceType": "MedicationRequest"}), Payload.ACTION_WITH_CODES),
        (bundle(answer()), Payload.ACTION),
        ({}, None),
    ],
)
def test_what_the_guard_rules_on_follows_from_what_is_held(
    tree: JsonObject, payload: Payload | None
) -> None:
    assert look(tree).payload == payload


@pytest.mark.parametrize(
    "type_",
    "Observation Condition AllergyIntolerance Procedure Medication MedicationStatement "
    "MedicationRequest MedicationDispense Immunization Flag ClinicalImpression Invented "
    "QuestionnaireResponse FamilyMemberHistory DiagnosticReport CarePlan List Consent".split(),
)
@pytest.mark.parametrize("is_contained", [False, True])
def test_a_resource_for_filing_is_found_in_entries_and_contained(
    type_: str, *, is_contained: bool
) -> None:
    held: JsonObject = {"resourceType": type_, "performer": []}
    content = look(answer(contained=[held]) if is_contained else bundle(bundle(held)))
    assert type_ in {each.what for each in content.coded}


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        (answer(output=[{"valueCodeableConcept": CONCEPT}]), "valueCodeableConcept.coding[0]"),
        (answer(output=[{"valueCoding": HYPERTENSION}]), "valueCoding"),
        (answer(output=[{"valueReference": {"reference": "Observation/1"}}]), "valueReference"),
        (
            answer(output=[{"valueReference": {"type": "Condition", "identifier": {}}}]),
            "valueReference",
        ),
        (answer(output=[{"valueQuantity": {"value": 140}}]), "valueQuantity"),
        (answer(statusReason=CONCEPT), "statusReason.coding[0]"),
        (extension(valueCoding=HYPERTENSION), "extension[0].valueCoding"),
        (extension(valueCoding={"code": "x"}), "extension[0].valueCoding"),
        (extension(valueCodeableConcept=CONCEPT), "valueCodeableConcept.coding[0]"),
        (extension(valueCode="38341003"), "extension[0]"),
        (extension(valueCode=7), "extension[0]"),
        (extension(valueUri="http://snomed.info/id/38341003"), "valueUri"),
        (extension(valueIdentifier={"system": SNOMED, "value": "1"}), "system"),
        (extension(valueString='{"resourceType":"Observation"}'), "valueString"),
        (extension(valueBase64Binary=FHIR_BYTES), "extension[0]"),
        (letter_with(_status={"extension": [{"valueCoding": HYPERTENSION}]}), "valueCoding"),
        (letter_with(meta={"tag": [HYPERTENSION]}), "meta.tag[0]"),
        (
            letter_with(type={"extension": [{"valueCoding": HYPERTENSION}]}),
            "extension[0].valueCoding",
        ),
        (letter_with(context={"event": [CONCEPT]}), "context.event[0].coding[0]"),
        (letter_with(text={"div": "<div data-x='1'>Fit</div>"}), "text.div"),
        (letter_with(text={"div": "<div>Fit<!-- 1 --></div>"}), "text.div"),
        (letter_with(text={"div": "<div><section>Fit</section></div>"}), "text.div"),
        ({"resourceType": "Binary", "data": FHIR_BYTES}, "Binary"),
        ({"resourceType": "Composition", "section": [{"code": CONCEPT}]}, "code.coding[0]"),
        (
            {"resourceType": "Composition", "section": [{"entry": [{"reference": "Flag/1"}]}]},
            "entry[0]",
        ),
        ({"resourceType": "Encounter", "reasonCode": [CONCEPT]}, "reasonCode[0].coding[0]"),
        ({"resourceType": 7}, "Resource"),
    ],
)
def test_a_code_that_hides_is_found_and_named(tree: JsonObject, place: str) -> None:
    content = look(tree)
    assert any(each.endswith(place) for each in places(content.coded)), content.coded


@pytest.mark.parametrize(
    "tree",
    [
        letter_with(category=[CONCEPT], context={"practiceSetting": CONCEPT}),
        answer(output=[{"valueCoding": {"system": f"{OWN_BASE}/CodeSystem/x", "code": "fit"}}]),
        answer(
            businessStatus={
                "coding": [
                    {
                        "system": "https://fhir.nhs.uk/Codesystem/usecase-categories-bars",
                        "code": "x",
                    }
                ]
            }
        ),
        answer(code={"coding": [{"system": "http://hl7.org/fhir/task-status", "code": "x"}]}),
        {"resourceType": "PractitionerRole", "code": [CONCEPT]},
        letter_with(
            extension=[
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                    "valueCode": "unknown",
                }
            ]
        ),
        {
            "resourceType": "Composition",
            "extension": [
                {
                    "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-CareSettingType",
                    "valueCodeableConcept": CONCEPT,
                }
            ],
        },
        answer(basedOn=[{"reference": "ServiceRequest/1"}], focus={"reference": "urn:uuid:1"}),
        letter_with(text={"div": DIV}),
    ],
)
def test_what_describes_a_document_a_person_or_a_state_is_no_code(tree: JsonObject) -> None:
    assert look(tree).coded == ()


def test_a_code_under_the_care_setting_that_is_extended_again_is_found() -> None:
    nested: JsonObject = {
        "resourceType": "Composition",
        "extension": [
            {
                "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-CareSettingType",
                "extension": [{"valueCoding": HYPERTENSION}],
            }
        ],
    }
    assert look(nested).coded


def request(type_: str, **more: Json) -> JsonObject:
    return {"resourceType": type_, "intent": "order"} | more


ROLE: JsonObject = {
    "resourceType": "PractitionerRole",
    "id": "r",
    "organization": {"reference": "Organization/o"},
}
OURS: JsonObject = {
    "resourceType": "Organization",
    "id": "o",
    "identifier": [{"system": ODS_CODE_SYSTEM, "value": " z99901"}],
}
THEIRS: JsonObject = {
    "resourceType": "Organization",
    "id": "o",
    "identifier": [{"system": ODS_CODE_SYSTEM, "value": "Z99902"}, {"system": "x", "value": "y"}],
}
TO_ROLE: JsonObject = {"reference": "PractitionerRole/r"}
LOOP: JsonObject = {
    "resourceType": "PractitionerRole",
    "id": "r",
    "organization": {"reference": "PractitionerRole/r"},
}


@pytest.mark.parametrize(
    ("resources", "is_action"),
    [
        ([request("Task", owner=organisation("Z99901"))], True),
        ([request("Task", owner=organisation("Z99902"))], False),
        ([request("Task", owner={"display": "somebody"})], True),
        ([request("Task")], True),
        ([request("CommunicationRequest", recipient=[organisation("Z99902")])], False),
        (
            [
                request(
                    "CommunicationRequest",
                    recipient=[organisation(c) for c in ("Z99902", PRACTICE)],
                )
            ],
            True,
        ),
        ([request("ServiceRequest", performer=[TO_ROLE]), ROLE, OURS], True),
        ([request("ServiceRequest", performer=[TO_ROLE]), ROLE, THEIRS], False),
        ([request("ServiceRequest", performer=[TO_ROLE]), LOOP], True),
        ([request("MedicationRequest")], True),
        ([request("MedicationRequest", performer=organisation("Z99902"))], False),
        ([request("Appointment", participant=[{"actor": {"reference": "Patient/1"}}, {}])], False),
        ([request("Appointment", participant=[{"actor": organisation("Z99901")}])], True),
    ],
)
def test_a_request_is_an_action_unless_it_is_surely_for_another(
    resources: list[JsonObject], *, is_action: bool
) -> None:
    assert bool(look(bundle(*resources)).actions) is is_action


def test_a_request_between_others_could_only_be_filed() -> None:
    content = look(bundle(request("ServiceRequest", performer=[organisation("Z99902")])))
    assert [each.what for each in content.coded] == ["ServiceRequest"]


def bars_answer(**more: Json) -> JsonObject:
    header: JsonObject = {"resourceType": "MessageHeader", "focus": [{"reference": "urn:uuid:1"}]}
    asked = request("ServiceRequest", code=CONCEPT, reasonCode=[CONCEPT], **more)
    return bundle(header, asked, type_="message")


def test_the_practices_own_request_given_back_is_neither_code_nor_action() -> None:
    content = look(bars_answer(reasonReference=[{"reference": "Condition/1"}]))
    assert content.payload is None
    assert look(bars_answer(performer=[organisation("Z99902")])).payload is None


@pytest.mark.parametrize(("requests", "is_known"), [(1, True), (2, False)])
def test_a_response_about_an_encounter_answers_the_one_request_in_it(
    requests: int, *, is_known: bool
) -> None:
    header: JsonObject = {
        "resourceType": "MessageHeader",
        "response": {"identifier": "1", "code": "ok"},
        "focus": [{"reference": "Encounter/1"}],
    }
    asked: JsonObject = {"resourceType": "ServiceRequest", "status": "active"}
    content = look(bundle(header, *({**asked, "id": str(n)} for n in range(requests))))
    assert len(content.actions) == (0 if is_known else requests)


def test_a_document_bundle_with_a_name_of_its_own_is_no_code() -> None:
    named: JsonObject = {"identifier": {"system": "https://oh.example/Id/bundle", "value": "B-3"}}
    assert look(bundle(LETTER, type_="document") | named).coded == ()


def test_a_request_that_names_the_practice_is_an_action_though_it_is_the_focus() -> None:
    assert look(bars_answer(performer=[organisation("Z99901")])).actions


def test_a_code_added_to_the_request_given_back_is_found() -> None:
    assert look(bars_answer(bodySite=[CONCEPT])).coded


@pytest.mark.parametrize(
    ("resource", "is_asked"),
    [
        (request("MedicationRequest"), True),
        (request("MedicationRequest", intent="plan"), True),
        (request("MedicationRequest", intent="option"), False),
        ({"resourceType": "MedicationRequest"}, True),
        (request("CarePlan", activity=[{"detail": {"performer": [organisation("Z99901")]}}]), True),
        (
            request("CarePlan", activity=[{"detail": {"performer": [organisation("Z99902")]}}]),
            False,
        ),
        (request("CarePlan", activity=[{}]), True),
        (request("CommunicationRequest"), False),
    ],
)
def test_a_request_that_the_practice_takes_work_over_is_named(
    resource: JsonObject, *, is_asked: bool
) -> None:
    assert bool(look(bundle(resource)).shared_care) is is_asked


@pytest.mark.parametrize(
    ("tree", "is_withheld"),
    [
        ({"resourceType": "Composition", "confidentiality": "R"}, True),
        ({"resourceType": "Composition", "confidentiality": "V"}, True),
        ({"resourceType": "Composition", "confidentiality": "N"}, False),
        (letter_with(meta={"security": [{"code": "R"}]}), True),
        (letter_with(securityLabel=[{"coding": [{"code": "v"}]}]), True),
        (letter_with(meta={"tag": [{"code": "R"}]}), False),
        (LETTER, False),
    ],
)
def test_a_mark_of_confidence_is_found_anywhere(tree: JsonObject, *, is_withheld: bool) -> None:
    assert look(bundle(tree)).has_withheld_mark is is_withheld


@pytest.mark.parametrize(
    ("tree", "is_readable"),
    [
        (LETTER, True),
        ({"resourceType": "Composition", "section": [{"text": {"div": DIV}}]}, True),
        ({"resourceType": "Composition", "section": [{"text": {"div": "<div> </div>"}}]}, False),
        ({"resourceType": "Composition", "text": {"div": "<div data-x=''>Fit</div>"}}, False),
        ({"resourceType": "Observation"}, False),
        ({"resourceType": "Bundle", "signature": {"data": TEXT_BYTES}}, False),
    ],
)
def test_an_outcome_is_readable_where_a_person_can_read_a_part_of_it(
    tree: JsonObject, *, is_readable: bool
) -> None:
    assert look(tree).is_readable is is_readable


def attached(**attachment: Json) -> JsonObject:
    return {"resourceType": "DocumentReference", "content": [{"attachment": attachment}]}


def nested(levels: int) -> JsonObject:
    tree: JsonObject = {"resourceType": "Basic"}
    for _ in range(levels):
        tree = {"contained": tree}
    return tree


@pytest.mark.parametrize(
    ("tree", "codes"),
    [
        (attached(url="https://example.org/x.pdf"), [FaultCode.ELSEWHERE]),
        (attached(title="x"), [FaultCode.EMPTY]),
        (bundle(attached(url="urn:uuid:1"), {"resourceType": "Binary", "data": TEXT_BYTES}), []),
        ({"resourceType": "Binary"}, [FaultCode.EMPTY]),
        (attached(data="*"), [FaultCode.NOT_BASE64]),
        (attached(data=7), [FaultCode.NOT_BASE64]),
        (bundle(*[attached(data="QUFB" * 450_000)] * 3), [FaultCode.TOO_LARGE]),
        (letter_with(text={"div": "<div onclick='x'>Fit</div>"}), [FaultCode.ACTIVE_HTML]),
        ({"resourceType": "Observation", "valueSampledData": {"data": "1 2 E"}}, []),
        (nested(200), [FaultCode.TOO_DEEP]),
    ],
)
def test_a_part_that_cannot_be_taken_is_named(tree: JsonObject, codes: list[FaultCode]) -> None:
    assert [fault.code for fault in look(tree).faults] == codes


def test_what_nests_too_deep_to_be_read_counts_as_a_code() -> None:
    assert [each.what for each in look(nested(200)).coded] == ["unread"]


def test_nothing_of_the_message_is_in_what_is_said_of_it() -> None:
    canary = "CANARY-9990000000"
    tree = bundle(
        letter_with(description=canary, text={"div": f"<div data-x='{canary}'>{canary}</div>"}),
        {"resourceType": "Observation", "valueString": canary, "code": {"text": canary}},
        attached(contentType=canary, data=canary, hash=canary),
    )
    assert canary not in repr(look(tree))
