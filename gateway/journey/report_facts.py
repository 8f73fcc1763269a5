"""What the sharing rules say of the release of one copy, on the facts of a moment.

What enters: a copy, its referral, and an open transaction or reading. What leaves: an Answer.
Nothing is stored. The consents are those of the register and of the referral itself; each
recipient is asked for by its own name and purpose. Must never: take the consent to be referred
for one to release, where the person was asked the two apart.

| Recipient | Known and assured | Purpose |
|---|---|---|
| gp | the practice of the referral | the referral's |
| employer, hr | as the directory says, in that role | employment-report |
| health-and-work | as the directory says, in that role | work-health |
| person | it is whose data it is | the referral's |

A Consent names the person as recipient where an actor of it is whom it is about.
Source: the sharing rules, sections 3, 5 and 11; `gateway/writeback/report_gate.py`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.consent.decide import Effect, decide
from gateway.consent.directives import ConsentKind, ConsentReading, ConsentState, read_consents
from gateway.consent.facts import Action, Facts
from gateway.consent.gather import facts_about
from gateway.consent.items import items_of
from gateway.consent.register import HeldConsent, combine, versions_used
from gateway.consent.withhold import plan_for
from gateway.fhir.read_referral import read_referral
from gateway.fhir.text import read_resource
from gateway.journey.consider import Answer
from gateway.journey.gateway import Gateway
from gateway.mapping.minimise import Minimised, minimise
from gateway.referral.directory import Provider, ProviderRole, Purpose
from gateway.referral.identifiers import ODS_CODE_SYSTEM, OdsCode, OutcomeId
from gateway.referral.instants import day_of
from gateway.referral.json import Json, JsonObject, child, copied, objects
from gateway.referral.model import IncomingReferral, Referral
from gateway.referral.report import GpRoute, Recipient
from gateway.referral.report_copy import FiledCopy
from gateway.referral.sharing import Moment
from gateway.routing.candidates import Candidate
from gateway.store import consents, deliveries, outcomes, referrals, reports
from gateway.store.directory import DirectoryAsOf, Parties
from gateway.store.engine import Reading, Transaction
from gateway.writeback.report_gate import ConsentToRelease, facts_of_copy

THE_PERSON: Final = OdsCode("PERSON")
"""Stands for whom a Consent is about, where an actor of it is the same; no organisation has it."""

ROLES: Final[Mapping[Recipient, ProviderRole]] = {
    Recipient.EMPLOYER: ProviderRole.EMPLOYER,
    Recipient.HR: ProviderRole.HR,
    Recipient.HEALTH_AND_WORK: ProviderRole.NATIONAL_SERVICE,
}
"""Recipients that the directory knows, each in its role."""

_PURPOSES: Final[Mapping[Recipient, Purpose]] = {
    Recipient.EMPLOYER: Purpose.EMPLOYMENT_REPORT,
    Recipient.HR: Purpose.EMPLOYMENT_REPORT,
    Recipient.HEALTH_AND_WORK: Purpose.WORK_HEALTH,
}


def purpose_of(filed: FiledCopy, present: Referral) -> str:
    """Say why a copy would leave."""
    purpose = _PURPOSES.get(filed.recipient)
    return present.purpose if purpose is None else purpose.value


def ask(
    view: Reading | Transaction,
    gateway: Gateway,
    filed: FiledCopy,
    present: Referral,
    at: datetime,
) -> Answer:
    """Gather the facts of the release of one copy at this moment, and decide.

    1. Find the recipient, and what the directory says of it.
    2. Read the Consents of message and register for this recipient and its purpose.
    3. Decide on these, on where the copy stands, and on what the referral says of the person.
    """
    moment = Moment(at=at, is_now=True)
    incoming = read_referral(read_resource(referrals.body_of(view, present.id)))
    held = consents.held(view, present.subject, moment)
    purpose = purpose_of(filed, present)
    reading = _read(filed, present, incoming, held, purpose, at)
    is_known = filed.recipient in ROLES
    parties = DirectoryAsOf(view, at).parties(
        present.practice, filed.organisation if is_known else None, moment
    )
    nothing = _nothing_of_the_referral(gateway, incoming, reading, purpose)
    delivery = deliveries.find(view, filed.delivery)
    gathered = facts_about(
        incoming,
        purpose=purpose,
        service=DirectoryAsOf(view, at).service(delivery.service) if delivery else None,
        provider=parties.provider,
        practice=parties.practice,
        agreements=(),
        reading=reading,
        withheld=nothing.withheld,
        consents_used=versions_used(incoming.consents, held, present.received_at),
        opt_out=None,
        payload_hash_ok=_is_whole(view, filed),
        received_at=present.received_at,
        at=at,
    )
    facts = _of_release(gathered, filed, purpose, parties, at)
    return Answer(
        candidate=Candidate(service=None, purpose=purpose),
        minimised=nothing,
        facts=facts,
        verdict=decide(facts, gateway.policy),
    )


def refused_since(
    tx: Transaction, gateway: Gateway, outcome: OutcomeId, present: Referral
) -> Answer | None:
    """Ask again about a GP's copy whose letter is about to leave: what the person said since counts.

    The transaction holds the gates of practice and person. Returns: what the rules say where they
    permit it no more; None: they do, or the letter brings no copy, but an outcome that nobody was
    asked about.
    """
    for filed in reports.of_outcome(tx, outcome, Recipient.GP):
        if filed.copy.has_left and filed.route is GpRoute.INBOX:
            answer = ask(tx, gateway, filed, present, tx.at)
            if answer.verdict.effect is not Effect.PERMIT:
                return answer
    return None


def _read(
    filed: FiledCopy,
    present: Referral,
    incoming: IncomingReferral,
    held: list[HeldConsent],
    purpose: str,
    at: datetime,
) -> ConsentReading:
    counting = combine(incoming.consents, held, present.received_at)
    is_person = filed.recipient is Recipient.PERSON
    return read_consents(
        [_naming_the_person(each) for each in counting] if is_person else counting,
        recipient=THE_PERSON if is_person else filed.organisation,
        purpose=purpose,
        organisations=incoming.organisations,
        at=at,
        kind=ConsentKind.SHARE_PLAN,
    )


def _nothing_of_the_referral(
    gateway: Gateway, incoming: IncomingReferral, reading: ConsentReading, purpose: str
) -> Minimised:
    """Say what is withheld of the referral: nothing, for nothing of it would leave."""
    plan = plan_for(
        items_of(incoming.tree),
        reading=reading,
        purpose=purpose,
        role=None,
        minimum=gateway.policy.minimum,
    )
    found = minimise(replace(plan, silent={}, open={}))
    return replace(found, withheld=replace(found.withheld, taken_out=()))


def _of_release(
    facts: Facts, filed: FiledCopy, purpose: str, parties: Parties, at: datetime
) -> Facts:
    """Say of the facts of a referral what is so of the release of a copy."""
    consent = ConsentToRelease(
        state=facts.consent.value if facts.consent else None,
        authority=facts.authority,
        is_for_recipient=facts.consent_recipient,
        is_for_purpose=facts.consent_purpose,
        is_in_period=facts.consent_in_period,
        has_evidence=facts.consent_evidence,
    )
    told = facts_of_copy(
        filed.copy, purpose=purpose, consents={filed.recipient: consent}, today=day_of(at)
    )
    own = {name: value for name, value in told.items() if name not in ("action", "consent")}
    return replace(
        facts,
        action=Action(str(told["action"])),
        consent=ConsentState(str(told["consent"])) if told["consent"] else None,
        recipient_known=_is_known(filed, parties),
        recipient_assured=facts.recipient_assured if filed.recipient in ROLES else True,
        recipient_accepting=None,
        funded=None,
        agreement=None,
        agreement_covers=None,
        agreement_kind=None,
        s251=None,
        **own,  # type: ignore[arg-type]  # names and kinds are those of Facts; tests compare each
    )


def _is_known(filed: FiledCopy, parties: Parties) -> bool:
    if filed.recipient is Recipient.PERSON:
        return True
    if filed.recipient is Recipient.GP:
        return parties.practice is not None and parties.practice.ods == filed.organisation
    return is_in_role(filed.recipient, parties.provider)


def is_in_role(recipient: Recipient, provider: Provider | None) -> bool:
    """Whether an organisation of the directory is what a copy's recipient is to be."""
    return provider is not None and provider.role is ROLES.get(recipient)


