"""A copy of a report leaves, or stays: decided at that moment, for its recipient alone.

What enters: a provider, or an officer, and the version of the text that is to leave. What leaves:
the copy as it stands, and, once it was released, the document for its recipient; or a refusal, with
the decision on record. Employer, HR, Health and Work service and the person have it by way of the
provider, and so has a clinician whom the person named; the practice's inbox by a letter.

Must never: let a copy go that the rules, the gate or the person's choice keep here; put words into
it that the person has not seen, where they are not the report itself; bring anything to an inbox
that the person's employer may read.
Source: the sharing rules, R50 to R52b; AMRA, sections 4 to 6; `gateway/writeback/report_gate.py`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never

from gateway.errors import IllegalMoveError
from gateway.fhir.text import read_resource
from gateway.journey import letters, onward
from gateway.journey import report_cases as cases
from gateway.journey.consider import About, keep
from gateway.journey.gateway import Gateway
from gateway.journey.reminders import settle_reminders
from gateway.journey.report_cases import Asker, Case, CopyStanding
from gateway.journey.report_facts import ask
from gateway.ledger.entry import ReportSightReleased
from gateway.ledger.kinds import Stage
from gateway.ledger.values import Epochs
from gateway.mapping.compose_letter import patient_of
from gateway.mapping.readable import Person, Provenance
from gateway.mapping.report_text import CopyText, Handed, as_json, as_pdf, open_text
from gateway.referral.identifiers import ReportId
from gateway.referral.instants import day_of
from gateway.referral.outcome import Outcome, Standing
from gateway.referral.reminder import ReminderCode
from gateway.referral.report import CopyState, GpRoute, Recipient, withhold_copy
from gateway.referral.report_copy import FiledCopy, ReportAct
from gateway.store import gates, outcomes, referrals, reports
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Reading, Transaction
from gateway.writeback.report_gate import (
    Gate,
    RouteChoice,
    Step,
    gate,
    route_to_gp,
    take_step,
)


class Form(StrEnum):
    """As what a released copy is handed over."""

    JSON = "json"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class _Kept:
    """Why a copy stays, as a code and in words."""

    code: str
    text: str


_ANOTHER_TEXT: Final = _Kept(
    "ANOTHER_TEXT",
    "This is about another text of the report than the present one: read the copy again.",
)
_INCOMPLETE: Final = _Kept(
    "INCOMPLETE",
    "The report does not say what the dataset for an employer asks for, in its codes: send it with"
    " them, and write the copy anew.",
)
_NO_ROUTE: Final = _Kept(
    "ROUTE_NOT_CHOSEN",
    "The practice may be the person's employer: ask the person which clinician alone is to read"
    " it, or whether nobody is.",
)
_NOBODY: Final = _Kept("NOBODY_CHOSEN", "The person wishes that it does not go to their GP.")
_NOT_SENT: Final = _Kept(
    "NOT_SENT_ON",
    "The practice cannot be sent it as things stand: an officer for information governance was"
    " told.",
)


def release(gateway: Gateway, report_id: ReportId, asker: Asker, *, version: int) -> CopyStanding:
    """Let a copy go to its recipient, if it may; one that went before is left as it is.

    --- one transaction ---
    1. Let nobody move the copy; hold the gates of practice, recipient and person.
    2. Write the text that would leave; ask the rules about it, and the gate.
    3. It may go: keep the decision, seal the text, record the release; the GP's becomes a letter.
       It may not: keep the decision and record that it stays; refused for good, it is withheld.
    --- end ---

    Raises:
        NotFoundError: this provider has no such copy.
        IllegalMoveError: it stays, and why; or `version` is not the present one.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        case = cases.hold(tx, report_id, asker)
        kept = None if case.filed.copy.has_left else _walk(tx, gateway, case, asker, version)
    if kept is not None:
        raise IllegalMoveError(kept.text)
    with gateway.store.reading(as_one_moment=True) as view:
        return cases.standing_of(view, gateway, cases.find(view, report_id, asker))


