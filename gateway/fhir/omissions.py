"""What a BaRS message must have and real ones leave out: finders behind `tolerance`.

What enters: what one walk over a message has collected. What leaves: places, as FHIRPath, the
first of each kind only: a sender who leaves something out leaves it out everywhere. Nothing
is judged here that refuses a message. Source: BaRS Core, message bundle and patient.

Not looked at: anything that is no message; lastUpdated of single resources.
"""

import re
from collections.abc import Iterator
from typing import Final

from gateway.fhir.deviations import Seen
from gateway.referral.identifiers import NHS_NUMBER_SYSTEM, normal_system
from gateway.referral.json import JsonObject, child, objects, string, strings

_UK_CORE: Final = "https://fhir.hl7.org.uk"
_STATUS: Final = f"{_UK_CORE}/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"
_RANK: Final = f"{_UK_CORE}/StructureDefinition/Extension-UKCore-ContactRank"
_STATUSES: Final = f"{_UK_CORE}/CodeSystem/UKCore-NHSNumberVerificationStatus"
_PERMITTED: Final = frozenset(
    {
        (_STATUSES, "number-present-and-verified"),
        (_STATUSES, "number-present-but-not-traced"),
        (f"{_STATUSES}England", "01"),
        (f"{_STATUSES}England", "02"),
    }
)
"""Verified, and present but not traced, in the older system and in the newer."""

_URN: Final = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def entries_without_a_urn(seen: Seen) -> Iterator[str]:
    """Find the first entry of a message whose fullUrl is missing, or is no urn:uuid."""
    entries = objects(seen.tree, "entry") if _is_message(seen) else []
    for position, entry in enumerate(entries):
        if not _URN.fullmatch(string(entry, "fullUrl") or ""):
            yield f"Bundle.entry[{position}].fullUrl"
            return


def messages_without_a_profile(seen: Seen) -> Iterator[str]:
    """Find a message that claims no profile."""
    if _is_message(seen) and not strings(child(seen.tree, "meta") or {}, "profile"):
        yield "Bundle.meta.profile"


def messages_without_a_time_of_change(seen: Seen) -> Iterator[str]:
    """Find a message that does not say when it was last changed."""
    if _is_message(seen) and not string(child(seen.tree, "meta") or {}, "lastUpdated"):
        yield "Bundle.meta.lastUpdated"


def encounters_without_a_journey(seen: Seen) -> Iterator[str]:
    """Find the first Encounter of a message that does not name the journey."""
    for each in seen.of("Encounter") if _is_message(seen) else ():
        if not objects(each.node, "episodeOfCare"):
            yield f"{each.path}.episodeOfCare"
            return


def nhs_numbers_without_a_good_status(seen: Seen) -> Iterator[str]:
    """Find a Patient's first NHS number that is neither verified nor said to be not traced."""
    for each in seen.of("Patient") if _is_message(seen) else ():
        for position, identifier in enumerate(objects(each.node, "identifier")):
            system = normal_system(string(identifier, "system") or "")
            if system == NHS_NUMBER_SYSTEM and not _has_good_status(identifier):
                yield f"{each.path}.identifier[{position}]"
                return


def patients_without_a_first_contact(seen: Seen) -> Iterator[str]:
    """Find a Patient of a message with no contact of the rank 1, or with several."""
    for each in seen.of("Patient") if _is_message(seen) else ():
        if sum(_is_first(contact) for contact in objects(each.node, "contact")) != 1:
            yield f"{each.path}.contact"
            return


def services_that_are_not_active(seen: Seen) -> Iterator[str]:
    """Find the first HealthcareService of a message that does not say that it is active."""
    for each in seen.of("HealthcareService") if _is_message(seen) else ():
        if each.node.get("active") is not True:
            yield f"{each.path}.active"
            return


def _is_message(seen: Seen) -> bool:
    return string(seen.tree, "type") == "message" and bool(seen.of("MessageHeader"))


def _has_good_status(identifier: JsonObject) -> bool:
    return any(
        (normal_system(string(coding, "system") or ""), string(coding, "code")) in _PERMITTED
        for extension in objects(identifier, "extension")
        if string(extension, "url") == _STATUS
        for coding in objects(child(extension, "valueCodeableConcept") or {}, "coding")
    )


def _is_first(contact: JsonObject) -> bool:
    return any(
        string(extension, "url") == _RANK and extension.get("valuePositiveInt") == 1
        for extension in objects(contact, "extension")
    )
