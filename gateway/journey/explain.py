"""Say what the sharing rules would answer, and why, as of any moment. Nothing is sent.

What enters: a message, an accepted referral, or a practice, a recipient and a purpose; and a
moment. What leaves: Explanations. They walk the same corridor as a decision that counts
(`consider`), by the rules in force in this version, on the facts of the moment. Each is an entry,
`decision.previewed`, and that is all that is stored: who asks what would be allowed is to be
seen. Must never: be taken for a decision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.consent.decide import Policy, Verdict, decide
from gateway.consent.facts import Action, Facts
from gateway.consent.flips import Flips, find_flips
from gateway.consent.gather import facts_between
from gateway.consent.withhold import OPEN, TakenOut, Why, Withheld
from gateway.errors import NotFoundError, NotTheRequesterError
from gateway.fhir.read_referral import read_referral
from gateway.fhir.text import read_resource
from gateway.journey.accept import candidates_for
from gateway.journey.consider import Answer, Case, best, case_of, consider, rules_of
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import DecisionPreviewed
from gateway.ledger.kinds import Effect as LedgerEffect
from gateway.referral.directory import Service
from gateway.referral.identifiers import (
    Handle,
    OdsCode,
    ReferralId,
    ReferralReference,
    ServiceId,
)
from gateway.referral.json import JsonObject
from gateway.referral.model import IncomingReferral, Sender
from gateway.referral.sharing import Moment
from gateway.routing.candidates import Candidate
from gateway.store import persons, referrals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Reading

ACTOR = "operator"

_TOLD = OPEN | {Why.NOT_MINIMUM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One answer with its reasons and what would change it.

    `would_leave` is the message as it might leave, before it is mapped for the recipient; None
    where no message was asked about, or nothing of it would be left. `is_chosen`: of several
    services this is the one whose answer would count.
    """

    service: Service | None
    purpose: str
    moment: Moment
    facts: Facts
    verdict: Verdict
    flips: Flips
    withheld: Withheld | None = None
    would_leave: JsonObject | None = None
    is_chosen: bool = True

    @property
    def withheld_told(self) -> tuple[TakenOut, ...]:
        """List what would stay behind, but for what is withheld in silence."""
        taken_out = self.withheld.taken_out if self.withheld else ()
        return tuple(each for each in taken_out if each.why in _TOLD)

    @property
    def duties_told(self) -> tuple[str, ...]:
        """Name the duties, but for those that tell of what is withheld in silence."""
        openly = self.withheld is None or bool(self.withheld.openly)
        silent = {"REDACT_SILENT"} if openly else {"REDACT_SILENT", "REDACT"}
        return tuple(duty for duty in self.verdict.obligations if duty not in silent)


def moment_of(at: datetime | None, gateway: Gateway, *, as_known_then: bool) -> Moment:
    """Name the moment that is asked about; `at` None is now."""
    if at is None:
        return Moment(at=gateway.clock(), is_now=True)
    return Moment(at=at, known_at=at if as_known_then else None)


def explain_message(
    referral: IncomingReferral, sender: Sender, gateway: Gateway, moment: Moment
) -> list[Explanation]:
    """Explain what would become of a message, for each service that could take it.

    Raises:
        NotTheRequesterError: the message names another organisation as its requester.
        UnsupportedMessageError: no service takes this kind of referral.
    """
    if referral.requester != sender.ods:
        raise NotTheRequesterError(
            "ServiceRequest.requester",
            "The requester's organisation is not the one that authenticated.",
        )
    number = referral.patient.nhs_number
    with gateway.store.reading(as_one_moment=True) as view:
        case = Case(
            referral=referral,
            practice=sender.ods,
            subject=persons.find_handle(view, sender.ods, number) if number else None,
            received_at=gateway.clock(),
            payload_hash_ok=True,
            moment=moment,
        )
        found = candidates_for(view, referral, sender.ods, moment.at)
        answers = [consider(view, gateway, case, each) for each in found]
    chosen = best(answers)
    explained = [_explained(a, moment, gateway, is_chosen=a is chosen) for a in answers]
    asked = _Asked(actor=sender.client, practice=sender.ods, subject=case.subject)
    _record(gateway, asked, explained)
    return explained


