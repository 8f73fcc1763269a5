"""Shared care: may what an outcome asks of a practice go on to it? Asked before the write guard.

What enters: an outcome that asks the practice to prescribe, monitor or do work, and an open
transaction. What leaves: nothing where it may go on; or where the outcome stands: kept, with what
its provider is answered; or held, for the practice to say. Must never: let work be shared out that
no agreement on record covers, or tell a provider that a person is looking at what was refused.

All requests of one outcome are answered as one, since they reach the practice in one document. A
practice that has switched requests for shared care off takes no informal ones, and says so; what a
formal agreement on record covers, it has accepted. So the letter to its ICB says.
Source: the sharing rules, R27, R27b and G5s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.consent.decide import Effect, Reason, decide
from gateway.consent.facts import Action, Facts, Source
from gateway.consent.kleene import both
from gateway.consent.switches import positions_at
from gateway.consent.withhold import Withheld
from gateway.fhir.read_shared_care import shared_care_of
from gateway.journey.consider import Answer, keep, now
from gateway.journey.gateway import Gateway
from gateway.journey.onward import Found, about
from gateway.journey.reminders import remind, settle_reminders
from gateway.ledger.entry import WritebackRefused
from gateway.ledger.kinds import WritebackRoute
from gateway.ledger.values import Epochs
from gateway.mapping.minimise import Minimised
from gateway.referral.directory import Purpose, Switch, SwitchValue
from gateway.referral.identifiers import OdsCode
from gateway.referral.instants import day_of
from gateway.referral.outcome import Outcome, Standing
from gateway.referral.reminder import Owner, ReminderCode
from gateway.referral.sharing import SwitchEvent
from gateway.routing.candidates import Candidate
from gateway.store import outcomes, shared_care, sharing
from gateway.store.engine import Transaction
from gateway.store.shared_care import RecordedAgreement, RecordedCapacity
from gateway.writeback.shared_care import (
    NO_AGREEMENT,
    Returned,
    SharedCareAgreement,
    SharedCareRequest,
    facts_of_shared_care,
    return_to_provider,
)

INFORMAL: Final = "INFORMAL_OR_UNRESOURCED_SHARED_CARE"
"""The code of rule R27."""
_OFF: Final = "The practice takes no informal requests for shared care."
_TO_THE_PRACTICE: Final = "TO_THE_PRACTICE"
_OF_AGREEMENT: Final = ("sc_formal", "sc_resourced", "sc_support")
_OF_CAPACITY: Final = ("sc_capacity",)
_OF_SWITCH: Final = ("sc_formal",)
_SWITCHES: Final = "switches"
_NOTHING_LEAVES: Final = Minimised(
    tree=None,
    withheld=Withheld(
        labels=(),
        consent_labels=(),
        sealed=False,
        legal_restricted=False,
        reason_hit=False,
        minimum=None,
        freetext_ok=None,
    ),
)
"""Of the referral itself: the question is about what came back."""


def ask_shared_care(
    tx: Transaction, gateway: Gateway, found: Found, fence: Epochs, *, actor: str
) -> Standing | None:
    """Decide on what an outcome asks of the practice; keep the decision, and do what it says.

    Args:
        tx: holds the gates of practice and person.
        gateway: the live objects.
        found: the outcome.
        fence: of those gates.
        actor: who brought the outcome, or decides on it.

    Returns: where it stands then; None: it asks for no such thing, or may go on.
    """
    if not found.content.shared_care:
        return None
    answer = _asked(tx, gateway, found)
    keep(tx, gateway, answer, about(found, None, fence, actor=actor))
    reason = answer.verdict.primary
    if answer.verdict.effect is Effect.PERMIT or reason is None:
        return None
    if answer.verdict.effect is Effect.DENY:
        return _return(tx, found, reason, actor=actor)
    return _hold(tx, gateway, found, reason, actor=actor)


def is_returned(outcome: Outcome) -> bool:
    """Whether an outcome stays here because of what it asks of the practice."""
    return outcome.standing is Standing.KEPT and outcome.code == INFORMAL


def what_is_missing(outcome: Outcome, gateway: Gateway) -> Returned | None:
    """Say what goes back to the provider, on the facts of the decision, whenever it asks.

    None: the outcome is not one that goes back.
    """
    if not is_returned(outcome):
        return None
    with gateway.store.reading() as view:
        facts = shared_care.facts_refused(view, outcome, INFORMAL)
    if facts is None:  # an officer's own code, which may be spelt alike
        return None
    missing = return_to_provider({name: getattr(facts, name) for name in _OF_AGREEMENT})
    if missing and any(each.name == _SWITCHES for each in facts.sources):
        return replace(missing, reasons=(_OFF, *missing.reasons))
    return missing


def _asked(tx: Transaction, gateway: Gateway, found: Found) -> Answer:
    practice, provider = found.referral.practice, found.answered.provider
    recorded = shared_care.agreement_between(tx, practice, provider)
    said = shared_care.capacity_of(tx, practice)
    off = _switched_off(tx, practice)
    terms = recorded.terms if recorded else NO_AGREEMENT
    asked = shared_care_of(found.tree, found.content.shared_care)
    facts = _facts(asked, terms, said, tx.at)
    tells = off if facts.sc_formal is False else None
    facts = replace(facts, sources=_sources(recorded, said, tells, tx.at))
    return Answer(
        candidate=Candidate(service=None, purpose=Purpose.PRACTICE_ADMIN.value),
        minimised=_NOTHING_LEAVES,
        facts=facts,
        verdict=decide(facts, gateway.policy),
    )


def _facts(
    asked: Sequence[SharedCareRequest],
    terms: SharedCareAgreement,
    said: RecordedCapacity | None,
    at: datetime,
) -> Facts:
    """Say of all requests together what is so of each of them."""
    word = said.word if said else None
    of_each = [facts_of_shared_care(each, terms, word, today=day_of(at)) for each in asked]
    return Facts(
        action=Action.ACCEPT_SHARED_CARE,
        purpose=Purpose.PRACTICE_ADMIN.value,
        sc_formal=_joined(of_each, "sc_formal"),
        sc_resourced=_joined(of_each, "sc_resourced"),
        sc_support=_joined(of_each, "sc_support"),
        sc_capacity=_joined(of_each, "sc_capacity"),
    )


def _joined(of_each: Sequence[Mapping[str, object]], name: str) -> bool | None:
    found = [each[name] for each in of_each]
    return both(*(value if isinstance(value, bool) else None for value in found))


def _sources(
    recorded: RecordedAgreement | None,
    said: RecordedCapacity | None,
    off: SwitchEvent | None,
    at: datetime,
) -> tuple[Source, ...]:
    """Name what each fact is from; the switch only where it is told of."""
    between = f"{recorded.practice}/{recorded.provider}/{recorded.seq}" if recorded else None
    capacity = f"{said.practice}/{said.seq}" if said else None
    found = [
        Source(name="shared-care-agreements", version=between, as_of=at, facts=_OF_AGREEMENT),
        Source(name="shared-care-capacity", version=capacity, as_of=at, facts=_OF_CAPACITY),
    ]
    if off is not None:
        version = f"{off.switch}/{off.seq}"
        found.append(Source(name=_SWITCHES, version=version, as_of=at, facts=_OF_SWITCH))
    return tuple(found)


def _switched_off(tx: Transaction, practice: OdsCode) -> SwitchEvent | None:
    """Find by which event a practice has switched requests off; None: it has not."""
    set_by = positions_at(sharing.switch_events(tx, practice), now(tx)).get(Switch.SHARED_CARE)
    return set_by if set_by is not None and set_by.value is SwitchValue.OFF else None


def _return(tx: Transaction, found: Found, reason: Reason, *, actor: str) -> Standing:
    """Keep an outcome here, whole; its provider is answered why."""
    outcomes.rule(tx, replace(found.outcome, standing=Standing.KEPT, code=reason.code))
    tx.record(
        WritebackRefused(
            actor=actor,
            practice=found.referral.practice,
            subject=found.referral.subject,
            referral=found.referral.id,
            artefact=found.outcome.id,
            route=WritebackRoute.DOCUMENT,
            code=reason.code,
        )
    )
    return Standing.KEPT


def _hold(
    tx: Transaction, gateway: Gateway, found: Found, reason: Reason, *, actor: str
) -> Standing:
    """Hold an outcome until the practice has said what only it, or its record, can say."""
    outcomes.rule(tx, replace(found.outcome, standing=Standing.HELD, code=reason.code))
    present, held = found.referral, found.outcome.id
    settle_reminders(
        tx, present, held, [ReminderCode.OUTCOME_HELD], actor=actor, resolution=_TO_THE_PRACTICE
    )
    remind(
        tx, gateway, present, held, ReminderCode.OUTCOME_HELD, Owner.PRACTICE, actor=actor
    )  # fmt: skip
    return Standing.HELD
