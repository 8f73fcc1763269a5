"""One copy of a report with all that is about it, found and held; and how it stands.

What enters: who asks, and which copy. What leaves: a Case whose delivery and referral are held
still, or a Standing to be shown. Must never: show that a copy is here that is another provider's.
"""

from dataclasses import dataclass, field, replace
from typing import TypedDict

from gateway.consent.decide import Verdict
from gateway.errors import (
    Fault,
    IllegalMoveError,
    InvalidMessageError,
    IssueCode,
    NotFoundError,
    Severity,
)
from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.text import read_resource
from gateway.journey.gateway import Gateway
from gateway.journey.outbox import named
from gateway.journey.report_facts import ask
from gateway.ledger.entry import OutcomeRefused
from gateway.ledger.kinds import Door
from gateway.mapping.report_text import CopyText, employer_text, full_text
from gateway.referral.identifiers import Handle, OdsCode, ReferralId, ReferralReference, ReportId
from gateway.referral.instants import day_of
from gateway.referral.json import JsonObject
from gateway.referral.model import Delivery, Referral, Sender
from gateway.referral.outcome import Outcome, Standing
from gateway.referral.report_copy import FiledCopy, ReportAct, ReportEvent
from gateway.store import deliveries, outcomes, referrals, reports
from gateway.store.engine import Reading, Transaction
from gateway.writeback.content import classify
from gateway.writeback.report_gate import Gate, gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who does something with a copy: a provider's client, or, where no client sends it, an officer."""

    actor: str
    sender: Sender | None = None

    @property
    def provider(self) -> OdsCode | None:
        """Whose copies alone they may know; None: all."""
        return self.sender.ods if self.sender else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A copy that is held still, with its report."""

    filed: FiledCopy
    outcome: Outcome
    delivery: Delivery
    referral: Referral


class OnReport(TypedDict):
    """How an entry names a copy."""

    actor: str
    practice: OdsCode
    subject: Handle
    referral: ReferralId
    artefact: ReportId
    recipient: OdsCode
    payload_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStanding:
    """How a copy stands: what may be done with it now, and what is missing in it.

    `verdict` is for officers: a provider is told the gate's words alone.
    """

    filed: FiledCopy
    reference: ReferralReference
    gate: Gate
    verdict: Verdict = field(repr=False)
    left_out: tuple[Fault, ...] = ()
    events: tuple[ReportEvent, ...] = ()


def find(view: Reading | Transaction, report_id: ReportId, asker: Asker) -> FiledCopy:
    """Find a copy among those that the asker may know.

    Raises:
        NotFoundError: there is none of this id, or it is another provider's.
    """
    filed = reports.find(view, report_id)
    if filed is None or asker.provider not in (None, filed.provider):
        msg = "no copy of a report has this id, or it is not yours"
        raise NotFoundError(msg)
    return filed


def hold(tx: Transaction, report_id: ReportId, asker: Asker) -> Case:
    """Find a copy, let nobody else move it, and read what is about it.

    Raises:
        NotFoundError: there is none of this id, or it is another provider's.
    """
    before = find(tx, report_id, asker)
    delivery, referral = deliveries.hold_still(tx, before.delivery)
    filed = find(tx, report_id, asker)
    outcome = outcomes.find(tx, filed.outcome)
    if outcome is None:
        msg = "a copy is of an outcome"
        raise AssertionError(msg)
    return Case(filed=filed, outcome=outcome, delivery=delivery, referral=referral)


def standing_of(
    view: Reading | Transaction, gateway: Gateway, filed: FiledCopy, *, with_events: bool = True
) -> CopyStanding:
    """Say how a copy stands at this moment; nothing is stored."""
    at = gateway.clock()
    present = referrals.get(view, filed.referral)
    verdict = ask(view, gateway, filed, present, at).verdict
    outcome = outcomes.find(view, filed.outcome)
    left_out: tuple[Fault, ...] = ()
    if outcome is not None and not filed.copy.has_left:
        left_out = text_of(view, filed, outcome, with_notes=True).left_out
    return CopyStanding(
        filed=filed,
        reference=present.reference,
        gate=gate(filed.copy, verdict.effect, day_of(at)),
        verdict=verdict,
        left_out=left_out,
        events=tuple(reports.events_of(view, filed)) if with_events else (),
    )


def text_of(
    view: Reading | Transaction, filed: FiledCopy, outcome: Outcome, *, with_notes: bool
) -> CopyText:
    """Write the text of a copy anew from its report."""
    if filed.is_in_full:
        return full_text(outcome.body_sha256)
    written_on = day_of(outcome.said_at or outcome.received_at)
    return employer_text(report_of(view, outcome), written_on, with_notes=with_notes)


def report_of(view: Reading | Transaction, outcome: Outcome) -> JsonObject:
    """Open a report as it was sent."""
    return read_resource(outcomes.body_of(view, outcome))


def newest_report(view: Reading | Transaction, delivery: Delivery) -> Outcome:
    """Find the newest report that was sent of a delivery, fit to be copied.

    Raises:
        IllegalMoveError: there is none, or nothing of it may leave.
        InvalidMessageError: a person has to look at it first, and why.
    """
    sent = [
        each
        for each in outcomes.of_referral(view, delivery.referral)
        if each.delivery == delivery.id and each.payload is not None
    ]
    if not sent:
        msg = (
            "no report was sent for this task: send it first, as an outcome; as a draft, if the"
            " person is to see it before their GP does"
        )
        raise IllegalMoveError(msg)
    newest = sent[-1]
    if newest.standing is Standing.KEPT:
        msg = "nothing of the newest report may leave"
        raise IllegalMoveError(msg)
    _check_fit(view, newest, referrals.get(view, delivery.referral))
    return newest


def _check_fit(view: Reading | Transaction, outcome: Outcome, present: Referral) -> None:
    """Refuse what a person has to look at before anything of it goes to anybody."""
    tree = report_of(view, outcome)
    said = read_outcome(tree)
    held = classify(tree, present.practice).faults
    faults = [replace(each.as_fault(), severity=Severity.ERROR) for each in held]
    if said.nhs_number is None:
        faults.append(_fault("The report does not name the person by NHS number: send it so."))
    if said.absent:
        faults.append(_fault("A part of the report is elsewhere: send it whole."))
    if faults:
        raise InvalidMessageError(*faults)


def _fault(text: str) -> Fault:
    return Fault(code=IssueCode.BUSINESS_RULE, diagnostics=text)


def save(
    tx: Transaction,
    case: Case,
    changed: FiledCopy,
    act: ReportAct,
    asker: Asker,
    code: str | None = None,
) -> Case:
    """Store where a copy stands after an act, and note the act."""
    reports.change(tx, changed)
    reports.note(tx, changed, act, by=asker.actor, code=code)
    return replace(case, filed=changed)


def record_refused(tx: Transaction, case: Case, asker: Asker, code: str) -> None:
    """Record that something was not done with a copy; the door is that of its report."""
    tx.record(
        OutcomeRefused(
            **named(case.delivery, case.referral, actor=asker.actor),
            code=f"REPORT_KEPT.{code}".upper(),
            door=Door(case.outcome.door),
            payload_sha256=case.filed.text_sha256,
        )
    )


def on_report(case: Case, asker: Asker) -> OnReport:
    """Name a copy in an entry on the person's sight of it, or on its release."""
    return OnReport(
        actor=asker.actor,
        practice=case.referral.practice,
        subject=case.referral.subject,
        referral=case.referral.id,
        artefact=case.filed.id,
        recipient=case.filed.organisation,
        payload_sha256=case.filed.text_sha256,
    )