def hand_over(gateway: Gateway, report_id: ReportId, asker: Asker, form: Form) -> bytes:
    """Write the document of a copy that was released by way of the provider.

    Raises:
        NotFoundError: this provider has no such copy.
        IllegalMoveError: it was not released, or went to the practice by a letter.
        InvalidMessageError: it cannot be written as a PDF.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        filed = cases.find(view, report_id, asker)
        outcome = outcomes.find(view, filed.outcome)
        if not filed.copy.has_left or outcome is None:
            msg = "this copy was not released: nothing of it is handed over"
            raise IllegalMoveError(msg)
        if filed.route is GpRoute.INBOX:
            msg = "this copy goes to the practice by a letter: it is not handed over"
            raise IllegalMoveError(msg)
        handed = _handed(view, filed, outcome)
        if form is Form.JSON:
            return as_json(handed)
        if not filed.is_in_full:
            return as_pdf(handed, None, None)
        return as_pdf(handed, _whose(view, filed), _source(view, gateway, filed, outcome))


def _walk(
    tx: Transaction, gateway: Gateway, case: Case, asker: Asker, version: int
) -> _Kept | None:
    """Steps 1 to 3, of a copy that has not left."""
    if version != case.filed.copy.version:
        return _stay(tx, case, asker, _ANOTHER_TEXT)
    fence = gates.hold(tx, case.referral.id, recipient=case.filed.organisation)
    answer = ask(tx, gateway, case.filed, case.referral, tx.at)
    allowed = gate(case.filed.copy, answer.verdict.effect, day_of(tx.at))
    text = _final_text(tx, case)
    decision = keep(tx, gateway, answer, _about(case, asker, fence, text))
    case = replace(case, filed=replace(case.filed, decision=decision))
    if not allowed.is_open:
        return _shut(tx, case, asker, allowed)
    if not text.is_complete:
        return _stay(tx, case, asker, _INCOMPLETE)
    case = replace(case, filed=replace(case.filed, text_sha256=text.sha256, is_complete=True))
    if case.filed.recipient is not Recipient.GP:
        _leave(tx, case, asker, allowed, text)
        return None
    words = reports.words_of(tx, case.filed)
    chosen = case.filed.route
    route = route_to_gp(
        practice_is_employer=answer.facts.practice_is_employer,
        chosen=RouteChoice(route=chosen, clinician=words.clinician) if chosen else None,
    )
    return _to_gp(tx, gateway, case, asker, allowed, text, route, fence)


def _final_text(tx: Transaction, case: Case) -> CopyText:
    """Return the text that would leave: without the notes to an employer, if nobody saw them."""
    filed = case.filed
    if filed.is_in_full or filed.copy.state is CopyState.DRAFT:
        return cases.text_of(tx, filed, case.outcome, with_notes=False)
    return CopyText(
        body=reports.text_of(tx, filed), sha256=filed.text_sha256, is_complete=filed.is_complete
    )


def _to_gp(
    tx: Transaction,
    gateway: Gateway,
    case: Case,
    asker: Asker,
    allowed: Gate,
    text: CopyText,
    route: RouteChoice | None,
    fence: Epochs,
) -> _Kept | None:
    """Bring a copy to the person's GP by the way that is open: a letter, by hand, or none."""
    if route is None:
        return _stay(tx, case, asker, _NO_ROUTE)
    case = replace(case, filed=replace(case.filed, route=route.route))
    match route.route:
        case GpRoute.NOBODY:
            copy = withhold_copy(case.filed.copy)
            return _stay(tx, replace(case, filed=replace(case.filed, copy=copy)), asker, _NOBODY)
        case GpRoute.NAMED_CLINICIAN:
            _leave(tx, case, asker, allowed, text)
            return None
        case GpRoute.INBOX:
            if _send_letter(tx, gateway, case, asker, fence):
                _leave(tx, case, asker, allowed, text)
                return None
            return _stay(tx, case, asker, _NOT_SENT)
        case _:
            assert_never(route.route)