def _is_whole(view: Reading | Transaction, filed: FiledCopy) -> bool:
    """Whether the text is the one that was filed."""
    text = reports.text_of(view, filed)
    if text is None:
        outcome = outcomes.find(view, filed.outcome)
        text = outcomes.body_of(view, outcome) if outcome else b""
    return hashlib.sha256(text).hexdigest() == filed.text_sha256


def _naming_the_person(consent: JsonObject) -> JsonObject:
    """Name the person by a code of their own where an actor of a Consent is whom it is about."""
    whose = child(consent, "patient") or {}
    told = copied(consent)
    for provision in _provisions(child(told, "provision")):
        for actor in objects(provision, "actor"):
            if _is_same(child(actor, "reference") or {}, whose):
                actor["reference"] = _code_of_the_person()
    return told


def _provisions(root: JsonObject | None) -> list[JsonObject]:
    return [] if root is None else [root, *objects(root, "provision")]


def _is_same(one: JsonObject, other: JsonObject) -> bool:
    """Whether two references are spelt alike; two spellings of one person are not found out."""
    return any(
        one.get(part) is not None and one.get(part) == other.get(part)
        for part in ("reference", "identifier")
    )


def _code_of_the_person() -> dict[str, Json]:
    return {"identifier": {"system": ODS_CODE_SYSTEM, "value": THE_PERSON}}
