"""Copies of a report: reviewed, shown to the person, answered by them, written anew, kept here.

What enters: a provider, or an officer, and what they or the person did. What leaves: how the copy
stands then. Each act is one transaction with its entry, and is noted on the copy. Must never:
take an answer for a text that the person did not see, or let one act on a copy touch another.
A refused act is on record too. How a copy is
made: `report_copies.py`; how it leaves: `report_release.py`.
Source: `gateway/referral/report.py`; `gateway/writeback/report_gate.py`; the sharing rules, R50 to
R52b.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from gateway.errors import (
    IllegalMoveError,
)
from gateway.journey import report_cases as cases
from gateway.journey.gateway import Gateway
from gateway.journey.report_cases import Asker, Case, CopyStanding
from gateway.journey.report_facts import ask
from gateway.ledger.entry import (
    ReportSightAgreed,
    ReportSightObjected,
    ReportSightOffered,
    ReportSightSeen,
)
from gateway.referral.identifiers import ReportId
from gateway.referral.instants import day_of
from gateway.referral.report import (
    Answer,
    GpRoute,
    Recipient,
    ReportCopy,
    offer_sight,
    show,
    take_answer,
    withhold_copy,
    write_anew,
)
from gateway.referral.report_copy import PersonsWords, ReportAct
from gateway.store import reports
from gateway.store.engine import Transaction
from gateway.writeback.report_gate import Gate, Why, gate

_NOBODY_SEES = frozenset(
    {
        Why.SUPPLIED,
        Why.WITHHELD_BEFORE,
        Why.PERSON_OBJECTS,
        Why.RULES_DENY,
        Why.NOT_REVIEWED,
        Why.THIRD_PARTY,
        Why.WOULD_HARM,
    }
)
"""While one of these holds, a copy is shown to nobody, whatever the person wishes."""


_Move = Callable[[Transaction, Case], Case]


def review(
    gateway: Gateway,
    report_id: ReportId,
    asker: Asker,
    *,
    version: int,
    third_party: bool,
    would_harm: bool,
) -> CopyStanding:
    """Record whether a text speaks of somebody else, or could harm the person seriously."""

    def move(tx: Transaction, case: Case) -> Case:
        copy = _of_version(case, version)
        if copy.has_left:
            raise _gone()
        copy = replace(copy, third_party=third_party, would_harm=would_harm)
        return cases.save(tx, case, replace(case.filed, copy=copy), ReportAct.REVIEW, asker)

    return _act(gateway, report_id, asker, ReportAct.REVIEW, move)


def offer(gateway: Gateway, report_id: ReportId, asker: Asker) -> CopyStanding:
    """Record that the person was told that they may see a copy first."""

    def move(tx: Transaction, case: Case) -> Case:
        if case.filed.copy.offered_on is not None:
            return case
        allowed = _gate(tx, gateway, case)
        if allowed.why is not Why.NOT_OFFERED:
            raise _refusal(allowed)
        copy = offer_sight(case.filed.copy, _today(tx))
        tx.record(ReportSightOffered(**cases.on_report(case, asker)))
        return cases.save(tx, case, replace(case.filed, copy=copy), ReportAct.OFFER, asker)

    return _act(gateway, report_id, asker, ReportAct.OFFER, move)


def record_shown(
    gateway: Gateway, report_id: ReportId, asker: Asker, *, version: int
) -> CopyStanding:
    """Record that the person has the text of a version before them."""

    def move(tx: Transaction, case: Case) -> Case:
        copy = _of_version(case, version)
        allowed = _gate(tx, gateway, case)
        if allowed.why in _NOBODY_SEES:
            raise _refusal(allowed)
        copy = show(copy, _today(tx))
        tx.record(ReportSightSeen(**cases.on_report(case, asker)))
        return cases.save(tx, case, replace(case.filed, copy=copy), ReportAct.SHOW, asker)

    return _act(gateway, report_id, asker, ReportAct.SHOW, move)


def answer(
    gateway: Gateway,
    report_id: ReportId,
    asker: Asker,
    said: Answer,
    *,
    version: int,
    statement: str | None = None,
) -> CopyStanding:
    """Record what the person says of the text of a version; their statement is sealed."""

    def move(tx: Transaction, case: Case) -> Case:
        copy = take_answer(case.filed.copy, said, _today(tx), version=version)
        if said is Answer.AGREES:
            tx.record(ReportSightAgreed(**cases.on_report(case, asker)))
        if said is Answer.OBJECTS:
            tx.record(ReportSightObjected(**cases.on_report(case, asker)))
        if statement is not None:
            words = replace(reports.words_of(tx, case.filed), statement=statement)
            reports.set_words(tx, case.filed, words)
        changed = replace(case.filed, copy=copy)
        return cases.save(tx, case, changed, ReportAct.ANSWER, asker, said)

    return _act(gateway, report_id, asker, ReportAct.ANSWER, move)


def choose_route(
    gateway: Gateway, report_id: ReportId, asker: Asker, route: GpRoute, clinician: str | None
) -> CopyStanding:
    """Record how the person wishes their GP to have it; the clinician's name is sealed."""

    def move(tx: Transaction, case: Case) -> Case:
        if case.filed.recipient is not Recipient.GP:
            msg = "the person chooses a way for their GP's copy, and for no other"
            raise IllegalMoveError(msg)
        if case.filed.copy.has_left:
            raise _gone()
        words = replace(reports.words_of(tx, case.filed), clinician=clinician)
        reports.set_words(tx, case.filed, words)
        changed = replace(case.filed, route=route)
        return cases.save(tx, case, changed, ReportAct.ROUTE, asker, route)

    return _act(gateway, report_id, asker, ReportAct.ROUTE, move)


