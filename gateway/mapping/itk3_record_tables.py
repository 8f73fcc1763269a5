"""What of FHIR R4 has a place in an Update Record message, and which place in STU3.

Values only. Each line: an element's name in R4; what it holds; its name in STU3 where that is
another; how many of it STU3 takes where R4 takes more; which codes are taken, of those that both
know; to what it may refer. The order is that of STU3. What has no line here is refused, so that
nothing is lost. Source: FHIR 3.0.2 and 4.0.1; GP Connect Update Record 1.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.mapping.itk3_envelope import PROFILE, UK_PROFILE

PRIMITIVE: Final = "primitive"
CODE_OF_CONCEPT: Final = "code of a concept"
"""A CodeableConcept in R4, with one code of one list; a mere code in STU3."""
TEXT_OF_NOTE: Final = "text of a note"
"""An Annotation in R4, with nothing but its text; a mere text in STU3."""
IN_PLACE: Final = "in place"
"""An element in R4 whose parts stand by themselves in STU3."""
REFERENCE: Final = "Reference"
CODING: Final = "Coding"
EXTENSION: Final = "Extension"
IDENTIFIER: Final = "Identifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One element. `most`: None where STU3 takes as many as R4. `codes`, `to`: empty, any."""

    r4: str
    holds: str
    stu3: str
    most: int | None = None
    codes: frozenset[str] = frozenset()
    to: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A resource: its profile, and its elements after `id` and `meta`."""

    profile: str
    lines: tuple[Line, ...]


def _line(
    r4: str, holds: str = PRIMITIVE, *, stu3: str = "", most: int | None = None, codes: str = "",
    to: str = "",
) -> Line:  # fmt: skip
    return Line(
        r4=r4, holds=holds, stu3=stu3 or r4, most=most,
        codes=frozenset(codes.split()), to=frozenset(to.split()),
    )  # fmt: skip


def _plain(names: str) -> tuple[Line, ...]:
    return tuple(_line(name) for name in names.split())


_CONCEPT: Final = "CodeableConcept"
_PEOPLE: Final = "Practitioner Organization"
_NAMED: Final = (_line("identifier", IDENTIFIER),)
_ABOUT: Final = (
    _line("subject", REFERENCE, to="Patient"),
    _line("encounter", REFERENCE, stu3="context", to="Encounter"),
)
_RANGE: Final = _line("referenceRange", "ReferenceRange")
_INTERPRETED: Final = (
    _line("dataAbsentReason", _CONCEPT),
    _line("interpretation", _CONCEPT, most=1),
)
_VALUES: Final = (
    _line("valueQuantity", "Quantity"),
    _line("valueCodeableConcept", _CONCEPT),
    _line("valueString"),
    _line("valueRange", "Range"),
    _line("valueRatio", "Ratio"),
    _line("valueTime"),
    _line("valueDateTime"),
    _line("valuePeriod", "Period"),
)

TYPES: Final[Mapping[str, tuple[Line, ...]]] = {
    EXTENSION: (_line("valueCodeableConcept", _CONCEPT),),
    IDENTIFIER: (
        _line("extension", EXTENSION),
        _line("use", codes="usual official temp secondary"),
        *_plain("system value"),
        _line("period", "Period"),
    ),
    REFERENCE: (_line("identifier", IDENTIFIER), _line("display")),
    "Meta": (_line("security", CODING), _line("tag", CODING)),
    "Period": _plain("start end"),
    "Quantity": _plain("value comparator unit system code"),
    "Range": (_line("low", "Quantity"), _line("high", "Quantity")),
    "Ratio": (_line("numerator", "Quantity"), _line("denominator", "Quantity")),
    CODING: _plain("system version code display userSelected"),
    _CONCEPT: (_line("coding", CODING), _line("text")),
    "HumanName": (
        *_plain("use text family given prefix suffix"),
        _line("period", "Period"),
    ),
    "ContactPoint": (*_plain("system value use rank"), _line("period", "Period")),
    "Address": (
        _line("use", codes="home work temp old"),
        *_plain("type text line city district state postalCode country"),
        _line("period", "Period"),
    ),
    "Annotation": (
        _line("authorReference", REFERENCE, to="Practitioner Patient"),
        *_plain("authorString time text"),
    ),
    "Attester": (
        *_plain("mode time"),
        _line("party", REFERENCE, to=f"{_PEOPLE} Patient"),
    ),
    "Replaced": (_line("code", codes="replaces"), _line("targetIdentifier", IDENTIFIER)),
    "Section": (
        _line("title"),
        _line("code", _CONCEPT),
        _line(
            "entry", REFERENCE,
            to="Encounter ClinicalImpression MedicationDispense Observation Condition"
            " Patient Practitioner PractitionerRole Organization",
        ),
    ),
    "Participant": (
        _line("type", _CONCEPT),
        _line("period", "Period"),
        _line("individual", REFERENCE, to="Practitioner"),
    ),
    "ReferenceRange": (
        _line("low", "Quantity"),
        _line("high", "Quantity"),
        _line("type", _CONCEPT),
        _line("text"),
    ),
    "Component": (_line("code", _CONCEPT), *_VALUES, *_INTERPRETED, _RANGE),
    "Performer": (_line("actor", REFERENCE, to=f"{_PEOPLE} Patient"),),
    "Dosage": (
        *_plain("sequence text"),
        _line("additionalInstruction", _CONCEPT),
        _line("patientInstruction"),
        _line("timing", "Timing"),
        _line("asNeededBoolean"),
        _line("asNeededCodeableConcept", _CONCEPT),
        _line("site", _CONCEPT),
        _line("route", _CONCEPT),
        _line("method", _CONCEPT),
        _line("doseAndRate", IN_PLACE, stu3="Dose", most=1),
        _line("maxDosePerPeriod", "Ratio"),
        _line("maxDosePerAdministration", "Quantity"),
    ),
    "Dose": (_line("doseRange", "Range"), _line("doseQuantity", "Quantity")),
    "Timing": (_line("repeat", "Repeat"),),
    "Repeat": (
        _line("boundsDuration", "Quantity"),
        _line("boundsPeriod", "Period"),
        *_plain("count countMax duration durationMax durationUnit frequency frequencyMax period"),
        *_plain("periodMax periodUnit dayOfWeek timeOfDay"),
    ),
}  # fmt: skip
"""By what an element holds: its own elements. `Replaced` is a Composition's `relatesTo`."""

