"""FHIR Consent to facts: what the patient's Consents say about one recipient and purpose.

What enters: the Consent resources of one message. What leaves: a ConsentReading. Every
element of a Consent is either understood or makes the reading unknown, which holds the
referral: nothing is skipped (`elements` says what is understood). Read today: status, scope,
category, policyRule or a root provision type, actor, purpose, period, dateTime, performer,
and one level of nested denials. Not checked: that Consent.patient is the person referred,
and what the documents under policy and source say.
Source: FHIR R4 Consent; IHE PCF for the AND/OR reading of a provision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gateway.consent.elements import is_understood
from gateway.consent.kleene import both, either, negate
from gateway.consent.moments import is_past, is_within
from gateway.referral.directory import Purpose
from gateway.referral.identifiers import (
    ODS_CODE_SYSTEM,
    PURPOSE_SYSTEM,
    OdsCode,
    normal_system,
)
from gateway.referral.json import JsonObject, child, objects, string

_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_RECIPIENTS = frozenset({"IRCP", "PRCP"})
"""Roles of an actor who is to receive. Source: IHE PCF (IRCP); R4's own examples (PRCP)."""

_RULES = {"OPTIN": True, "OPTOUT": False}
_TYPES = {"permit": True, "deny": False}
_PURPOSES = frozenset(Purpose)


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


_REFUSALS = frozenset({ConsentState.REJECTED, ConsentState.WITHDRAWN})


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Whom and what for the Consents are read, and when."""

    recipient: OdsCode | None
    purpose: str
    organisations: Mapping[str, OdsCode]
    at: datetime


def read_consents(
    consents: Sequence[JsonObject],
    *,
    recipient: OdsCode | None,
    purpose: str,
    organisations: Mapping[str, OdsCode],
    at: datetime,
) -> ConsentReading:
    """Read all Consents of a message for one recipient and purpose.

    1. A Consent of implied direct care is not about disclosure and counts as none; neither
       does one that was entered in error, unless there is no other.
    2. All must agree on the state: a refusal beside a permission is a contradiction, which
       is unknown. Refusals of two kinds are still a refusal.
    3. Of several permissions the one that covers most counts, by itself.
    4. A nested denial in any of them speaks against each of them.

    Args:
        consents: Consent resources as sent.
        recipient: the provider's ODS code; None where the provider is unknown.
        purpose: a code of our purpose code system.
        organisations: what each reference of the message names.
        at: the instant for which periods are judged.
    """
    question = _Question(recipient=recipient, purpose=purpose, organisations=organisations, at=at)
    explicit = [c for c in consents if not _is_implied_direct_care(c)]
    readings = [(_read_one(c, question), c) for c in explicit]
    readings = [r for r in readings if r[0].state is not ConsentState.IN_ERROR] or readings[:1]
    if not readings:
        return NO_CONSENT
    states = {reading.state for reading, _ in readings}
    if len(states) > 1 and not states <= _REFUSALS:
        return NOT_UNDERSTOOD
    best = max((reading for reading, _ in readings), key=_coverage)
    if best.state is not ConsentState.ACTIVE:
        return best
    denied = either(*(_denies(consent, question) for _, consent in readings))
    return replace(best, recipient=both(best.recipient, negate(denied)))


def _coverage(reading: ConsentReading) -> tuple[int, ...]:
    """Rank a permission: one that may yet cover everything is above one that cannot."""
    answers = (reading.recipient, reading.purpose, reading.in_period, reading.evidence)
    return tuple({True: 2, None: 1, False: 0}[a] for a in (both(*answers), *answers))


def _is_implied_direct_care(consent: JsonObject) -> bool:
    """Whether this is the plain "direct care, implied" of BaRS, and no more.

    One with a provision, or that is not active, says something else, and is read.
    """
    rules = _codes(child(consent, "policyRule") or {}, "coding", _ACT_CODE)
    return (
        rules == {"IMPLIED"}
        and "provision" not in consent
        and consent.get("status") == "active"
        and is_understood(consent)
    )


def _codes(tree: JsonObject, name: str, system: str) -> set[str | None]:
    return {string(c, "code") for c in objects(tree, name) if c.get("system") == system}


def _read_one(consent: JsonObject, question: _Question) -> ConsentReading:
    state = _STATE_OF_STATUS.get(string(consent, "status") or "")
    if state is None or not is_understood(consent):
        return NOT_UNDERSTOOD
    if state is not ConsentState.ACTIVE:
        return replace(NO_CONSENT, state=state)
    provision = child(consent, "provision") or {}
    permits = _permits(consent, provision)
    if permits is None:
        return NOT_UNDERSTOOD
    if not permits:
        return replace(NO_CONSENT, state=ConsentState.REJECTED)
    return ConsentReading(
        state=ConsentState.ACTIVE,
        recipient=_names_recipient(provision, question),
        purpose=question.purpose in _codes(provision, "purpose", PURPOSE_SYSTEM),
        in_period=is_within(child(provision, "period"), question.at),
        evidence=both(is_past(string(consent, "dateTime"), question.at), _patient_signed(consent)),
    )


def _permits(consent: JsonObject, provision: JsonObject) -> bool | None:
    """Tell a permission from a refusal; None where root type and policyRule disagree."""
    by_type = _TYPES.get(string(provision, "type") or "")
    rule = child(consent, "policyRule")
    if rule is None:
        return by_type
    verdicts = {_RULES.get(code or "") for code in _codes(rule, "coding", _ACT_CODE)}
    if by_type is not None:
        verdicts.add(by_type)
    return verdicts.pop() if len(verdicts) == 1 else None


def _names_recipient(provision: JsonObject, question: _Question) -> bool | None:
    """Whether an actor names the recipient, as one who receives. No actor names nobody."""
    return either(
        *(
            both(_is_recipient(actor, question), _receives(actor))
            for actor in objects(provision, "actor")
        )
    )


def _is_recipient(actor: JsonObject, question: _Question) -> bool | None:
    """Whether an actor is the recipient; unknown for a role, a group or a stranger."""
    organisation = _organisation(actor, question.organisations)
    if organisation is None or question.recipient is None:
        return None
    return organisation == question.recipient


def _receives(actor: JsonObject) -> bool | None:
    """Whether an actor's role is to receive; unknown for any other, such as custodian."""
    roles = _codes(child(actor, "role") or {}, "coding", _PARTICIPATION)
    return True if roles and roles <= _RECIPIENTS else None