def explain_referral(reference: ReferralReference, gateway: Gateway, moment: Moment) -> Explanation:
    """Explain an accepted referral: what the rules say of it at a moment.

    Raises:
        NotFoundError: no referral has this reference.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        present = referrals.find_reference(view, reference)
        received = referrals.body_of(view, present.id)
        case = case_of(present, read_referral(read_resource(received)), received, moment)
        service = DirectoryAsOf(view, moment.at).service(present.service)
        answer = consider(view, gateway, case, Candidate(service=service, purpose=present.purpose))
    explained = _explained(answer, moment, gateway)
    asked = _Asked(
        actor=ACTOR, practice=present.practice, subject=present.subject, referral=present.id
    )
    _record(gateway, asked, [explained])
    return explained


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A question without a referral: may this practice do this, to whom, and what for?

    `assumed`: what is to be taken for granted of the referral and the patient, by fact; what
    is not named is as in a good referral.
    """

    practice: OdsCode
    recipient: OdsCode
    purpose: str
    service: ServiceId | None
    action: Action
    assumed: Mapping[str, object]


def explain_pair(pair: Pair, gateway: Gateway, moment: Moment) -> Explanation:
    """Explain what holds between a practice and a recipient for a purpose.

    Raises:
        NotFoundError: the directory had no such practice at that moment.
        ValueError: an assumed name is no fact, or its value is none of its values.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        facts, service = _facts_between(view, pair, moment)
    explained = Explanation(
        service=service,
        purpose=pair.purpose,
        moment=moment,
        facts=facts,
        verdict=decide(facts, gateway.policy),
        flips=find_flips(facts, gateway.policy),
    )
    asked = _Asked(actor=ACTOR, practice=pair.practice, recipient=pair.recipient)
    _record(gateway, asked, [explained])
    return explained


def _facts_between(view: Reading, pair: Pair, moment: Moment) -> tuple[Facts, Service | None]:
    directory = DirectoryAsOf(view, moment.at)
    service = directory.service(pair.service) if pair.service else None
    parties = directory.parties(pair.practice, pair.recipient, moment)
    if parties.practice is None:
        msg = f"the directory had no practice {pair.practice} then: whoever runs the gateway can add it"
        raise NotFoundError(msg)
    facts = facts_between(
        parties.practice,
        parties.provider,
        service,
        parties.agreements,
        action=pair.action,
        purpose=pair.purpose,
        at=moment.at,
        assumed=pair.assumed,
    )
    return facts, service


def _explained(
    answer: Answer, moment: Moment, gateway: Gateway, *, is_chosen: bool = True
) -> Explanation:
    policy: Policy = gateway.policy
    return Explanation(
        service=answer.candidate.service,
        purpose=answer.candidate.purpose,
        moment=moment,
        facts=answer.facts,
        verdict=answer.verdict,
        flips=find_flips(answer.facts, policy),
        withheld=answer.minimised.withheld,
        would_leave=answer.minimised.tree,
        is_chosen=is_chosen,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Who asked, and about whom. `recipient` None: that of each service."""

    actor: str
    practice: OdsCode
    subject: Handle | None = None
    referral: ReferralId | None = None
    recipient: OdsCode | None = None


def _record(gateway: Gateway, asked: _Asked, explained: Sequence[Explanation]) -> None:
    """Record each preview; what cannot be recorded is not told."""
    with gateway.store.transaction(gateway.clock()) as tx:
        for each in explained:
            tx.record(_previewed(asked, each))


def _previewed(asked: _Asked, each: Explanation) -> DecisionPreviewed:
    service, verdict = each.service, each.verdict
    return DecisionPreviewed(
        actor=asked.actor,
        practice=asked.practice,
        subject=asked.subject,
        referral=asked.referral,
        service=service.id if service else None,
        recipient=asked.recipient or (service.provider if service else None),
        as_of=each.moment.at.astimezone(UTC),
        effect=LedgerEffect(verdict.effect),
        rule=verdict.primary_rule,
        code=verdict.code,
        rules=rules_of(verdict),
        obligations=verdict.obligations,
        policy=verdict.policy_version,
    )
