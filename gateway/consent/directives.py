"""FHIR Consent to facts: what the patient's Consents say about one recipient and purpose.

What enters: the Consent resources of one message. What leaves: a ConsentReading. Every
element of a Consent is either understood or makes the reading unknown, which holds the
referral: nothing is skipped (`elements` says what is understood). Read: status, scope,
category, policyRule or a root provision type, actor, purpose, period, security labels,
dateTime, performer, and one level of nested exceptions to the root; what part of the data a
provision names is read in `cover`. Not checked: that Consent.patient is the person referred, and what the
documents under policy and source say.
Source: FHIR R4 Consent; IHE PCF for the AND/OR reading of a provision, and for its depth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from gateway.consent.cover import ALL_DATA, Cover, consented_labels, part_of
from gateway.consent.elements import is_understood
from gateway.consent.kleene import both, either, negate
from gateway.consent.moments import is_past, is_within
from gateway.referral.directory import Purpose
from gateway.referral.identifiers import (
    ODS_CODE_SYSTEM,
    OWN_BASE,
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
_KIND_SYSTEM = f"{OWN_BASE}/CodeSystem/consent-kind"


class ConsentKind(StrEnum):
    """What a Consent is about, where its category says so. Two separate questions to a person."""

    REFER = "refer"
    SHARE_PLAN = "share-plan"


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
    contradict each other. `is_proxy`: somebody else than the patient signed, and nothing
    proves that they may. `labels`: what sensitive data it expressly covers, less what is denied.
    `cover`: what part of the data it is about at all; the rest is to be withheld. `given`: when
    a permission was given, as written. `denied`: whether an exception refuses this recipient.
    """

    state: ConsentState | None
    recipient: bool | None
    purpose: bool | None
    in_period: bool | None
    evidence: bool | None
    is_proxy: bool = False
    labels: tuple[str, ...] = ()
    cover: Cover = ALL_DATA
    given: str | None = field(default=None, compare=False)
    denied: bool | None = field(default=False, compare=False)


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


_Read: TypeAlias = tuple[ConsentReading, JsonObject]
"""What one Consent amounts to, and the Consent."""


def read_consents(
    consents: Sequence[JsonObject],
    *,
    recipient: OdsCode | None,
    purpose: str,
    organisations: Mapping[str, OdsCode],
    at: datetime,
    kind: ConsentKind = ConsentKind.REFER,
) -> ConsentReading:
    """Read all Consents that count for one referral, for one recipient and purpose.

    1. A Consent of the other kind answers another question, and is set aside.
    2. A Consent of implied direct care is not about disclosure and counts as none; neither
       does one that was entered in error, unless there is no other.
    3. A Consent that is certainly about others, whatever it says of them, is set aside: each of
       its provisions, nested ones too, names receivers who are all others, or purposes of ours
       that are all others, and nothing in it is beyond understanding. One that names neither
       is about everybody. Where no other is left, those that refuse nothing stand.
    4. All must agree on the state: a refusal beside a permission is a contradiction, which
       is unknown. Refusals of two kinds are still a refusal. What is waited for gives way to a
       refusal; and a permission that is, to one that was given and covers.
    5. Of several permissions the one that covers most counts, by itself.
    6. A nested denial in any of them speaks against each of them, and so does a denial of a
       part of the data: where it may touch, that part is not covered.

    Args:
        consents: Consent resources, of the message and of the register.
        recipient: the provider's ODS code; None where the provider is unknown.
        purpose: a code of our purpose code system.
        organisations: what each reference of the message names.
        at: the instant for which periods are judged.
        kind: what is asked: to be referred, or to share what came of it.
    """
    question = _Question(recipient=recipient, purpose=purpose, organisations=organisations, at=at)
    about_this = [c for c in consents if not _is_of_another_kind(c, kind)]
    explicit = [c for c in about_this if not _is_implied_direct_care(c)]
    readings = [(_read_one(c, question), c) for c in explicit]
    live = [r for r in readings if r[0].state is not ConsentState.IN_ERROR]
    readings = _about_these(live, question) if live else readings[:1]
    if not readings:
        return NO_CONSENT
    return _together(readings, question)


def is_refusal(consent: JsonObject) -> bool:
    """Whether a Consent refuses what it is about, with no exception."""
    state = _STATE_OF_STATUS.get(string(consent, "status") or "")
    provision = child(consent, "provision") or {}
    denies = _permits(consent, provision) is False and not objects(provision, "provision")
    return state in _REFUSALS or (state is ConsentState.ACTIVE and denies)


def _together(readings: Sequence[_Read], question: _Question) -> ConsentReading:
    """Say what Consents about the same amount to: 4. to 6. of `read_consents`."""
    waiting = [consent for reading, consent in readings if reading.state is ConsentState.PROPOSED]
    said = [reading for reading, _ in readings if reading.state is not ConsentState.PROPOSED]
    states = {reading.state for reading in said}
    if len(states) > 1 and not states <= _REFUSALS:
        return NOT_UNDERSTOOD
    best = max(said or [readings[0][0]], key=_coverage)
    if best.state is not ConsentState.ACTIVE:
        return best
    left = _less_denied(best, [consent for _, consent in readings], question)
    covers = both(left.recipient, left.purpose, left.in_period, left.evidence)
    as_given = (_read_one({**each, "status": "active"}, question).state for each in waiting)
    is_met = covers is True and all(state is ConsentState.ACTIVE for state in as_given)
    return left if is_met or not waiting else NOT_UNDERSTOOD