def _send_letter(
    tx: Transaction, gateway: Gateway, case: Case, asker: Asker, fence: Epochs
) -> bool:
    """Put the report to the write guard, as an outcome is put; tell whether it goes on."""
    if case.outcome.standing is Standing.SENT_ON:
        return False
    found = onward.find(tx, case.outcome, case.referral)
    judged = onward.judge(tx, gateway, found)
    about = onward.about(found, None, fence, actor=asker.actor)
    decision = onward.keep_judgement(tx, gateway, judged, about)
    standing = letters.send_on(tx, gateway, found, judged, decision, actor=asker.actor)
    if standing is not Standing.SENT_ON:
        return False
    settle_reminders(
        tx, case.referral, case.outcome.id, [ReminderCode.OUTCOME_HELD],
        actor=asker.actor, resolution="REPORT_RELEASED",
    )  # fmt: skip
    return True


def _leave(tx: Transaction, case: Case, asker: Asker, allowed: Gate, text: CopyText) -> None:
    """Seal the text that leaves, and record that it does."""
    copy = take_step(allowed, day_of(tx.at))
    reports.set_text(tx, case.filed, text.body)
    tx.record(ReportSightReleased(**cases.on_report(case, asker)))
    cases.save(tx, case, replace(case.filed, copy=copy), ReportAct.RELEASE, asker, allowed.why)


def _shut(tx: Transaction, case: Case, asker: Asker, allowed: Gate) -> _Kept:
    """Do what a shut gate says: the copy waits as it is, or is withheld."""
    if allowed.step is Step.WITHHOLD:
        copy = take_step(allowed, day_of(tx.at))
        case = replace(case, filed=replace(case.filed, copy=copy))
    code = allowed.why.value.replace("-", "_").upper()
    return _stay(tx, case, asker, _Kept(code, f"{allowed.reason} {allowed.remedy}"))


def _stay(tx: Transaction, case: Case, asker: Asker, kept: _Kept) -> _Kept:
    """Record that a copy stays, and why."""
    cases.record_refused(tx, case, asker, kept.code)
    cases.save(tx, case, case.filed, ReportAct.RELEASE, asker, kept.code)
    return kept


def _about(case: Case, asker: Asker, fence: Epochs, text: CopyText) -> About:
    return About(
        stage=Stage.WRITE_BACK,
        practice=case.referral.practice,
        subject=case.referral.subject,
        referral=case.referral.id,
        delivery=case.delivery.id,
        payload_sha256=text.sha256,
        actor=asker.actor,
        epochs=fence,
        recipient=case.filed.organisation,
    )


def _handed(view: Reading, filed: FiledCopy, outcome: Outcome) -> Handed:
    """Put a released copy together with its text and the person's words."""
    words = reports.words_of(view, filed)
    body = reports.text_of(view, filed)
    document, lines = (cases.report_of(view, outcome), ()) if body is None else open_text(body)
    return Handed(
        filed=filed,
        document=document,
        lines=lines,
        statement=words.statement,
        clinician=words.clinician if filed.route is GpRoute.NAMED_CLINICIAN else None,
    )


def _whose(view: Reading, filed: FiledCopy) -> Person:
    patient = patient_of(read_resource(referrals.body_of(view, filed.referral)))
    name = " ".join((*patient.given, patient.family))
    return Person(number=patient.number, birth_date=patient.birth_date, name=name)


def _source(view: Reading, gateway: Gateway, filed: FiledCopy, outcome: Outcome) -> Provenance:
    present = referrals.get(view, filed.referral)
    provider = DirectoryAsOf(view, gateway.clock()).parties(present.practice, filed.provider)
    if filed.decision is None:
        msg = "what was released was decided on"
        raise AssertionError(msg)
    return Provenance(
        organisation=provider.provider.name if provider.provider else filed.provider,
        ods=filed.provider,
        said_at=outcome.said_at or outcome.received_at,
        gateway=gateway.ods,
        decision=filed.decision,
        reference=present.reference,
    )
