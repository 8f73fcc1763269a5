"""Where real messages deviate: the finders behind the table in `tolerance`.

What enters: a message that `validate` has passed. What leaves: places, as FHIRPath. One walk
collects what any finder may ask about. A finder says where; the table says what, and why it
is tolerated. Nothing is judged here that refuses a message.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.fhir.visit import Visited, visit
from gateway.referral.identifiers import (
    BARS_USE_CASE_SYSTEM,
    NHS_NUMBER_SYSTEM,
    OWN_BASE,
    USE_CASE_SYSTEM,
    NhsNumber,
    normal_system,
)
from gateway.referral.json import JsonObject, child, objects, string, strings
from gateway.referral.snomed import is_sctid

SNOMED: Final = "http://snomed.info/sct"
DEFINITIONS: Final = "https://fhir.nhs.uk/MessageDefinition/"
UNREGISTERED_RESPONSE: Final = f"{DEFINITIONS}bars-message-servicerequest-request-response-short"
REGISTERED: Final = frozenset(
    f"{DEFINITIONS}bars-message-{name}"
    for name in (
        "booking-request", "booking-request-cancelled",
        "servicerequest-request-cancelled", "servicerequest-request-referral",
        "servicerequest-request-validation", "servicerequest-response-referral",
        "servicerequest-response-referral-short", "servicerequest-response-validation-full",
        "servicerequest-response-validation-interim",
    )
)  # fmt: skip
"""The message definitions that BaRS has registered. Source: BaRS assets, 1.41.0."""

CDSS_URLS: Final = ("RequesterCDSSsoftware", "RequesterCDSSversion")
_CDSS_IN_ANY_CASE: Final = frozenset(url.lower() for url in CDSS_URLS)
_SNOMED_GRAMMAR: Final = frozenset("|:=+,{}()")
"""Signs of a post-coordinated expression, which is no single identifier."""
_CANCELS: Final = ("update", "delete")
_CANCELLED: Final = ("revoked", "entered-in-error")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one walk collected: objects by type, and each system of an identifier or code."""

    tree: JsonObject
    by_type: Mapping[str, Sequence[Visited]]
    respelt: Sequence[tuple[str, str]]
    """Each system that is not in its normal spelling: as sent, and where."""

    def of(self, kind: str) -> Sequence[Visited]:
        """List what there is of a type, in the order of the message."""
        return self.by_type.get(kind, ())

    @property
    def header(self) -> JsonObject:
        """The MessageHeader; empty where there is none."""
        headers = self.of("MessageHeader")
        return headers[0].node if headers else {}


def look_at(tree: JsonObject) -> Seen:
    """Walk a message once and collect what the finders ask about."""
    by_type: dict[str, list[Visited]] = defaultdict(list)
    for each in visit(tree, _ASKED_ABOUT):
        by_type[each.type].append(each)
    return Seen(tree, by_type, list(_respelt(by_type)))


_ASKED_ABOUT: Final = frozenset(
    {
        "Coding", "Encounter", "Extension", "HealthcareService", "Identifier", "MessageHeader",
        "MessageHeader.destination", "MessageHeader.source", "Meta", "Patient", "Reference",
        "ServiceRequest",
    }
)  # fmt: skip


def _respelt(by_type: Mapping[str, Sequence[Visited]]) -> Iterator[tuple[str, str]]:
    for kind in ("Identifier", "Coding"):
        for each in by_type.get(kind, ()):
            system = string(each.node, "system")
            if system is not None and normal_system(system) != system:
                yield system, f"{each.path}.system"
    for kind in ("MessageHeader.destination", "MessageHeader.source"):
        for each in by_type.get(kind, ()):
            system = (string(each.node, "endpoint") or "").partition("|")[0]
            if normal_system(system) != system:
                yield system, f"{each.path}.endpoint"


def nhs_numbers_that_fail_the_check(seen: Seen) -> Iterator[str]:
    """Find NHS numbers of ten digits whose last is not right by modulus 11."""
    for each in seen.of("Identifier"):
        if normal_system(string(each.node, "system") or "") != NHS_NUMBER_SYSTEM:
            continue
        try:
            is_right = NhsNumber(string(each.node, "value") or "").checks
        except ValueError:
            continue  # no NHS number at all: refused elsewhere
        if not is_right:
            yield f"{each.path}.value"


def systems_with_http(seen: Seen) -> Iterator[str]:
    """Find NHS systems that begin with http."""
    return (place for system, place in seen.respelt if system[:5].lower() == "http:")


