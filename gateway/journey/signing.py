"""Ask the sharing rules whether an agreement may come into force.

What enters: the event that would bring it into force, in an open transaction. What leaves: no
objection, or the reason that counts with the ledger entry of the refusal. Signing, renewing and
reinstating all come through here; reinstating is a renewal of the same terms. Source: rules R23
to R23c and ground G5. Where the terms were never in force, reinstating them is signing them.
"""

from dataclasses import dataclass

from gateway.consent.agreements import change_of, facts_of_signing, was_in_force
from gateway.consent.decide import Effect, Reason, SpineCode, decide
from gateway.consent.facts import AgreementChange
from gateway.consent.switches import positions_at
from gateway.errors import ConsentRefusedError
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import AgreementRefused
from gateway.ledger.kinds import AgreementChange as LedgerChange
from gateway.ledger.kinds import AgreementKind, Source
from gateway.referral.directory import Agreement, Switch
from gateway.referral.sharing import AgreementEvent, AgreementMove, Moment
from gateway.store import sharing
from gateway.store.engine import Transaction

_RENEWAL_QUESTION = frozenset({"RENEWAL_NEEDS_DECISION", "FACT_UNKNOWN:R23b"})
"""What the practice itself settles by saying on whose authority it renews."""

_MISSING_DPIA = "DPIA_MISSING"
_FREEZE_UNKNOWN = (
    "The practice has to say first whether it signs new agreements: set its switch new_agreements."
)
_CONFIRM = "The practice can confirm the renewal: send it again with who decided so (confirmed_by)."
_DPIA = "Sign the agreement with the reference of its impact assessment (dpia_ref)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the rules said. `objection` None: it may come into force."""

    objection: Reason | None = None
    entry: AgreementRefused | None = None
    lacks_only_dpia: bool = False


def ask(
    tx: Transaction,
    gateway: Gateway,
    event: AgreementEvent,
    before: Agreement | None,
    confirmed_by: str | None,
) -> Asked:
    """Decide whether an agreement may come into force, on the switches as they stand then.

    A freeze that is known, or may be, does not stop an unchanged renewal that somebody answers
    for; a missing impact assessment does.
    """
    change = _change(tx, event, before)
    is_now = event.effective_at <= event.recorded_at
    then = Moment(at=event.effective_at, is_now=is_now)
    freeze = positions_at(sharing.switch_events(tx, event.practice), then)
    facts = facts_of_signing(
        change=change, terms=event.terms, freeze=freeze.get(Switch.NEW_AGREEMENTS), at=then.at
    )
    verdict = decide(facts, gateway.policy)
    settled = _RENEWAL_QUESTION if confirmed_by else frozenset[str]()
    left = [reason for reason in verdict.reasons if reason.code not in settled]
    if not left and verdict.grounds:
        return Asked()
    counts = next((reason for reason in left if reason.effect is Effect.DENY), left[0])
    return Asked(
        objection=counts,
        entry=_entry(event, change, counts, verdict.policy_version),
        lacks_only_dpia=[reason.code for reason in left] == [_MISSING_DPIA],
    )


def refusal(objection: Reason) -> ConsentRefusedError:
    """Turn an objection into the error that tells it, once it is on record.

    It is the practice itself that reads it, so the words are those for its staff.
    """
    return ConsentRefusedError(
        code=objection.code,
        spine_code=SpineCode.NO_ORGANISATION_CONSENT,
        external_text=objection.staff_text,
        remedy=remedy(objection),
    )


def remedy(objection: Reason) -> str:
    """Say how a practice can mend what the rules object to."""
    if objection.code in _RENEWAL_QUESTION:
        return _CONFIRM
    if objection.code == _MISSING_DPIA:
        return _DPIA
    if objection.code.startswith("FACT_UNKNOWN:"):
        return _FREEZE_UNKNOWN
    return objection.remedy


def _change(tx: Transaction, event: AgreementEvent, before: Agreement | None) -> AgreementChange:
    if event.move is AgreementMove.REINSTATED:
        earlier = sharing.events_on(tx, event.practice, event.agreement)
        is_known = was_in_force(earlier, event.terms, event.effective_at)
        return AgreementChange.RENEWAL if is_known else AgreementChange.NEW
    return change_of(before, event.terms)


def _entry(
    event: AgreementEvent, change: AgreementChange, reason: Reason, policy: str
) -> AgreementRefused:
    return AgreementRefused(
        actor=event.actor,
        practice=event.practice,
        agreement=event.agreement,
        recipient=event.counterparty,
        version=event.seq,
        agreement_kind=AgreementKind(event.terms.kind),
        effective_at=event.effective_at,
        source=Source(event.origin),
        change=LedgerChange(change),
        rule=reason.rule,
        code=reason.code,
        policy=policy,
    )