def _organisation(actor: JsonObject, organisations: Mapping[str, OdsCode]) -> OdsCode | None:
    reference = child(actor, "reference") or {}
    by_reference = organisations.get(string(reference, "reference") or "")
    identifier = child(reference, "identifier") or {}
    if normal_system(string(identifier, "system") or "") != ODS_CODE_SYSTEM:
        return by_reference
    try:
        by_identifier = OdsCode(string(identifier, "value") or "")
    except ValueError:
        return None
    return by_identifier if by_reference in (None, by_identifier) else None


def _denies(consent: JsonObject, question: _Question) -> bool | None:
    """Whether a nested denial touches this recipient and purpose.

    Within a denial, elements are joined by AND and their values by OR; an element that is
    absent spares nobody.
    """
    provision = child(consent, "provision") or {}
    return either(
        *(
            both(_touches_recipient(denial, question), _touches_purpose(denial, question))
            for denial in objects(provision, "provision")
        )
    )


def _touches_recipient(denial: JsonObject, question: _Question) -> bool | None:
    actors = objects(denial, "actor")
    return either(*(_is_recipient(actor, question) for actor in actors)) if actors else True


def _touches_purpose(denial: JsonObject, question: _Question) -> bool | None:
    """Whether a denied purpose is the one asked for; a code that is not ours may include it."""
    purposes = objects(denial, "purpose")
    if not purposes or question.purpose in _codes(denial, "purpose", PURPOSE_SYSTEM):
        return True
    ours = all(p.get("system") == PURPOSE_SYSTEM and p.get("code") in _PURPOSES for p in purposes)
    return False if ours else None


def _patient_signed(consent: JsonObject) -> bool | None:
    """Whether the patient is among the signers; unknown where others signed for the patient."""
    signers = objects(consent, "performer")
    if not signers:
        return False
    patient = child(consent, "patient") or {}
    return True if any(_is_same(signer, patient) for signer in signers) else None


def _is_same(one: JsonObject, other: JsonObject) -> bool:
    """Whether two references are spelt alike; two spellings of one person are not found out."""
    return any(
        one.get(part) is not None and one.get(part) == other.get(part)
        for part in ("reference", "identifier")
    )
