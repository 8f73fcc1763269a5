"""Objections that a GP record codes: to sharing with a third party, and the Type 1 opt-out.

What enters: the resources of one message. What leaves: Objections. A code of the record counts
in any resource, as its code, its value, or a component's; one that was entered in error, or a
Flag whose period is over, does not. A later code that takes an objection back makes it unknown,
not gone: of sharing, nobody can tell whether both are about the same third party; of Type 1,
the code for its withdrawal is not confirmed. A person then decides.

Not objections to this: refusals of an upload to a national or local shared record, the Type 2
opt-out (replaced by the national data opt-out in 2018), and enhanced review before access.
Source: SNOMED CT UK; the sharing rules, section 3.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.consent.facts import Dissent
from gateway.consent.moments import is_after, is_within
from gateway.referral.json import JsonObject, child, objects, string

_SNOMED = re.compile(r"https?://snomed\.info/sct\b.*|urn:oid:2\.16\.840\.1\.113883\.6\.96")
"""SNOMED CT by its URL, of whatever edition, or by its OID."""
_DECLINED_THIRD_PARTY = "320011000000108"
_AGREED_THIRD_PARTY = "319951000000105"
_TYPE_1 = "827241000000103"
_TYPE_1_WITHDRAWN = "827261000000102"
_NOT_COUNTED = frozenset({"entered-in-error", "cancelled", "inactive"})
_TIMES = (
    "effectiveDateTime",
    "effectiveInstant",
    "performedDateTime",
    "onsetDateTime",
    "recordedDate",
    "issued",
)
_PERIODS = ("effectivePeriod", "performedPeriod", "period")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objections:
    """What was found. None: something was, and something later that may take it back.

    `declined`: when each refusal to share was recorded, as far as it says so.
    """

    dissent: bool | None
    declined: tuple[str | None, ...]
    type1: bool | None


def objections_of(resources: Iterable[JsonObject], at: datetime) -> Objections:
    """Read the objections of one message, as of an instant."""
    coded = [found for resource in resources for found in _coded(resource, at)]
    declined = _times(coded, _DECLINED_THIRD_PARTY)
    return Objections(
        dissent=_stands(declined, _times(coded, _AGREED_THIRD_PARTY)),
        declined=declined,
        type1=_stands(_times(coded, _TYPE_1), _times(coded, _TYPE_1_WITHDRAWN)),
    )


def dissent_against(objections: Objections, given: str | None) -> Dissent | None:
    """Tell a refusal to share from before a consent from one after it.

    One whose time nobody can compare counts as older: for an explicit purpose it then waits
    for the practice, and direct care is refused.

    Args:
        objections: what the record codes.
        given: when the consent beside it was given, as written; None where there is none.
    """
    if not objections.dissent:
        return Dissent.NONE if objections.dissent is False else None
    is_later = given is not None and any(is_after(t, given) for t in objections.declined)
    return Dissent.AFTER_CONSENT if is_later else Dissent.BEFORE_CONSENT


def _coded(resource: JsonObject, at: datetime) -> Iterator[tuple[str, str | None]]:
    """Give each SNOMED CT code of a resource that counts, with its time."""
    if resource.get("status") in _NOT_COUNTED:
        return
    period = next((child(resource, name) for name in _PERIODS if name in resource), None)
    if resource.get("resourceType") == "Flag" and is_within(period, at) is False:
        return
    time = next((string(resource, name) for name in _TIMES if name in resource), None)
    for coding in _codings(resource):
        code = string(coding, "code")
        if code is not None and _SNOMED.fullmatch(string(coding, "system") or ""):
            yield code, time or string(period or {}, "start")


def _codings(resource: JsonObject) -> Iterator[JsonObject]:
    for part in (resource, *objects(resource, "component")):
        for name in ("code", "valueCodeableConcept"):
            yield from objects(child(part, name) or {}, "coding")


def _times(coded: Sequence[tuple[str, str | None]], code: str) -> tuple[str | None, ...]:
    return tuple(time for found, time in coded if found == code)


def _stands(made: Sequence[str | None], taken_back: Sequence[str | None]) -> bool | None:
    """Whether an objection was made; unknown where something later may take it back."""
    if not made:
        return False
    is_taken_back = any(all(is_after(later, time) for time in made) for later in taken_back)
    return None if is_taken_back else True