def _less_denied(
    best: ConsentReading, consents: Sequence[JsonObject], question: _Question
) -> ConsentReading:
    """Take from a permission what any of the Consents denies."""
    denied = either(*(_denies(consent, question) for consent in consents))
    without = tuple(
        part_of(denial)
        for consent in consents
        for denial in _denials(consent)
        if _is_partial(denial) and _touches(denial, question) is not False
    )
    return replace(
        best,
        recipient=both(best.recipient, negate(denied)),
        denied=denied,
        labels=tuple(sorted(consented_labels(best.cover.within, without))),
        cover=replace(best.cover, without=without),
    )


def _is_of_another_kind(consent: JsonObject, asked: ConsentKind) -> bool:
    """Whether its category says so, and nothing outside its provision could say otherwise."""
    kinds = {
        code for c in objects(consent, "category") for code in _codes(c, "coding", _KIND_SYSTEM)
    }
    rest = {name: value for name, value in consent.items() if name != "provision"}
    others = set(ConsentKind) - {asked}
    return bool(kinds) and kinds <= others and is_understood(rest)


def _about_these(readings: Sequence[_Read], question: _Question) -> list[_Read]:
    """Set aside what is certainly about others; where nothing is left, what refuses nothing."""
    touching = [each for each in readings if not _is_about_others(each, question)]
    return touching or [each for each in readings if each[0].state not in _REFUSALS]


def _is_about_others(each: _Read, question: _Question) -> bool:
    reading, consent = each
    provision = child(consent, "provision")
    if provision is None or reading.state is None or _permits(consent, provision) is None:
        return False
    all_of_it = (provision, *objects(provision, "provision"))
    return all(_names_others(part, question) for part in all_of_it)


def _names_others(provision: JsonObject, question: _Question) -> bool:
    """Whether a provision is limited to other receivers, or to other purposes, for certain."""
    actors = objects(provision, "actor")
    names = (both(negate(_is_recipient(each, question)), _receives(each)) for each in actors)
    is_to_others = bool(actors) and both(*names) is True
    return is_to_others or _touches_purpose(provision, question) is False


def _coverage(reading: ConsentReading) -> tuple[int, ...]:
    """Rank a permission: one that may yet cover everything is above one that cannot.

    Of two that do, the one that names more labels is above.
    """
    whole = reading.cover.within.is_of_normal_data and not reading.is_proxy
    answers = (reading.recipient, reading.purpose, reading.in_period, reading.evidence, whole)
    ranks = (({True: 2, None: 1, False: 0}[a]) for a in (both(*answers), *answers))
    return (*ranks, len(reading.labels))


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
    exceptions = objects(provision, "provision")
    if permits is None or any(_TYPES[string(e, "type") or ""] is permits for e in exceptions):
        return NOT_UNDERSTOOD
    if permits:
        return _permission(consent, provision, question)
    if not exceptions:
        return replace(NO_CONSENT, state=ConsentState.REJECTED)
    return max((_permission(consent, each, question) for each in exceptions), key=_coverage)


def _permission(consent: JsonObject, provision: JsonObject, question: _Question) -> ConsentReading:
    """Read what one permitting provision covers: the root, or an exception to a denial."""
    root = child(consent, "provision") or {}
    within = part_of(provision)
    signers = objects(consent, "performer")
    return ConsentReading(
        state=ConsentState.ACTIVE,
        recipient=_names_recipient(provision, question),
        purpose=question.purpose in _codes(provision, "purpose", PURPOSE_SYSTEM),
        in_period=is_within(child(root, "period"), question.at),
        evidence=both(is_past(string(consent, "dateTime"), question.at), bool(signers)),
        is_proxy=bool(signers) and not _patient_signed(consent, signers),
        labels=tuple(sorted(consented_labels(within, ()))),
        cover=Cover(within=within),
        given=string(consent, "dateTime"),
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
    """Whether a nested denial of all data touches this recipient and purpose."""
    return either(*(_touches(d, question) for d in _denials(consent) if not _is_partial(d)))


def _denials(consent: JsonObject) -> list[JsonObject]:
    provision = child(consent, "provision") or {}
    return [e for e in objects(provision, "provision") if string(e, "type") == "deny"]


def _is_partial(denial: JsonObject) -> bool:
    return bool(objects(denial, "securityLabel")) or "dataPeriod" in denial


def _touches(denial: JsonObject, question: _Question) -> bool | None:
    """Elements are joined by AND and their values by OR; an absent element spares nobody."""
    return both(_touches_recipient(denial, question), _touches_purpose(denial, question))


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


def _patient_signed(consent: JsonObject, signers: Sequence[JsonObject]) -> bool:
    patient = child(consent, "patient") or {}
    return any(_is_same(signer, patient) for signer in signers)


def _is_same(one: JsonObject, other: JsonObject) -> bool:
    """Whether two references are spelt alike; two spellings of one person are not found out."""
    return any(
        one.get(part) is not None and one.get(part) == other.get(part)
        for part in ("reference", "identifier")
    )