def rewrite(gateway: Gateway, report_id: ReportId, asker: Asker) -> CopyStanding:
    """Put the newest report of the same task in the place of a copy's text; it is seen anew."""

    def move(tx: Transaction, case: Case) -> Case:
        newest = cases.newest_report(tx, case.delivery)
        if newest.id == case.filed.outcome:
            msg = "no newer report was sent for this task: send it first"
            raise IllegalMoveError(msg)
        filed = case.filed
        if reports.find_same(tx, newest.id, filed.recipient, filed.organisation):
            msg = "this recipient has a copy of the newest report already"
            raise IllegalMoveError(msg)
        copy = write_anew(filed.copy)
        changed = replace(filed, copy=copy, outcome=newest.id, decision=None)
        text = cases.text_of(tx, changed, newest, with_notes=True)
        changed = replace(changed, text_sha256=text.sha256, is_complete=text.is_complete)
        reports.set_text(tx, changed, text.body)
        clinician = reports.words_of(tx, filed).clinician
        reports.set_words(tx, changed, PersonsWords(clinician=clinician))
        return cases.save(tx, case, changed, ReportAct.REWRITE, asker)

    return _act(gateway, report_id, asker, ReportAct.REWRITE, move)


def withhold(gateway: Gateway, report_id: ReportId, asker: Asker) -> CopyStanding:
    """Keep a copy here: whoever says so needs no rule for it."""

    def move(tx: Transaction, case: Case) -> Case:
        copy = withhold_copy(case.filed.copy)
        cases.record_refused(tx, case, asker, "BY_HAND")
        return cases.save(tx, case, replace(case.filed, copy=copy), ReportAct.WITHHOLD, asker)

    return _act(gateway, report_id, asker, ReportAct.WITHHOLD, move)


def _act(
    gateway: Gateway, report_id: ReportId, asker: Asker, act: ReportAct, move: _Move
) -> CopyStanding:
    """Do one act on a copy that is held still; one that may not be done is noted and recorded.

    A move that refuses has written nothing before it does.
    """
    refused: IllegalMoveError | None = None
    with gateway.store.transaction(gateway.clock()) as tx:
        case = cases.hold(tx, report_id, asker)
        try:
            case = move(tx, case)
        except IllegalMoveError as error:
            refused = error
            cases.record_refused(tx, case, asker, f"{act}_NOT_NOW")
            reports.note(tx, case.filed, act, by=asker.actor, code="NOT_NOW")
    if refused is not None:
        raise refused
    with gateway.store.reading(as_one_moment=True) as view:
        return cases.standing_of(view, gateway, case.filed)


def _gate(tx: Transaction, gateway: Gateway, case: Case) -> Gate:
    verdict = ask(tx, gateway, case.filed, case.referral, tx.at).verdict
    return gate(case.filed.copy, verdict.effect, _today(tx))


def _of_version(case: Case, version: int) -> ReportCopy:
    if version != case.filed.copy.version:
        msg = "this is about another text of the report than the present one: read the copy again"
        raise IllegalMoveError(msg)
    return case.filed.copy


def _refusal(allowed: Gate) -> IllegalMoveError:
    return IllegalMoveError(f"{allowed.reason} {allowed.remedy}")


def _gone() -> IllegalMoveError:
    return IllegalMoveError("the copy was supplied: what follows it is a copy of its own")


def _today(tx: Transaction) -> date:
    """Return the day by the clock in London."""
    return day_of(tx.at)