def systems_with_small_id(seen: Seen) -> Iterator[str]:
    """Find NHS systems with /id/ for /Id/."""
    return (place for system, place in seen.respelt if "/id/" in system)


def systems_with_small_codesystem(seen: Seen) -> Iterator[str]:
    """Find NHS systems with /Codesystem/ for /CodeSystem/."""
    return (place for system, place in seen.respelt if "/Codesystem/" in system)


def use_case_systems_in_the_singular(seen: Seen) -> Iterator[str]:
    """Find the system of the BaRS use cases without the s of its plural."""
    return (place for system, place in seen.respelt if system.endswith("/usecase-categories-bars"))


def use_cases_in_capitals(seen: Seen) -> Iterator[str]:
    """Find use-case codes that are not in lower case."""
    for each in seen.of("Coding"):
        system, code = string(each.node, "system") or "", string(each.node, "code") or ""
        if code != code.lower() and normal_system(system) in _USE_CASES:
            yield f"{each.path}.code"


_USE_CASES: Final = (BARS_USE_CASE_SYSTEM, USE_CASE_SYSTEM)


def cdss_urls_spelt_otherwise(seen: Seen) -> Iterator[str]:
    """Find the parts of the CDSS extension whose url differs by capitals only."""
    for each in seen.of("Extension"):
        url = string(each.node, "url") or ""
        if url not in CDSS_URLS and url.lower() in _CDSS_IN_ANY_CASE:
            yield f"{each.path}.url"


def profiles_with_the_typo(seen: Seen) -> Iterator[str]:
    """Find the profile of the message header with two capitals in Message."""
    for each in seen.of("Meta"):
        for position, url in enumerate(strings(each.node, "profile")):
            if "/BARSMEssageHeader" in url:
                yield f"{each.path}.profile[{position}]"


def cancellations_by_delete(seen: Seen) -> Iterator[str]:
    """Find the reason delete in the header of a message."""
    for each in seen.of("MessageHeader"):
        for position, coding in enumerate(_reasons(each.node)):
            if (string(coding, "code") or "").lower() == "delete":
                yield f"{each.path}.reason.coding[{position}].code"


def cancellations_with_another_category(seen: Seen) -> Iterator[str]:
    """Find the category of a cancellation, where it is validation."""
    if not any((string(c, "code") or "").lower() in _CANCELS for c in _reasons(seen.header)):
        return
    for each in seen.of("ServiceRequest"):
        if string(each.node, "status") not in _CANCELLED:
            continue
        for position, concept in enumerate(objects(each.node, "category")):
            if any(string(c, "code") == "validation" for c in objects(concept, "coding")):
                yield f"{each.path}.category[{position}]"


def unregistered_responses(seen: Seen) -> Iterator[str]:
    """Find the definition that official responses name and nobody has registered."""
    for each in seen.of("MessageHeader"):
        if _definition(each.node) == UNREGISTERED_RESPONSE:
            yield f"{each.path}.definition"


def unknown_definitions(seen: Seen) -> Iterator[str]:
    """Find a definition that is neither of BaRS nor of this gateway."""
    for each in seen.of("MessageHeader"):
        named = _definition(each.node)
        known = {*REGISTERED, UNREGISTERED_RESPONSE, ""}
        if named not in known and not named.startswith(f"{OWN_BASE}/MessageDefinition/"):
            yield f"{each.path}.definition"


def references_that_lead_nowhere(seen: Seen) -> Iterator[str]:
    """Find references to a urn:uuid that no entry has; a journey's id is exempt."""
    known = {string(entry, "fullUrl") for entry in objects(seen.tree, "entry")}
    for each in seen.of("Reference"):
        text = string(each.node, "reference") or ""
        if each.name != "episodeOfCare" and text.startswith("urn:uuid:") and text not in known:
            yield f"{each.path}.reference"


def snomed_codes_that_fail_the_check(seen: Seen) -> Iterator[str]:
    """Find SNOMED CT codes that are no identifiers; expressions are not judged."""
    for each in seen.of("Coding"):
        code = string(each.node, "code")
        if code is None or string(each.node, "system") != SNOMED or is_sctid(code):
            continue
        if _SNOMED_GRAMMAR.isdisjoint(code):
            yield f"{each.path}.code"


def _reasons(header: JsonObject) -> list[JsonObject]:
    return objects(child(header, "reason") or {}, "coding")


def _definition(header: JsonObject) -> str:
    return normal_system((string(header, "definition") or "").partition("|")[0])
