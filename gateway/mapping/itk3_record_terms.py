"""Which code systems a practice's system is sent, and by which names it knows them.

Values only. R4 renamed many lists of STU3, and changed some: the codes here are those that both
have. What is not here is refused. Source: FHIR 3.0.2 and 4.0.1, terminologies; UK Core; GP Connect
Update Record 1.2 and its published examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.mapping.itk3_envelope import PROFILE
from gateway.writeback.allowed import ALLOWED, SenderCategory

SNOMED: Final = "http://snomed.info/sct"
HEADINGS: Final = "https://fhir.nhs.uk/CodeSystem/RecordStandardHeadings"
"""Of `meta.tag`: the heading under which a part stands. Source: Update Record, PRSB headings."""

SERVICES: Final = ALLOWED[SenderCategory.COMMUNITY_PHARMACY]
"""What `Composition.type` may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A code system in STU3. `codes`: those that both versions have; None: all."""

    url: str
    codes: frozenset[str] | None = None


def _hl7(r4: str, stu3: str, codes: str) -> tuple[str, System]:
    url = f"http://hl7.org/fhir/{stu3}"
    return f"http://terminology.hl7.org/CodeSystem/{r4}", System(
        url=url, codes=frozenset(codes.split())
    )


def _same(url: str) -> tuple[str, System]:
    return url, System(url=url)


_CARE_CONNECT: Final = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect"
NOT_TO_PATIENT: Final = "NOPAT"
"""Of `Encounter.meta.security`, v3-ActCode: not to be shown to the patient without leave. The one
label that has a place. Source: Update Record, patient-facing services."""

_VERIFIED: Final = System(
    url=f"{_CARE_CONNECT}-NHSNumberVerificationStatus-1",
    codes=frozenset("01 02 03 04 05 06 07 08".split()),
)

SYSTEMS: Final[Mapping[str, System]] = dict(
    (
        _same(SNOMED),
        _same("https://dmd.nhs.uk"),
        _same("http://unitsofmeasure.org"),
        _same(HEADINGS),
        _same("https://fhir.nhs.uk/STU3/CodeSystem/GPConnect-ParticipantType-1"),
        _same("https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-MedicationSupplyType-1"),
        _same(f"{_CARE_CONNECT}-SDSJobRoleName-1"),
        _same("http://terminology.hl7.org/CodeSystem/observation-category"),
        (
            "https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName",
            System(url=f"{_CARE_CONNECT}-SDSJobRoleName-1"),
        ),
        ("https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland", _VERIFIED),
        _hl7("v3-ActCode", "v3/ActCode", "AMB HH VR NOPAT"),
        _hl7("v3-ParticipationType", "v3/ParticipationType", "PPRF PART SPRF ATND"),
        _hl7("v3-ObservationInterpretation", "v2/0078", "A AA H HH L LL N"),
        _hl7("data-absent-reason", "data-absent-reason", "unknown masked unsupported error"),
        _hl7("referencerange-meaning", "referencerange-meaning", "normal recommended treatment"),
        _hl7(
            "condition-category", "condition-category", "problem-list-item encounter-diagnosis"
        ),
        _hl7(
            "medicationdispense-category", "medication-dispense-category",
            "inpatient outpatient community",
        ),
    )
)  # fmt: skip
"""By the code system in R4. Codes of any other system are refused: nobody there would know them.
`observation-category` keeps its R4 name, as in the published examples of Update Record."""

LISTS: Final[Mapping[str, str]] = {
    "clinicalStatus": "http://terminology.hl7.org/CodeSystem/condition-clinical",
    "verificationStatus": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
}
"""Of which list a concept is that is a mere code in STU3."""

EXTENSIONS: Final[Mapping[str, str]] = {
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus": (
        f"{PROFILE}/Extension-CareConnect-GPC-NHSNumberVerificationStatus-1"
    ),
}
"""By its address in R4: its address in STU3. An Identifier alone has one; its value is a concept."""