RESOURCES: Final[Mapping[str, Shape]] = {
    "Composition": Shape(
        profile=f"{UK_PROFILE}/CareConnect-Composition-1",
        lines=(
            *_NAMED,
            _line("status", codes="final amended"),
            _line("type", _CONCEPT),
            _line("subject", REFERENCE, to="Patient"),
            _line("encounter", REFERENCE, to="Encounter"),
            _line("date"),
            _line("author", REFERENCE, to="Practitioner Patient"),
            _line("title"),
            _line("confidentiality", codes="N"),
            _line("attester", "Attester"),
            _line("custodian", REFERENCE, to="Organization"),
            _line("relatesTo", "Replaced"),
            _line("section", "Section"),
        ),
    ),
    "Encounter": Shape(
        profile=f"{PROFILE}/CareConnect-GPC-Encounter-1",
        lines=(
            *_NAMED,
            _line("status", codes="in-progress finished"),
            _line("class", CODING),
            _line("type", _CONCEPT),
            _line("subject", REFERENCE, to="Patient"),
            _line("participant", "Participant"),
            _line("period", "Period"),
            _line("reasonCode", _CONCEPT, stu3="reason"),
            _line("serviceProvider", REFERENCE, to="Organization"),
        ),
    ),
    "Organization": Shape(
        profile=f"{PROFILE}/CareConnect-GPC-Organization-1",
        lines=(
            *_NAMED,
            *_plain("active name"),
            _line("telecom", "ContactPoint"),
            _line("address", "Address"),
        ),
    ),
    "Practitioner": Shape(
        profile=f"{PROFILE}/CareConnect-GPC-Practitioner-1",
        lines=(
            *_NAMED,
            _line("active"),
            _line("name", "HumanName"),
            _line("telecom", "ContactPoint"),
            _line("gender"),
        ),
    ),
    "PractitionerRole": Shape(
        profile=f"{PROFILE}/CareConnect-GPC-PractitionerRole-1",
        lines=(
            *_NAMED,
            _line("active"),
            _line("period", "Period"),
            _line("practitioner", REFERENCE, to="Practitioner"),
            _line("organization", REFERENCE, to="Organization"),
            _line("code", _CONCEPT),
            _line("telecom", "ContactPoint"),
        ),
    ),
    "Patient": Shape(
        profile=f"{PROFILE}/CareConnect-GPC-Patient-1",
        lines=(
            *_NAMED,
            _line("active"),
            _line("name", "HumanName"),
            _line("telecom", "ContactPoint"),
            *_plain("gender birthDate"),
            _line("address", "Address"),
            _line("generalPractitioner", REFERENCE, to=_PEOPLE),
        ),
    ),
    "Observation": Shape(
        profile=f"{PROFILE}/CareConnect-GPC-Observation-1",
        lines=(
            *_NAMED,
            _line("status", codes="preliminary final amended corrected"),
            _line("category", _CONCEPT),
            _line("code", _CONCEPT),
            *_ABOUT,
            _line("effectiveDateTime"),
            _line("effectivePeriod", "Period"),
            _line("issued"),
            _line("performer", REFERENCE, to=f"{_PEOPLE} Patient"),
            *_VALUES,
            _line("valueBoolean"),
            *_INTERPRETED,
            _line("note", TEXT_OF_NOTE, stu3="comment", most=1),
            _line("bodySite", _CONCEPT),
            _line("method", _CONCEPT),
            _RANGE,
            _line("component", "Component"),
        ),
    ),
    "MedicationDispense": Shape(
        profile=f"{PROFILE}/CareConnect-GPC-MedicationDispense-1",
        lines=(
            *_NAMED,
            _line("status", codes="in-progress completed"),
            _line("category", _CONCEPT),
            _line("medicationCodeableConcept", _CONCEPT),
            _line("subject", REFERENCE, to="Patient"),
            _line("context", REFERENCE, to="Encounter"),
            _line("performer", "Performer"),
            _line("type", _CONCEPT),
            _line("quantity", "Quantity"),
            _line("daysSupply", "Quantity"),
            *_plain("whenPrepared whenHandedOver"),
            _line("note", "Annotation"),
            _line("dosageInstruction", "Dosage"),
        ),
    ),
    "Condition": Shape(
        profile=f"{PROFILE}/CareConnect-GPC-Condition-1",
        lines=(
            *_NAMED,
            _line(
                "clinicalStatus", CODE_OF_CONCEPT,
                codes="active recurrence inactive remission resolved",
            ),
            _line(
                "verificationStatus", CODE_OF_CONCEPT,
                codes="provisional differential confirmed refuted",
            ),
            _line("category", _CONCEPT),
            _line("severity", _CONCEPT),
            _line("code", _CONCEPT),
            _line("bodySite", _CONCEPT),
            *_ABOUT,
            _line("onsetDateTime"),
            _line("onsetAge", "Quantity"),
            _line("onsetPeriod", "Period"),
            _line("onsetString"),
            _line("abatementDateTime"),
            _line("abatementPeriod", "Period"),
            _line("abatementString"),
            _line("recordedDate", stu3="assertedDate"),
            _line("asserter", REFERENCE, to="Practitioner Patient"),
            _line("note", "Annotation"),
        ),
    ),
    "ClinicalImpression": Shape(
        profile=f"{PROFILE}/CareConnect-GPC-ClinicalImpression-1",
        lines=(
            *_NAMED,
            _line("status", codes="completed"),
            _line("code", _CONCEPT),
            _line("description"),
            *_ABOUT,
            _line("effectiveDateTime"),
            _line("effectivePeriod", "Period"),
            _line("date"),
            _line("assessor", REFERENCE, to="Practitioner"),
            _line("summary"),
            _line("note", "Annotation"),
        ),
    ),
}  # fmt: skip
"""By type, in the order in which they stand in the document."""

LANGUAGE: Final = _line("language")
"""Of every resource, after `meta`."""

CLINICAL: Final = frozenset(
    {"Observation", "MedicationDispense", "Condition", "ClinicalImpression"}
)
"""What is for the record: each is named in a section."""
