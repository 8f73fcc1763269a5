"""A practice signs agreements, withdraws from them, suspends and reinstates them.

What enters: a practice's word on one agreement. What leaves: an event with its ledger entry and,
where the ICB is to be told, the draft of a notice, all in one transaction; or a refusal by the
sharing rules, which is on record too; or that it stands so already. Must never: bring an
agreement into force that the rules do not permit, or let a rule stop a withdrawal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.consent.agreements import (
    RESTRICTS,
    agreement_at,
    course,
    goes_on,
    in_order,
    move_by_signing,
    require_legal,
)
from gateway.consent.decide import Reason
from gateway.errors import (
    Fault,
    IllegalMoveError,
    InvalidMessageError,
    IssueCode,
    NotFoundError,
)
from gateway.journey.gateway import Gateway
from gateway.journey.notices import draft_notices
from gateway.journey.sharing import (
    Word,
    enter,
    moment_of,
    once_more,
    present,
    record_agreement,
    refuse_past,
    require_practice,
)
from gateway.journey.signing import Asked, ask, refusal
from gateway.journey.withdraw import acknowledge
from gateway.ledger.entry import AgreementRefused
from gateway.referral.directory import Agreement, AgreementStatus, Practice, Terms
from gateway.referral.identifiers import AgreementId, OdsCode
from gateway.referral.instants import day_of
from gateway.referral.notices import Notice
from gateway.referral.sharing import AgreementEvent, AgreementMove, Moment
from gateway.referral.withdrawals import Acknowledged
from gateway.store import sharing
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to happen to an agreement, and from when. `effective_at` None: at once.

    `move` is WITHDRAWN, SUSPENDED, REINSTATED or SIGNED; the last comes with `terms`, and with a
    `counterparty` where there is no such agreement yet. `confirmed_by` says on whose authority
    an unchanged renewal is agreed to while sign-up is frozen.
    """

    agreement: AgreementId
    move: AgreementMove
    effective_at: datetime | None = None
    terms: Terms | None = None
    counterparty: OdsCode | None = None
    document_sha256: str | None = None
    confirmed_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementStanding:
    """How one agreement stands; None: nothing of it counts yet. `planned` takes effect later."""

    id: AgreementId
    agreement: Agreement | None
    planned: tuple[AgreementEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSet:
    """What a word on an agreement came to.

    `event` None: it stood so already, or `refused` says why not; nothing was written.
    `objection` is the rule because of which it was only proposed. `note` says what is planned
    all the same where it stood so already, and how to cancel it. `withdrawn`: what no longer
    leaves by it, and what had left.
    """

    event: AgreementEvent | None
    standing: AgreementStanding
    objection: Reason | None = None
    refused: AgreementRefused | None = None
    note: str | None = None
    withdrawn: tuple[Acknowledged, ...] = ()


def set_agreement(
    practice: OdsCode, wish: Wish, word: Word, gateway: Gateway
) -> tuple[AgreementSet, tuple[Notice, ...]]:
    """Sign, withdraw, suspend or reinstate one agreement of a practice.

    --- one transaction ---
    1. Lock the practice; read the events on the agreement.
    2. Say so where it stands that way already; refuse what cannot happen to it.
    3. What brings it into force is put to the sharing rules.
    4. Write the event, or the refusal, with its entry; draft the notice that is due. What a
       withdrawal covers is stopped.
    --- end ---
    5. Wait until nothing of it can leave any more; recall what had left.

    Raises:
        NotFoundError: the directory has no such practice or counterparty, or there is no such
            agreement.
        InvalidMessageError: something of the wish is missing or contradicts itself.
        IllegalMoveError: it does not stand so that this could happen to it, or not from then.
        ConsentRefusedError: the rules do not permit it; that is on record.
        MovedMeanwhileError: somebody else changed the same at that moment, twice.
    """

    def act() -> tuple[AgreementSet, tuple[Notice, ...]]:
        with gateway.store.transaction(gateway.clock()) as tx:
            here = enter(tx, practice)
            done = change_agreement(tx, gateway, here, wish, word)
            if done.refused is not None:
                tx.record(done.refused)
            events = [done.event] if done.event else []
            return done, draft_notices(tx, gateway, here, events, actor=word.actor)

    done, drafted = once_more(act)
    if done.refused is not None and done.objection is not None:
        raise refusal(done.objection)
    recorded_at = done.event.recorded_at if done.event else None
    withdrawn = acknowledge(gateway, practice=practice, at=recorded_at)
    return replace(done, withdrawn=withdrawn), drafted


def change_agreement(
    tx: Transaction, gateway: Gateway, practice: Practice, wish: Wish, word: Word
) -> AgreementSet:
    """Change one agreement inside a transaction that has entered the practice.

    Drafts no notice, and records no refusal: whoever calls does.

    Raises:
        NotFoundError, InvalidMessageError, IllegalMoveError: as `set_agreement`.
    """
    earlier = sharing.events_on(tx, practice.ods, wish.agreement)
    now = present(earlier, tx.at)
    then = moment_of(wish.effective_at, now)
    before = agreement_at(earlier, then)
    move, terms, there = _what(tx, practice, wish, before, earlier)
    event = AgreementEvent(
        practice=practice.ods,
        agreement=wish.agreement,
        seq=sharing.next_seq(earlier),
        counterparty=there,
        move=move,
        terms=terms,
        effective_at=then.at,
        recorded_at=now.at,
        actor=word.actor,
        origin=word.origin,
        reason=_reason(word, wish),
        document_sha256=wish.document_sha256,
    )
    if _changes_nothing(earlier, event, before):
        standing = _standing(wish.agreement, earlier, now)
        return AgreementSet(event=None, standing=standing, note=_note(earlier, event))
    _require_possible(earlier, event, now)
    asked = (
        Asked()
        if move in RESTRICTS or _cancels(earlier, event, now)
        else ask(tx, gateway, event, before, wish.confirmed_by)
    )
    if asked.objection is not None:
        return _objected(tx, gateway, earlier, event, asked, before=before, now=now)
    record_agreement(tx, gateway, event)
    return AgreementSet(event=event, standing=_standing(wish.agreement, [*earlier, event], now))


def agreements_of(practice: OdsCode, gateway: Gateway) -> list[AgreementStanding]:
    """List how each agreement of a practice stands, by id.

    Raises:
        NotFoundError: the directory has no such practice.
    """
    at = gateway.clock()
    with gateway.store.reading(as_one_moment=True) as view:
        require_practice(view, practice, at)
        events = sharing.agreement_events(view, practice)
    of_each: dict[AgreementId, list[AgreementEvent]] = {}
    for event in sorted(events, key=lambda event: event.seq):
        of_each.setdefault(event.agreement, []).append(event)
    return [_standing(each, of_each[each], present(of_each[each], at)) for each in sorted(of_each)]


def agreement_history(
    practice: OdsCode, gateway: Gateway, *, agreement: AgreementId | None = None
) -> list[AgreementEvent]:
    """List every event on a practice's agreements, or on one, as they were recorded.

    Raises:
        NotFoundError: the directory has no such practice, or it has no such agreement.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        require_practice(view, practice, gateway.clock())
        events = sharing.agreement_events(view, practice)
    wanted = [event for event in events if agreement in (None, event.agreement)]
    if agreement is not None and not wanted:
        raise _no_such(agreement)
    return sorted(wanted, key=lambda event: (event.recorded_at, event.agreement, event.seq))


def _what(
    tx: Transaction,
    practice: Practice,
    wish: Wish,
    before: Agreement | None,
    earlier: Sequence[AgreementEvent],
) -> tuple[AgreementMove, Terms, OdsCode]:
    """Say which move is meant, under which terms and with whom."""
    if wish.terms is not None:
        there = _counterparty(tx, practice, wish, earlier)
        return move_by_signing(before, wish.terms), wish.terms, there
    if not earlier:
        raise _no_such(wish.agreement)
    if before is None:
        starts = min(event.effective_at for event in earlier).isoformat()
        msg = f"agreement {wish.agreement} is not in force then: it first counts from {starts}"
        raise IllegalMoveError(msg)
    return wish.move, before.terms, before.counterparty


def _counterparty(
    tx: Transaction, practice: Practice, wish: Wish, earlier: Sequence[AgreementEvent]
) -> OdsCode:
    """Find with whom an agreement is to be signed; it stays the same for the agreement's life."""
    there = wish.counterparty or (earlier[-1].counterparty if earlier else None)
    if there is None:
        raise _invalid("counterparty", "say with whom: the ODS code of a provider", required=True)
    if earlier and there != earlier[-1].counterparty:
        text = "this agreement is with another organisation; sign with this one under another id"
        raise _invalid("counterparty", text)
    directory = DirectoryAsOf(tx, tx.at)
    known = directory.parties(practice.ods, there).provider or directory.commissioner(there)
    if known is None:
        msg = (
            f"the directory has no provider or commissioner {there}: whoever runs the gateway can"
            " add it"
        )
        raise NotFoundError(msg)
    if not earlier and sharing.is_taken(tx, practice.ods, wish.agreement):
        msg = f"the id {wish.agreement} cannot be used here: choose another id"
        raise IllegalMoveError(msg)
    return there


def _changes_nothing(
    earlier: Sequence[AgreementEvent], event: AgreementEvent, before: Agreement | None
) -> bool:
    """Whether it stands that way already, then and later, on the same document."""
    is_over = before is not None and before.status is AgreementStatus.EXPIRED
    known = {None, *(each.document_sha256 for each in earlier)}
    if is_over or event.document_sha256 not in known:
        return False
    return course([*earlier, event]) == course(earlier)


def _note(earlier: Sequence[AgreementEvent], wanted: AgreementEvent) -> str | None:
    """Say what is planned after the time at which an agreement stands as wanted already."""
    steps = [step for step in course(earlier) if step[0] > wanted.effective_at]
    if not steps:
        return None
    (at, status, _, _), *_ = steps
    how = {
        AgreementStatus.ACTIVE: "withdraw it or sign the terms of now",
        AgreementStatus.PROPOSED: "withdraw it",
    }.get(status, "reinstate it")
    return (
        f"it is to be {status} from {at.isoformat()}, as is planned; to cancel that, {how} from"
        " that same time"
    )


def _cancels(earlier: Sequence[AgreementEvent], event: AgreementEvent, now: Moment) -> bool:
    """Whether it only takes back a plan to restrict: the agreement then never ceases.

    That brings nothing into force, so the rules have nothing to say on it.
    """
    is_plan = event.move is AgreementMove.REINSTATED and event.effective_at > now.at
    return is_plan and goes_on(earlier, event)


def _require_possible(
    earlier: Sequence[AgreementEvent], event: AgreementEvent, now: Moment
) -> None:
    require_legal(earlier, event)
    if event.move in RESTRICTS:
        return
    refuse_past(event.effective_at, now)
    ends_on = event.terms.ends_on
    if ends_on is not None and ends_on < day_of(event.effective_at):
        msg = (
            f"the last day of agreement {event.agreement} is before it would take effect: sign"
            " terms with a later ends_on, or with none"
        )
        raise IllegalMoveError(msg)


def _objected(
    tx: Transaction,
    gateway: Gateway,
    earlier: Sequence[AgreementEvent],
    event: AgreementEvent,
    asked: Asked,
    *,
    before: Agreement | None,
    now: Moment,
) -> AgreementSet:
    """Keep as a proposal what lacks only its impact assessment; refuse the rest.

    An agreement that was ever signed is never set back to a proposal.
    """
    proposed = replace(event, move=AgreementMove.PROPOSED)
    is_unsigned = before is None or before.status is AgreementStatus.PROPOSED
    if not (asked.lacks_only_dpia and is_unsigned):
        return AgreementSet(
            event=None,
            standing=_standing(event.agreement, earlier, now),
            objection=asked.objection,
            refused=asked.entry,
        )
    if _changes_nothing(earlier, proposed, before):
        standing = _standing(event.agreement, earlier, now)
        return AgreementSet(event=None, standing=standing, objection=asked.objection)
    require_legal(earlier, proposed)
    record_agreement(tx, gateway, proposed)
    standing = _standing(event.agreement, [*earlier, proposed], now)
    return AgreementSet(event=proposed, standing=standing, objection=asked.objection)


def _standing(
    agreement: AgreementId, events: Sequence[AgreementEvent], now: Moment
) -> AgreementStanding:
    return AgreementStanding(
        id=agreement,
        agreement=agreement_at(events, now),
        planned=tuple(event for event in in_order(events) if event.effective_at > now.at),
    )


def _reason(word: Word, wish: Wish) -> str | None:
    """Join the practice's reason and on whose authority it renews."""
    confirmed = f"Confirmed by {wish.confirmed_by}." if wish.confirmed_by else None
    return " ".join(text for text in (word.reason, confirmed) if text) or None


def _no_such(agreement: AgreementId) -> NotFoundError:
    return NotFoundError(f"the practice has no agreement {agreement}: its list shows those it has")


def _invalid(field: str, text: str, *, required: bool = False) -> InvalidMessageError:
    code = IssueCode.REQUIRED if required else IssueCode.BUSINESS_RULE
    return InvalidMessageError(Fault(code=code, expression=field, diagnostics=text))
