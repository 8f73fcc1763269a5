"""Codes reach a practice as `mappings/gp-connect` shows, whole or not at all.

Read back with lxml alone, which is told here what STU3 calls things; and with the STU3 models of
fhir.resources, which share nothing with the tables of the writer.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import date, datetime
from typing import Any

import pytest
from fhir.resources.STU3.bundle import Bundle as Stu3Bundle
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import IllegalMoveError, InvalidMessageError
from gateway.fhir.read_outcome import read_outcome
from gateway.mapping.itk3 import PracticeMessage, part_of
from gateway.mapping.itk3_record import PracticeRecord, write_record
from gateway.referral.identifiers import DeliveryId, NhsNumber, OdsCode
from gateway.writeback.content import classify
from gateway.writeback.interactions import Interaction, Permitted
from gateway.writeback.proposal import Payload
from tests.builders.itk3 import EXAMPLES, a_leave, a_practice_record, sent_record

EARLIER = "66666666-6666-4666-8666-666666666666"
CANARY = "wombatitis"
NHS, UK, HL7 = "https://fhir.nhs.uk/STU3", "https://fhir.hl7.org.uk/STU3", "http://hl7.org/fhir"
T = "http://terminology.hl7.org/CodeSystem"
GPC = f"{NHS}/StructureDefinition/CareConnect-GPC"
PROFILES = {
    "Bundle": f"{NHS}/StructureDefinition/ITK-Document-Bundle-1",
    "MessageHeader": f"{NHS}/StructureDefinition/ITK-MessageHeader-2",
    "Composition": f"{UK}/StructureDefinition/CareConnect-Composition-1",
} | {
    name: f"{GPC}-{name}-1"
    for name in "Encounter Practitioner PractitionerRole Patient Observation MedicationDispense "
    "Condition ClinicalImpression".split()
}
RENAMED = {
    f"{T}/v3-ActCode": f"{HL7}/v3/ActCode",
    f"{T}/v3-ObservationInterpretation": f"{HL7}/v2/0078",
    f"{T}/medicationdispense-category": f"{HL7}/medication-dispense-category",
    "https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName": (
        f"{NHS}/CodeSystem/CareConnect-SDSJobRoleName-1"
    ),
    "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland": (
        f"{NHS}/CodeSystem/CareConnect-NHSNumberVerificationStatus-1"
    ),
}
BARE = (f"{T}/condition-clinical", f"{T}/condition-ver-status")
"""Lists whose codes stand without their list in STU3."""
OURS = ("ITK-RecipientType-1", "ITK-MessageEvent-2")


def written(
    record: PracticeRecord | None = None, leave: Permitted | None = None
) -> PracticeMessage:
    record = record or a_practice_record()
    return write_record(record, leave or a_leave(record.delivery_id, Interaction.UPDATE_RECORD))


def read(record: PracticeRecord | None = None, leave: Permitted | None = None) -> Any:
    """Parse, and take the namespace off every name."""
    root = etree.fromstring(written(record, leave).body)
    for each in root.iter():
        each.tag = etree.QName(each).localname
    return root


def faults(tree: Any, **changes: Any) -> list[str]:
    with pytest.raises(InvalidMessageError) as refused:
        written(a_practice_record(tree, **changes))
    assert CANARY not in str(refused.value)
    return [f"{each.expression}: {each.diagnostics}" for each in refused.value.faults]


def resource(tree: Any, kind: str, nth: int = 0) -> Any:
    found = [e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == kind]
    return found[nth]


def codes_sent(tree: Any) -> Iterator[tuple[str, str]]:
    for each in objects_of(tree):
        if "code" in each and "system" in each:
            system = RENAMED.get(each["system"], each["system"])
            yield ("", each["code"]) if system in BARE else (system, each["code"])


def codes_written(root: Any) -> Iterator[tuple[str, str]]:
    for system in root.iter("system"):
        code = system.getparent().find("code")
        if code is not None and not system.get("value").endswith(OURS):
            yield system.get("value"), code.get("value")
    for each in (*root.iter("clinicalStatus"), *root.iter("verificationStatus")):
        yield "", each.get("value")


def objects_of(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from objects_of(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from objects_of(value)


def test_the_bytes_are_those_shown() -> None:
    assert written().body == (EXAMPLES / "out" / "record.xml").read_bytes()


def test_the_control_values_are_those_shown() -> None:
    control = written().control
    shown = json.loads((EXAMPLES / "out" / "record-control.json").read_text("utf-8"))
    assert {f.name: str(getattr(control, f.name)) for f in fields(control)} == shown


def test_the_example_is_an_outcome_that_the_guard_takes_for_codes() -> None:
    tree = sent_record()
    assert read_outcome(tree).author == "FZZ01"
    found = classify(tree, OdsCode("A81001"))
    assert (found.payload, found.faults, found.has_withheld_mark) == (Payload.CODED, (), False)


def test_the_codes_that_came_in_are_those_that_go_out() -> None:
    sent = Counter(codes_sent(sent_record()))
    assert len(sent) > 20
    assert Counter(codes_written(read())) == sent


def test_no_value_is_lost() -> None:
    tree = sent_record()
    composition = resource(tree, "Composition")
    for key in ("identifier", "event", "meta"):
        del composition[key]
    resource(tree, "Patient")["name"][0]["family"] = "Müller-Jones"
    unread = {"reference", "resourceType", "system", "url", "fullUrl"}
    said = {
        value if isinstance(value, str) else str(value)
        for each in objects_of(tree["entry"])
        for key, values in each.items()
        for value in (values if isinstance(values, list) else [values])
        if key not in unread and not isinstance(value, dict)
    } - {"Active"}
    assert said
    assert said <= {each.get("value") for each in read().iter()}


def test_the_profiles_are_the_declared_ones() -> None:
    root = read()
    for kind, profile in PROFILES.items():
        found = [each.find("meta/profile").get("value") for each in root.iterfind(f".//{kind}")]
        assert set(found) == {profile}, kind
    organisations = [e.find("meta/profile").get("value") for e in root.iter("Organization")]
    header = f"{NHS}/StructureDefinition/CareConnect-ITK-Header-Organization-1"
    assert organisations == [header, f"{GPC}-Organization-1"]
    assert (
        root.find("meta/profile").get("value") == f"{NHS}/StructureDefinition/ITK-Message-Bundle-1"
    )


def test_there_is_no_narrative_and_no_file() -> None:
    root = read()
    assert not list(root.iter("div", "Binary", "content", "contained"))
    assert all(each.get("value") is not None for each in root.iter("text"))
    assert b"xhtml" not in written().body


def test_entries_stand_in_the_order_of_the_specification() -> None:
    tree = sent_record()
    tree["entry"] = [tree["entry"][0], *reversed(tree["entry"][1:])]
    kinds = [each[0].tag for each in read(a_practice_record(tree)).iterfind(".//Bundle//resource")]
    assert kinds == [
        "Composition", "Encounter", "Organization", "Practitioner", "PractitionerRole", "Patient",
        "Observation", "Observation", "MedicationDispense", "Condition",
        "ClinicalImpression", "ClinicalImpression",
    ]  # fmt: skip


def test_every_reference_leads_to_an_entry_of_the_type_that_was_meant() -> None:
    root = read()
    names = {
        e.find("fullUrl").get("value"): e.find("resource")[0].tag
        for e in root.iter("entry")
        if len(e) > 1
    }
    led = [
        (each.getparent().tag, names.get(each.get("value")))
        for each in root.find(".//Bundle").iter("reference")
    ]
    assert None not in {kind for _, kind in led}
    assert {kind for tag, kind in led if tag == "subject"} == {"Patient"}
    assert {kind for tag, kind in led if tag == "context"} == {"Encounter"}
    assert {kind for tag, kind in led if tag in ("author", "actor", "assessor", "individual")} == {
        "Practitioner"
    }
    assert {"Encounter", "ClinicalImpression"} <= {kind for tag, kind in led if tag == "entry"}


def test_the_header_says_update_record() -> None:
    header = read().find(".//MessageHeader")
    assert header.find("event/code").get("value") == "ITK014M"
    assert header.find("id").get("value") == a_practice_record().delivery_id
    said = {
        e.get("url"): [p.get("value") for p in e.iter() if p.get("value")]
        for e in header.find("extension")
    }
    assert said["BusAckRequested"] == said["InfAckRequested"] == ["true"]
    assert said["RecipientType"][1:] == ["FI", "For Information"]
    assert said["MessageDefinition"] == ["https://fhir.nhs.uk/MessageDefinition"]
    assert said["LocalExtension"] == ["None"]
    control = written().control
    assert (control.workflow, control.local_id) == ("GPCONNECT_UPDATE_RECORD", "FZZ01")


def test_the_person_is_the_same_in_the_message_and_in_the_address() -> None:
    patient = read().find(".//Patient")
    number = patient.find("identifier/value").get("value")
    born = patient.find("birthDate").get("value").replace("-", "")
    family = patient.find("name/family").get("value")
    assert written().control.to == f"GPPROVIDER_{number}_{born}_{family}"
    assert patient.find("generalPractitioner/identifier/value").get("value") == "A81001"


def test_the_models_of_stu3_take_the_message() -> None:
    message: Any = Stu3Bundle.model_validate_xml(written().body)
    assert [each.resource.get_resource_type() for each in message.entry] == [
        "MessageHeader", "Organization", "Bundle",
    ]  # fmt: skip


def test_each_attempt_writes_the_same_bytes_and_each_delivery_other_names() -> None:
    assert written() == written()
    other = read(a_practice_record(delivery_id=DeliveryId(EARLIER)))
    ids = {each.get("value") for each in read().iter("fullUrl")}
    assert not ids & {each.get("value") for each in other.iter("fullUrl")}


def test_a_new_version_takes_the_place_of_a_record_or_a_letter() -> None:
    tree = sent_record()
    target = {"system": "https://pharmacy.example/Id/consultation", "value": "C-16"}
    resource(tree, "Composition")["relatesTo"] = [{"code": "replaces", "targetIdentifier": target}]
    record = a_practice_record(tree)
    leave = a_leave(record.delivery_id, Interaction.UPDATE_RECORD, version=2, replaces=EARLIER)
    composition = read(record, leave).find(".//Composition")
    assert composition.find("meta/versionId").get("value") == "2"
    assert [each.find("code").get("value") for each in composition.iter("relatesTo")] == [
        "replaces"
    ]
    replaced = composition.find("relatesTo/targetIdentifier/value").get("value")
    assert replaced == part_of(DeliveryId(EARLIER), "composition")
    own = composition.find("identifier/value").get("value")
    assert own == part_of(record.delivery_id, "composition")
    assert any("relatesTo[0]" in each for each in faults(tree))


def tampered() -> Permitted:
    leave = a_leave(a_practice_record().delivery_id, Interaction.UPDATE_RECORD)
    object.__setattr__(leave, "row", 6)
    return leave


@pytest.mark.parametrize(
    ("leave", "word"),
    [
        (a_leave(a_practice_record().delivery_id), "GPCONNECT_SEND_DOCUMENT"),
        (a_leave(EARLIER, Interaction.UPDATE_RECORD), "another delivery"),
        (tampered(), "row 6"),
    ],
)
def test_codes_are_written_with_leave_of_row_4_only(leave: Permitted, word: str) -> None:
    with pytest.raises(IllegalMoveError, match=word):
        written(None, leave)


def test_a_record_shows_nothing_of_the_person() -> None:
    shown = f"{a_practice_record()!r} {written().control!r}"
    assert not [each for each in ("9990000018", "1980", "Jones", "Zoë", "Sinus") if each in shown]


Change = Callable[[Any], Any]


def put(kind: str, nth: int = 0, **values: Any) -> Change:
    return lambda tree: resource(tree, kind, nth).update(values)


def drop(kind: str) -> Change:
    def change(tree: Any) -> None:
        tree["entry"] = [e for e in tree["entry"] if e["resource"]["resourceType"] != kind]

    return change


def add(body: Any) -> Change:
    return lambda tree: tree["entry"].append({"fullUrl": "urn:uuid:more", "resource": body})


DIV = {"status": "generated", "div": f"<div>{CANARY}</div>"}
LOINC = {"coding": [{"system": "http://loinc.org", "code": CANARY}]}
BAD: dict[str, tuple[Change, str, str]] = {
    "a message": (lambda t: t.update(type="message"), "Bundle", "send one, or a document"),
    "no Bundle": (lambda t: t.update(resourceType="Task"), "Task", "made of a Bundle"),
    "links": (lambda t: t.update(link=[{"url": CANARY}]), "Bundle.link", "no place"),
    "a code within the name of the whole": (
        lambda t: t["identifier"].update(extension=[{"valueCoding": {"code": CANARY}}]),
        "Bundle.identifier.extension", "no place",
    ),
    "a code beside the label of the whole": (
        lambda t: t.update(meta={"extension": [{"valueCoding": {"code": CANARY}}]}),
        "Bundle.meta.extension", "no place",
    ),
    "a label on the whole": (
        lambda t: t.update(meta={"security": [{"code": "R"}]}), "Bundle.meta.security", "no place",
    ),
    "a search score": (lambda t: t["entry"][1].update(search={}), "Bundle.entry[1].search", "no place"),
    "another type": (
        add({"resourceType": "AllergyIntolerance", "note": CANARY}), "Bundle.entry[12].resource", "no place",
    ),
    "no encounter": (drop("Encounter"), "Bundle.entry", "has a Encounter"),
    "no impression": (drop("ClinicalImpression"), "Bundle.entry", "has a ClinicalImpression"),
    "no role": (drop("PractitionerRole"), "Bundle.entry", "has a PractitionerRole"),
    "two people": (add({"resourceType": "Patient"}), "Bundle.entry[12].resource", "one Patient"),
    "another service": (
        put("Composition", type={"coding": [{"system": "http://snomed.info/sct", "code": "371531000"}]}),
        "Bundle.entry[0].resource.type", "1577041000000109, 1659111000000107, 1659121000000101",
    ),
    "two types": (
        lambda t: resource(t, "Composition")["type"]["coding"].append({"code": CANARY}),
        "Bundle.entry[0].resource.type", "one code",
    ),
    "restricted": (put("Composition", confidentiality="R"), "Bundle.entry[0].resource.confidentiality", "only as: N"),
    "no title": (lambda t: resource(t, "Composition").pop("title"), "Bundle.entry[0].resource.title", "1 to 200"),
    "a title of two lines": (put("Composition", title=f"a\r\n{CANARY}"), "Bundle.entry[0].resource.title", "printable"),
    "not final": (put("Composition", status="preliminary"), "Bundle.entry[0].resource.status", "amended, final"),
    "section narrative": (
        lambda t: resource(t, "Composition")["section"][0].update(text=DIV),
        "Bundle.entry[0].resource.section[0].text", "narrative",
    ),
    "narrative": (put("Condition", text=DIV), "Bundle.entry[9].resource.text", "narrative"),
    "encounter in no section": (
        lambda t: resource(t, "Composition")["section"][0]["entry"].pop(0),
        "Bundle.entry[0].resource.section", "refers to the Encounter",
    ),
    "condition in no section": (
        lambda t: resource(t, "Composition")["section"][0]["entry"].pop(4),
        "Bundle.entry[9].resource", "No section refers",
    ),
    "a label": (
        put("Observation", meta={"security": [{"system": f"{T}/v3-ActCode", "code": "NOPAT"}]}),
        "Bundle.entry[6].resource.meta.security[0]", "no place",
    ),
    "another label": (
        put("Encounter", meta={"security": [{"system": f"{T}/v3-ActCode", "code": CANARY}]}),
        "Bundle.entry[1].resource.meta.security[0]", "no place",
    ),
    "a tag": (put("Condition", meta={"tag": [{"system": "http://snomed.info/sct", "code": CANARY}]}),
              "Bundle.entry[9].resource.meta.tag[0]", "no place"),
    "event with a code": (put("Composition", event=[{"code": [{"text": CANARY}]}]),
                          "Bundle.entry[0].resource.event[0]", "no place"),
    "event elsewhere": (put("Composition", event=[{"detail": [{"reference": "Observation/1"}]}]),
                        "Bundle.entry[0].resource.event[0]", "no place"),
    "request with words": (put("Encounter", basedOn=[{"reference": "ServiceRequest/1", "display": CANARY}]),
                           "Bundle.entry[1].resource.basedOn[0]", "no place"),
    "another person": (
        lambda t: resource(t, "Patient")["identifier"][0].update(value="9990000026"),
        "Bundle.entry[5].resource.identifier", "not the person",
    ),
    "no number": (put("Patient", identifier=[]), "Bundle.entry[5].resource.identifier", "not the person"),
    "another birthday": (put("Patient", birthDate="1980-02-04"), "Bundle.entry[5].resource.birthDate", "birth"),
    "another name": (put("Patient", name=[{"family": CANARY, "given": ["Zoë"]}]),
                     "Bundle.entry[5].resource.name", "official one"),
    "a nickname": (put("Patient", name=[{"use": "nickname", "family": "Müller-Jones", "given": ["Zoë"]}]),
                   "Bundle.entry[5].resource.name", "official one"),
    "two names": (lambda t: resource(t, "Patient")["name"].append({"text": CANARY}),
                  "Bundle.entry[5].resource.name", "one name"),
    "another practice": (
        put("Patient", generalPractitioner=[{"identifier": {
            "system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "B82002"}}]),
        "Bundle.entry[5].resource.generalPractitioner[0]", "not the practice",
    ),
    "another sender": (
        lambda t: resource(t, "Organization")["identifier"][0].update(value="FZZ02"),
        "Bundle.entry[2].resource", "ODS code",
    ),
    "a system that is not known": (put("Observation", code=LOINC),
                                   "Bundle.entry[6].resource.code.coding[0].system", "SNOMED CT or dm+d"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_record_is_refused_for_its_defect(name: str) -> None:
    change, place, text = BAD[name]
    tree = sent_record()
    change(tree)
    found = faults(tree)
    assert [each for each in found if each.startswith(f"{place}: ") and text in each], found


WELL: dict[str, Change] = {
    "a collection": lambda t: t.update(type="collection"),
    "technical labels": put("Condition", meta={"versionId": "7", "lastUpdated": "2026-03-04T10:00:00Z"}),
    "a referral named by identifier": put(
        "Encounter", basedOn=[{"type": "ServiceRequest", "identifier": {"value": "RG-1"}}]
    ),
    "a referral named by reference": put("Encounter", basedOn=[{"reference": "https://x/Task/1"}]),
    "the practice": put("Patient", generalPractitioner=[{"identifier": {
        "system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "A81001"}}]),
    "a number with blanks": lambda t: resource(t, "Patient")["identifier"][0].update(value="999 000 0018"),
    "another spelling of a system": lambda t: resource(t, "Patient")["identifier"][0].update(
        system="http://fhir.nhs.uk/Id/nhs-number"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WELL)
def test_what_says_no_more_changes_nothing(name: str) -> None:
    tree = sent_record()
    WELL[name](tree)
    if name == "technical labels":  # they take the place of the heading
        expected = sent_record()
        resource(expected, "Condition").pop("meta")
        assert written(a_practice_record(tree)) == written(a_practice_record(expected))
    else:
        assert written(a_practice_record(tree)) == written()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"mailbox": "a b"}, "MessageHeader.source.endpoint"),
        ({"created": datetime(2026, 3, 4)}, "Composition.date"),  # noqa: DTZ001
    ],
)
def test_what_every_message_needs_is_asked_for(changes: Any, place: str) -> None:
    assert [each for each in faults(sent_record(), **changes) if each.startswith(place)]


def test_a_person_that_mesh_cannot_route_by_is_refused() -> None:
    tree = sent_record()
    resource(tree, "Patient")["name"][0]["family"] = "Ł"
    patient = replace(a_practice_record().patient, family="Ł")
    assert "Latin-1" in faults(tree, patient=patient)[0]


def test_another_patient_of_the_same_name_is_refused() -> None:
    person = a_practice_record().patient
    other = replace(person, number=NhsNumber("9990000026"), birth_date=date(1980, 2, 4))
    assert len(faults(sent_record(), patient=other)) == 2


def test_a_message_of_5_mb_is_refused() -> None:
    tree = sent_record()
    resource(tree, "ClinicalImpression")["summary"] = "a" * 5_000_000
    assert "5 MB" in faults(tree)[0]


def test_all_faults_are_told_at_once_up_to_a_hundred() -> None:
    tree = sent_record()
    resource(tree, "Patient")["birthDate"] = "1980-02-04"
    resource(tree, "Condition")["stage"] = []
    assert len(faults(tree)) == 2
    resource(tree, "Observation").update({f"x{n}": 1 for n in range(150)})
    assert len(faults(tree)) == 101


KEYS = (
    "text note display valueString extension modifierExtension contained summary description stage "
    "hasMember derivedFrom valueInteger comment code coding system version reason performer recorder "
    "_status _birthDate type language implicitRules value unit use period title entry section focus"
).split()
VALUES = (
    CANARY, [CANARY], {"text": CANARY}, [{"text": CANARY}], {"display": CANARY},
    {"coding": [{"system": "http://snomed.info/sct", "code": CANARY}]}, {"value": CANARY},
    [{"url": "https://x.example", "valueString": CANARY}], {"extension": [{"valueString": CANARY}]},
    {"status": "generated", "div": f"<div>{CANARY}</div>"}, {"reference": CANARY},
    {"reference": "urn:uuid:bbbbbbbb-0000-4000-8000-000000000004", "display": CANARY},
)  # fmt: skip
DECLARED = {"id", "meta", "fullUrl"}
"""What the message has in place of what was sent; with the identifier of the Composition."""


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_put_anywhere_is_written_or_refused(data: st.DataObject) -> None:
    tree = sent_record()
    own = [tree, tree["identifier"], resource(tree, "Composition")["identifier"]]
    places = [
        each for each in objects_of(tree)
        if not any(each is mine for mine in own) and "profile" not in each
    ]  # fmt: skip
    place = data.draw(st.sampled_from(places))
    key = data.draw(st.sampled_from([*KEYS, *sorted(set(place) - DECLARED)]))
    assume((place.get("resourceType"), key) != ("Composition", "identifier"))
    place[key] = data.draw(st.sampled_from(VALUES))
    try:
        said = written(a_practice_record(tree)).body.decode()
    except InvalidMessageError:
        assert all(each.startswith("Bundle") for each in faults(tree))
    else:
        assert CANARY in said
