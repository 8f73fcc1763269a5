"""The minimum dataset: what a recipient in some role needs of a referral, and no more.

What enters: the table below. What leaves: MINIMUM, and the rows of one role. A row that cannot
be read is refused when the module is read. A type that a role has no row for is not in its
minimum, unless it is the reason of the referral. Source: UK GDPR, article 5(1)(c); GMC,
Confidentiality, paragraph 115: relevant information, not the whole record.

Not checked here: that the types and elements are FHIR's; a test compares them with its tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.referral.directory import ProviderRole

_ROWS = """
care-provider, community-pharmacy  | any              | always | *
oh-provider, national-service, eap | ServiceRequest   | always | *
oh-provider, national-service, eap | MessageHeader    | always | *
oh-provider, national-service, eap | Patient          | always | meta, extension.Extension-UKCore-ContactPreference, extension.patient-interpreterRequired, identifier, active, name, telecom, gender, birthDate, deceasedBoolean, deceasedDateTime, address, contact, communication, generalPractitioner, managingOrganization
oh-provider, national-service, eap | Consent, Organization, Practitioner, PractitionerRole, HealthcareService, Location, Task | always | *
oh-provider, national-service, eap | RelatedPerson, CareTeam, Encounter, EpisodeOfCare, CarePlan, Appointment, Communication, CommunicationRequest | led to | *
oh-provider, national-service, eap | Condition, Observation, DiagnosticReport, Procedure, ClinicalImpression, AllergyIntolerance, Medication, MedicationRequest, MedicationStatement, Questionnaire, QuestionnaireResponse | led to | *
oh-provider, national-service, eap | DocumentReference, Binary, Composition, Media, Device, Specimen, Provenance | led to | *
employer, hr                       | ServiceRequest   | always | identifier, status, intent, subject, authoredOn, requester, performer
employer, hr                       | Patient          | always | name, telecom
employer, hr                       | Organization, Practitioner, PractitionerRole, HealthcareService | led to | meta, identifier, active, name, telecom, practitioner, organization, providedBy
"""
"""Role | type of resource | when | elements.

`always`: in the minimum wherever it stands. `led to`: where the referral itself leads to it,
from one reference to the next: so the sender chose it. `*`: all elements; else those named,
with a resource's id and what it contains. `extension.x`: the extensions whose url ends in x."""

ANY_TYPE = "any"
ALL_ELEMENTS = "*"
_CELLS = 4
_EXTENSION = "extension."


class When(StrEnum):
    """On what condition a type is in the minimum."""

    ALWAYS = "always"
    LED_TO = "led to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What leaves of one type. `elements` None: all of them."""

    when: When
    elements: frozenset[str] | None
    extensions: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """The whole table: its text, and what leaves of each type, by role."""

    text: str
    shares: Mapping[ProviderRole, Mapping[str, Share]]

    def share(self, role: ProviderRole, type_: str) -> Share | None:
        """Return what a role needs of a type; None: nothing."""
        rows = self.shares[role]
        return rows.get(type_) or rows.get(ANY_TYPE)


def read_minimum(text: str) -> Minimum:
    """Read the table.

    Raises:
        ValueError: a row is not one, two speak of the same, or a role has none.
    """
    shares: dict[ProviderRole, dict[str, Share]] = {}
    for line in text.strip().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != _CELLS:
            msg = f"a row of the minimum dataset is role | type | when | elements, not: {line}"
            raise ValueError(msg)
        roles, types, when, elements = cells
        share = _share(When(when), elements)
        for role in roles.split(","):
            rows = shares.setdefault(ProviderRole(role.strip()), {})
            for type_ in types.split(","):
                if rows.setdefault(type_.strip(), share) is not share:
                    # Even where they say the same: whoever mends one would miss the other.
                    msg = f"two rows of the minimum dataset speak of {role}, {type_}"
                    raise ValueError(msg)
    if set(shares) != set(ProviderRole):
        msg = "the minimum dataset says nothing of some role"
        raise ValueError(msg)
    return Minimum(text=text, shares=shares)


def _share(when: When, elements: str) -> Share:
    if elements == ALL_ELEMENTS:
        return Share(when=when, elements=None)
    names = [name.strip() for name in elements.split(",")]
    return Share(
        when=when,
        elements=frozenset(name for name in names if not name.startswith(_EXTENSION)),
        extensions=frozenset(
            name.removeprefix(_EXTENSION) for name in names if name.startswith(_EXTENSION)
        ),
    )


MINIMUM = read_minimum(_ROWS)
