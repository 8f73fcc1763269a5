"""Everything that is wrong with a message, and everything that only deviates.

What enters: a tree. What leaves: faults: errors refuse it whole; warnings are told to the
sender, and what they are about is read in its normal form. Both doors, `$validate` and
`gateway validate` ask here, so that a dry run says what the door would say. Not checked:
who sends it, whether the service is known, and whether sharing is permitted.
"""

import re
from collections.abc import Mapping, Sequence

from gateway.errors import (
    Fault,
    InvalidMessageError,
    MessageError,
    ProfileError,
    Severity,
)
from gateway.fhir.bars.cancellation import read_notice
from gateway.fhir.bars.check import DEFAULT_DEFINITION, check_message, check_version
from gateway.fhir.bars.message import (
    CATEGORY_SYSTEM,
    EVENT_SYSTEM,
    REASON_SYSTEM,
    coded,
    open_message,
)
from gateway.fhir.bars.workflow import RESPONSE, Meaning
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.read_consent import read_consent
from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.read_referral import read_referral
from gateway.fhir.tolerance import tolerated
from gateway.fhir.validate import validate
from gateway.referral.identifiers import OWN_BASE, USE_CASE_SYSTEM
from gateway.referral.json import JsonObject, child, objects, string

_PROFILES = f"{OWN_BASE}/StructureDefinition/"
REST_PROFILES: Mapping[str, str] = {
    "oh-referral": f"{_PROFILES}oh-referral",
    "work-health-referral": f"{_PROFILES}work-health-referral",
}
"""What a referral of one of our own use cases is held against at the REST door."""
_ANY_REFERRAL = f"{_PROFILES}referral"
_REGISTERED = f"{_PROFILES}registered-consent"
_PEOPLE = {"Patient": (f"{_PROFILES}patient",), "Organization": (f"{_PROFILES}organization",)}


def require_own(profiles: Profiles) -> Profiles:
    """Check that a folder has the profiles and messages without which nothing can be taken.

    Raises:
        ProfileError: one is missing; the text names them all.
    """
    people = [url for urls in _PEOPLE.values() for url in urls]
    wanted = [_ANY_REFERRAL, _REGISTERED, *REST_PROFILES.values(), *people]
    missing = [url for url in wanted if url not in profiles.by_url]
    missing += [url for url in DEFAULT_DEFINITION.values() if url not in profiles.messages]
    if missing:
        listed = "\n".join(f"  {url}" for url in missing)
        msg = f"the folder of profiles lacks what messages are held against:\n{listed}"
        raise ProfileError(msg)
    return profiles


def check_structure(tree: JsonObject, profiles: Profiles) -> Sequence[Fault]:
    """Check a message against R4, the profiles that apply, and the list of what is tolerated.

    Returns: the warnings.

    Raises:
        UnsupportedMessageError: a message of another application version.
        InvalidMessageError: every fault, the warnings among them. Where the message is valid
            R4, what reading it would refuse is among them too.
    """
    if string(tree, "resourceType") == "Bundle" and string(tree, "type") == "message":
        check_version(tree)
    found = validate(tree, profiles=profiles, expected=expected_of(tree, profiles))
    if not any(is_error(fault) for fault in found):
        return [*found, *tolerated(tree)]
    if any(is_error(fault) for fault in validate(tree)):
        raise InvalidMessageError(*found)
    try:
        _read(tree, profiles)
    except InvalidMessageError as refusal:
        raise InvalidMessageError(*_merged(refusal.faults, found)) from None
    except MessageError:
        pass  # another refusal, which comes after this one
    raise InvalidMessageError(*found)


def examine(tree: JsonObject, profiles: Profiles) -> Sequence[Fault]:
    """Find everything that the door would find; empty where there is nothing to say.

    A message, a Consent, or a new referral in any form of the REST door, is read as the door
    would.
    """
    try:
        found = check_structure(tree, profiles)
        _read(tree, profiles)
    except MessageError as refusal:
        return refusal.faults
    return found


def _merged(read: Sequence[Fault], found: Sequence[Fault]) -> Sequence[Fault]:
    """Put what reading found before what profiles found, unless it is at the same place."""
    places = {_place(fault) for fault in read}
    return [*read, *(fault for fault in found if _place(fault) not in places)]


def _place(fault: Fault) -> str:
    return re.sub(r"\[\d+\]$", "", fault.expression or "")


def _read(tree: JsonObject, profiles: Profiles) -> None:
    """Read a tree as the door would; raise what the door would raise."""
    if string(tree, "resourceType") == "Consent":
        read_consent(tree)
        return
    if string(tree, "resourceType") not in ("Bundle", "ServiceRequest"):
        return  # a part of a referral, or what answers one
    if string(tree, "type") != "message":
        read_referral(tree)
        return
    message = open_message(tree)
    meaning = check_message(message, None, profiles)
    if meaning is Meaning.CANCELLATION:
        read_notice(message)
    elif meaning is Meaning.RESPONSE:
        read_outcome(tree)
    else:
        read_referral(tree)


def expected_of(tree: JsonObject, profiles: Profiles) -> Mapping[str, Sequence[str]]:
    """Name the profiles that the resources of a message are held against, by type.

    It looks at an unchecked tree, so it believes nothing and refuses nothing.
    """
    resources = _resources(tree)
    header = next((r for r in resources if string(r, "resourceType") == "MessageHeader"), None)
    request = next((r for r in resources if string(r, "resourceType") == "ServiceRequest"), None)
    categories = objects(request, "category") if request else []
    if string(tree, "resourceType") == "Consent":
        return {"Consent": (_REGISTERED,), **_PEOPLE}
    if string(tree, "type") != "message":
        used = sorted(coded(categories, USE_CASE_SYSTEM))
        profile = next((REST_PROFILES[code] for code in used if code in REST_PROFILES), None)
        return {"ServiceRequest": (profile or _ANY_REFERRAL,), **_PEOPLE} if request else {}
    if header is None:
        return {}
    if RESPONSE in coded([{"coding": [child(header, "eventCoding") or {}]}], EVENT_SYSTEM):
        return profiles.messages[DEFAULT_DEFINITION[Meaning.RESPONSE]].expected
    reasons = coded([child(header, "reason") or {}], REASON_SYSTEM)
    if reasons & {"update", "delete"}:
        return profiles.messages[DEFAULT_DEFINITION[Meaning.CANCELLATION]].expected
    if "referral" not in coded(categories, CATEGORY_SYSTEM):
        return {}
    named = (string(header, "definition") or "").partition("|")[0]
    default = DEFAULT_DEFINITION[Meaning.NEW_REFERRAL]
    return (profiles.messages.get(named) or profiles.messages[default]).expected


def is_error(fault: Fault) -> bool:
    """Whether a fault refuses the message."""
    return fault.severity in (Severity.ERROR, Severity.FATAL)


def _resources(tree: JsonObject) -> list[JsonObject]:
    inside = [child(entry, "resource") or {} for entry in objects(tree, "entry")]
    return [tree, *objects(tree, "contained"), *inside]
