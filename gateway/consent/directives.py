"""FHIR Consent to facts: what the patient's Consents say about one recipient and purpose.

What enters: the Consent resources of one message. What leaves: a ConsentReading. Every
element of a Consent is either understood or makes the reading unknown, which holds the
referral: nothing is skipped. Understood today: status, scope, category, policyRule or a
root provision type, actor, purpose, period, dateTime, performer, source, and one level of
nested denials. Source: FHIR R4 Consent; IHE PCF for the AND/OR reading of a provision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from gateway.referral.identifiers import (
    ODS_CODE_SYSTEM,
    PURPOSE_SYSTEM,
    OdsCode,
    normal_system,
)
from gateway.referral.json import JsonObject, child, objects, string

_READ = frozenset(
    {
        "resourceType", "id", "meta", "language", "text", "identifier", "status", "scope",
        "category", "patient", "dateTime", "performer", "organization", "sourceAttachment",
        "sourceReference", "policy", "policyRule", "verification", "provision",
    }
)  # fmt: skip
_PROVISION_READ = frozenset({"type", "period", "actor", "purpose", "provision", "id"})
_CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_PERMITS = {"OPTIN": True, "OPTOUT": False}


class ConsentState(StrEnum):
    """What the patient's Consent amounts to. NONE: nobody asked, or none was sent."""

    NONE = "none"
    PROPOSED = "proposed"
    ACTIVE = "active"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    IN_ERROR = "entered-in-error"


