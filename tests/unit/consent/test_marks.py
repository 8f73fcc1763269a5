"""What a message marks: protection, objections, work and absence."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.consent.items import INLINE_LABEL
from gateway.consent.marks import Marks, marks_of
from gateway.consent.objections import Objections
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import Json, JsonObject
from tests.builders.consent import ACT_CODE, ACT_REASON, CONFIDENTIALITY, coding, concept

AT = datetime(2026, 10, 14, 12, 0, tzinfo=UTC)
NOTHING = Marks(
    is_protected=False,
    objections=Objections(dissent=False, declined=(), type1=False),
    employed=True,
    absence_ok=True,
    practice_is_employer=None,
)
SNOMED = "http://snomed.info/sct"


def marks(*resources: JsonObject, **request: Json) -> Marks:
    entries: list[Json] = [
        {"resource": {"resourceType": "ServiceRequest", **request}},
        {"fullUrl": "urn:uuid:empty"},
    ]
    entries += [{"resource": each} for each in resources]
    in_a_bundle = marks_of({"resourceType": "Bundle", "entry": entries}, AT)
    contained: JsonObject = {
        "resourceType": "ServiceRequest", "contained": [*resources], **request
    }  # fmt: skip
    assert marks_of(contained, AT) == in_a_bundle
    return in_a_bundle


def labelled(type_: str, *labels: JsonObject) -> JsonObject:
    return {"resourceType": type_, "meta": {"security": [*labels]}}


def observed(code: str, **changes: Json) -> JsonObject:
    return {"resourceType": "Observation", "code": concept(SNOMED, code), **changes}


def extension(name: str, **parts: JsonObject) -> JsonObject:
    inner: list[Json] = [{"url": url, **value} for url, value in parts.items()]
    return {"url": f"{OWN_BASE}/StructureDefinition/{name}", "extension": inner}


def coded(code: str) -> JsonObject:
    return {"valueCodeableConcept": concept("https://example.org", code)}


def test_a_plain_message_marks_nothing() -> None:
    plain = labelled("Patient", coding(CONFIDENTIALITY, "N"))
    assert marks(plain, {"resourceType": "Observation", "code": {"text": "x"}}) == NOTHING


@pytest.mark.parametrize(
    "label",
    [
        coding(CONFIDENTIALITY, "R"),
        coding(CONFIDENTIALITY, "V"),
        coding("https://example.org", "X"),
    ],
    ids=["restricted", "very restricted", "a label nobody knows"],
)
def test_a_patient_who_is_marked_restricted_is_protected(label: JsonObject) -> None:
    assert marks(labelled("Patient", label)).is_protected


def test_a_label_inside_the_patient_protects_the_whole_of_it() -> None:
    inline: JsonObject = {"url": INLINE_LABEL, "valueCoding": coding(CONFIDENTIALITY, "R")}
    assert marks({"resourceType": "Patient", "address": [{"extension": [inline]}]}).is_protected


@pytest.mark.parametrize("label", [coding(ACT_CODE, "PSY"), coding(ACT_REASON, "HTEST")])
def test_a_patient_with_another_label_is_not_protected_for_it(label: JsonObject) -> None:
    assert marks(labelled("Patient", label)) == NOTHING


def test_what_is_restricted_beside_the_patient_does_not_protect_the_patient() -> None:
    assert marks(labelled("Observation", coding(CONFIDENTIALITY, "R"))) == NOTHING


def test_objections_in_the_record_are_seen() -> None:
    assert marks(observed("320011000000108")).objections.dissent
    assert marks(observed("827241000000103")).objections.type1


@pytest.mark.parametrize(
    "other",
    [
        observed("320011000000108", status="entered-in-error"),
        observed("319951000000105"),
        {"resourceType": "Flag", "code": concept("https://example.org", "320011000000108")},
    ],
    ids=["an error", "a consent", "another list"],
)
def test_what_is_no_objection_is_none(other: JsonObject) -> None:
    assert marks(other) == NOTHING


@pytest.mark.parametrize(
    ("status", "employed"),
    [("employed", True), ("agency", True), ("self-employed", None), ("not-employed", False)],
)
def test_the_forms_word_on_work_counts(status: str, *, employed: bool | None) -> None:
    found = marks(extension=[extension("employment", status=coded(status))])
    assert found.employed is employed


@pytest.mark.parametrize("answer", [True, False])
def test_the_form_says_whether_the_practice_is_the_employer(*, answer: bool) -> None:
    part: JsonObject = {"valueBoolean": answer}
    found = marks(extension=[extension("employment", practiceIsEmployer=part)])
    assert (found.practice_is_employer, found.employed) == (answer, True)


def day(text: Json) -> JsonObject:
    return {"valueDate": text}


def lasting(value: Json, code: str) -> JsonObject:
    return {"valueDuration": {"value": value, "code": code}}


ABSENT = coded("absent")


@pytest.mark.parametrize(
    ("parts", "is_long"),
    [
        ({"status": coded("returned"), "start": day("2026-01-01")}, False),
        ({"status": ABSENT}, True),
        ({"status": ABSENT, "start": day("2026-09-16")}, True),
        ({"status": ABSENT, "start": day("2026-09-17")}, True),
        ({"start": day("2026-09-17"), "expectedReturn": day("2026-10-15")}, True),
        ({"start": day("2026-09-17"), "expectedReturn": day("2026-10-14")}, False),
        ({"start": day("2026-09-16"), "expectedReturn": day("2026-10-01")}, True),
        ({"start": day("2026-10-12"), "expectedLength": lasting(4, "wk")}, True),
        ({"start": day("2026-10-12"), "expectedLength": lasting(27, "d")}, False),
        ({"expectedLength": lasting(Decimal("3.5"), "wk")}, False),
        ({"expectedLength": lasting(1, "mo")}, True),
        ({"expectedLength": lasting("many", "wk")}, True),
        ({"expectedReturn": day("2026-10-15")}, True),
        ({"start": day("2026-13-01"), "expectedLength": lasting(1, "d")}, False),
        ({"start": day(None)}, True),
    ],
)
def test_an_absence_is_too_short_only_where_the_form_says_so(
    parts: dict[str, JsonObject], *, is_long: bool
) -> None:
    assert marks(extension=[extension("absence", **parts)]).absence_ok is is_long