_STATE_OF_STATUS: Mapping[str, ConsentState] = {
    "draft": ConsentState.PROPOSED,
    "proposed": ConsentState.PROPOSED,
    "active": ConsentState.ACTIVE,
    "rejected": ConsentState.REJECTED,
    "inactive": ConsentState.WITHDRAWN,
    "entered-in-error": ConsentState.IN_ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentReading:
    """What the Consents say about one recipient and one purpose. None means unknown.

    `state` None: a Consent was sent that this version does not understand, or several
    contradict each other.
    """

    state: ConsentState | None
    recipient: bool | None
    purpose: bool | None
    in_period: bool | None
    evidence: bool | None


NO_CONSENT = ConsentReading(
    state=ConsentState.NONE, recipient=False, purpose=False, in_period=False, evidence=False
)
NOT_UNDERSTOOD = ConsentReading(
    state=None, recipient=None, purpose=None, in_period=None, evidence=None
)


def read_consents(
    consents: Sequence[JsonObject],
    *,
    recipient: OdsCode | None,
    purpose: str,
    organisations: Mapping[str, OdsCode],
    at: datetime,
) -> ConsentReading:
    """Read all Consents of a message for one recipient and purpose.

    A Consent of implied direct care is not about disclosure and counts as none. Where
    several explicit ones speak, all must agree on the state; a refusal beside a permission
    is a contradiction, which is unknown.

    Args:
        consents: Consent resources as sent.
        recipient: the provider's ODS code; None where the provider is unknown.
        purpose: a code of our purpose code system.
        organisations: what each reference of the message names.
        at: the instant for which periods are judged.
    """
    explicit = [c for c in consents if not _is_implied_direct_care(c)]
    readings = [_read_one(c, recipient, purpose, organisations, at) for c in explicit]
    readings = [r for r in readings if r.state is not ConsentState.IN_ERROR] or readings[:1]
    if not readings:
        return NO_CONSENT
    if len({r.state for r in readings}) > 1:
        return NOT_UNDERSTOOD
    return max(readings, key=_coverage)


def _coverage(reading: ConsentReading) -> tuple[int, ...]:
    answers = (reading.recipient, reading.purpose, reading.in_period, reading.evidence)
    return tuple({True: 2, None: 1, False: 0}[a] for a in (all(a is True for a in answers), *answers))


def _is_implied_direct_care(consent: JsonObject) -> bool:
    rule = child(consent, "policyRule")
    return rule is not None and any(c.get("code") == "IMPLIED" for c in objects(rule, "coding"))


def _read_one(
    consent: JsonObject,
    recipient: OdsCode | None,
    purpose: str,
    organisations: Mapping[str, OdsCode],
    at: datetime,
) -> ConsentReading:
    state = _STATE_OF_STATUS.get(string(consent, "status") or "")
    if state is None or not _is_understood(consent):
        return NOT_UNDERSTOOD
    if state is not ConsentState.ACTIVE:
        return ConsentReading(
            state=state, recipient=False, purpose=False, in_period=False, evidence=False
        )
    provision = child(consent, "provision") or {}
    permits = _permits(consent, provision)
    if permits is None:
        return NOT_UNDERSTOOD
    if not permits:
        return ConsentReading(
            state=ConsentState.REJECTED,
            recipient=False, purpose=False, in_period=False, evidence=False,
        )  # fmt: skip
    named = _names_recipient(provision, recipient, organisations)
    if _denied_below(provision, recipient, purpose, organisations):
        named = False
    return ConsentReading(
        state=ConsentState.ACTIVE,
        recipient=named,
        purpose=_names_purpose(provision, purpose),
        in_period=_within(child(provision, "period"), at),
        evidence=_is_evidenced(consent),
    )


def _is_understood(consent: JsonObject) -> bool:
    """Whether every element of this Consent is one that this module reads."""
    if not set(consent) <= _READ | {f"_{name}" for name in _READ}:
        return False
    scope = child(consent, "scope") or {}
    if not any(
        c.get("system") == _CONSENT_SCOPE and c.get("code") == "patient-privacy"
        for c in objects(scope, "coding")
    ):
        return False
    provision = child(consent, "provision") or {}
    return set(provision) <= _PROVISION_READ and all(
        set(inner) <= _PROVISION_READ - {"provision", "period"} and inner.get("type") == "deny"
        for inner in objects(provision, "provision")
    )


def _permits(consent: JsonObject, provision: JsonObject) -> bool | None:
    """Tell a permission from a refusal; None where root type and policyRule disagree."""
    rule = child(consent, "policyRule")
    by_rule = None
    if rule is not None:
        codes = [
            str(c.get("code")) for c in objects(rule, "coding") if c.get("system") == _ACT_CODE
        ]
        verdicts = {_PERMITS.get(code) for code in codes}
        if len(verdicts) != 1 or None in verdicts:
            return None
        by_rule = verdicts.pop()
    by_type = {"permit": True, "deny": False}.get(string(provision, "type") or "")
    if by_rule is None:
        return by_type
    return by_rule if by_type in (None, by_rule) else None


def _names_recipient(
    provision: JsonObject, recipient: OdsCode | None, organisations: Mapping[str, OdsCode]
) -> bool | None:
    """Whether an actor names the recipient. No actor at all names nobody."""
    if recipient is None:
        return None
    return recipient in {_organisation(a, organisations) for a in objects(provision, "actor")}


def _organisation(actor: JsonObject, organisations: Mapping[str, OdsCode]) -> OdsCode | None:
    reference = child(actor, "reference") or {}
    identifier = child(reference, "identifier") or {}
    if normal_system(string(identifier, "system") or "") == ODS_CODE_SYSTEM:
        try:
            return OdsCode(string(identifier, "value") or "")
        except ValueError:
            return None
    return organisations.get(string(reference, "reference") or "")


def _names_purpose(provision: JsonObject, purpose: str) -> bool:
    return any(
        c.get("system") == PURPOSE_SYSTEM and c.get("code") == purpose
        for c in objects(provision, "purpose")
    )


def _denied_below(
    provision: JsonObject,
    recipient: OdsCode | None,
    purpose: str,
    organisations: Mapping[str, OdsCode],
) -> bool:
    """Whether a nested denial may touch this recipient and purpose. When unsure, it does."""
    for inner in objects(provision, "provision"):
        actors = {_organisation(a, organisations) for a in objects(inner, "actor")}
        spares_actor = bool(actors) and None not in actors and recipient not in actors
        purposes = objects(inner, "purpose")
        spares_purpose = bool(purposes) and not _names_purpose(inner, purpose)
        if not (spares_actor or spares_purpose):
            return True
    return False


def _is_evidenced(consent: JsonObject) -> bool:
    """Whether signer and date are there, so that somebody can be asked."""
    return bool(string(consent, "dateTime")) and bool(objects(consent, "performer"))


def _within(period: JsonObject | None, at: datetime) -> bool | None:
    """Whether an instant lies in a Period; open ends do not bound. None: unreadable."""
    if period is None:
        return True
    try:
        start = _instant(string(period, "start"), end_of=False)
        end = _instant(string(period, "end"), end_of=True)
    except ValueError:
        return None
    return (start is None or start <= at) and (end is None or at < end)


def _instant(text: str | None, *, end_of: bool) -> datetime | None:
    """Read a FHIR dateTime; a partial date spans its whole day, month or year."""
    if text is None:
        return None
    if len(text) > len("2026-01-01"):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            msg = "a dateTime with a time carries its offset"
            raise ValueError(msg)
        return moment + timedelta(microseconds=1) if end_of else moment
    year, month, day = (int(part) for part in (text + "-01-01")[:10].split("-"))
    first = datetime(year, month, day, tzinfo=UTC)
    if not end_of:
        return first
    if len(text) == len("2026"):
        return first.replace(year=year + 1)
    if len(text) == len("2026-01"):
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=1)
