"""Write down what a practice says about sharing: an event, and its ledger entry, together.

What enters: an open transaction and an event that was found legal. What leaves: the row and
the entry. Everything that changes an agreement or a switch comes through here: the practice's
own word, a file of many practices, and the directory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, TypeVar

from gateway.consent.agreements import RESTRICTS, moves_back, signed_under
from gateway.consent.switches import positions_at
from gateway.errors import IllegalMoveError, MovedMeanwhileError, NotFoundError
from gateway.journey import withdraw
from gateway.journey.gateway import Gateway
from gateway.journey.withdraw import Concerns
from gateway.ledger.entry import (
    AgreementExpired,
    AgreementProposed,
    AgreementReinstated,
    AgreementRenewed,
    AgreementSigned,
    AgreementSuspended,
    AgreementWidened,
    AgreementWithdrawn,
    SwitchChanged,
)
from gateway.ledger.kinds import AgreementKind, Source
from gateway.ledger.kinds import Switch as LedgerSwitch
from gateway.ledger.kinds import SwitchValue as LedgerValue
from gateway.referral.directory import Agreement, Practice, Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, OdsCode
from gateway.referral.sharing import AgreementEvent, AgreementMove, Moment, Origin, SwitchEvent
from gateway.referral.withdrawals import Cause
from gateway.store import gates, sharing
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Reading, Transaction

_Entry: TypeAlias = (
    AgreementProposed
    | AgreementSigned
    | AgreementWidened
    | AgreementRenewed
    | AgreementSuspended
    | AgreementWithdrawn
    | AgreementReinstated
    | AgreementExpired
)
_ENTRIES: Mapping[AgreementMove, type[_Entry]] = {
    AgreementMove.PROPOSED: AgreementProposed,
    AgreementMove.SIGNED: AgreementSigned,
    AgreementMove.WIDENED: AgreementWidened,
    AgreementMove.RENEWED: AgreementRenewed,
    AgreementMove.SUSPENDED: AgreementSuspended,
    AgreementMove.WITHDRAWN: AgreementWithdrawn,
    AgreementMove.REINSTATED: AgreementReinstated,
    AgreementMove.EXPIRED: AgreementExpired,
}
_T = TypeVar("_T")
_FROZEN = "Taken back: no new agreement is signed from then on (new_agreements is off)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Who says so, for whom, and why. `reason` is free text: it must name no patient."""

    actor: str
    origin: Origin
    reason: str | None = None


def require_practice(view: Reading | Transaction, practice: OdsCode, at: datetime) -> Practice:
    """Find a practice in the directory.

    Raises:
        NotFoundError: there is none of this code.
    """
    found = DirectoryAsOf(view, at).practice(practice)
    if found is None:
        msg = f"the directory has no practice {practice}: whoever runs the gateway can add it"
        raise NotFoundError(msg)
    return found


def enter(tx: Transaction, practice: OdsCode) -> Practice:
    """Begin to change what a practice shares: one writer at a time for each practice.

    Raises:
        NotFoundError: the directory has no such practice.
    """
    sharing.lock_practice(tx, practice)
    return require_practice(tx, practice, tx.at)


def once_more(act: Callable[[], _T]) -> _T:
    """Do it; where somebody else changed the same at that moment, do it again, once.

    Raises:
        MovedMeanwhileError: it happened twice. Nothing was written.
    """
    try:
        return act()
    except MovedMeanwhileError:
        return act()


def present(events: Iterable[AgreementEvent | SwitchEvent], at: datetime) -> Moment:
    """Return the present of a list of events: no earlier than the last that was recorded.

    So a clock that was set back, or another machine's, puts no event before one that it follows.
    """
    return Moment(at=max([at, *(event.recorded_at for event in events)]), is_now=True)


def moment_of(effective_at: datetime | None, now: Moment) -> Moment:
    """Return the moment at which something is to take effect; None: at once."""
    return now if effective_at is None else Moment(at=effective_at)


def refuse_past(effective_at: datetime, now: Moment) -> None:
    """Refuse that something permits more from a time that is past.

    Raises:
        IllegalMoveError: the time is past.
    """
    if effective_at < now.at:
        msg = (
            "what permits more cannot count from a time that is past: say when it takes effect"
            " from now on, or leave the time out"
        )
        raise IllegalMoveError(msg)


def record_agreement(tx: Transaction, gateway: Gateway, event: AgreementEvent) -> None:
    """Append an event on an agreement; one that restricts stops what it covers."""
    sharing.add_agreement_event(tx, event)
    tx.record(
        _ENTRIES[event.move](
            actor=event.actor,
            epochs=gates.change(tx, practice=event.practice),
            practice=event.practice,
            agreement=event.agreement,
            recipient=event.counterparty,
            version=event.seq,
            agreement_kind=AgreementKind(event.terms.kind),
            effective_at=event.effective_at,
            source=Source(event.origin),
            document_sha256=event.document_sha256,
        )
    )
    if event.move in RESTRICTS:
        withdraw.begin(
            tx,
            gateway,
            cause=Cause.AGREEMENT,
            about=event.agreement,
            actor=event.actor,
            recorded_at=event.recorded_at,
            effective_at=event.effective_at,
            concerns=Concerns(practice=event.practice, recipient=event.counterparty),
        )


def record_switch(
    tx: Transaction, gateway: Gateway, event: SwitchEvent
) -> tuple[AgreementEvent, ...]:
    """Append an event on a switch; one that switches off stops what it covers.

    A freeze of new agreements takes back what is planned to be signed while it lasts.
    Returns: for each agreement so touched, the event after which it stands as before.
    """
    sharing.add_switch_event(tx, event)
    tx.record(
        SwitchChanged(
            actor=event.actor,
            epochs=gates.change(tx, practice=event.practice),
            practice=event.practice,
            switch=LedgerSwitch(event.switch),
            value=LedgerValue(event.value),
            version=event.seq,
            effective_at=event.effective_at,
            source=Source(event.origin),
        )
    )
    if event.value is not SwitchValue.ON:
        withdraw.begin(
            tx,
            gateway,
            cause=Cause.SWITCH,
            about=event.switch,
            actor=event.actor,
            recorded_at=event.recorded_at,
            effective_at=event.effective_at,
            concerns=Concerns(practice=event.practice),
        )
    is_freeze = event.switch is Switch.NEW_AGREEMENTS and event.value is SwitchValue.OFF
    return tuple(_take_back(tx, gateway, event)) if is_freeze else ()


def _take_back(tx: Transaction, gateway: Gateway, freeze: SwitchEvent) -> Iterator[AgreementEvent]:
    """Take back each signing and widening that is planned to take effect under a freeze.

    All that was recorded to thaw later is taken back with the freeze, so it has no end yet.
    """
    of_each: dict[AgreementId, list[AgreementEvent]] = {}
    for event in sharing.agreement_events(tx, freeze.practice):
        of_each.setdefault(event.agreement, []).append(event)
    for name in sorted(of_each):
        events = of_each[name]
        now = present(events, freeze.recorded_at).at
        while found := signed_under(events, freeze.effective_at, now):
            signed, before = found
            for move in moves_back(before):
                events.append(
                    replace(
                        signed,
                        seq=sharing.next_seq(events),
                        move=move,
                        terms=before.terms if before else signed.terms,
                        recorded_at=now,
                        actor=freeze.actor,
                        origin=freeze.origin,
                        reason=_FROZEN,
                        document_sha256=None,
                    )
                )
                record_agreement(tx, gateway, events[-1])
            yield events[-1]


def import_agreement(
    tx: Transaction, gateway: Gateway, wanted: Agreement, move: AgreementMove, *, actor: str
) -> None:
    """Bring an agreement to where a file of the directory says it stands."""
    earlier = sharing.events_on(tx, wanted.practice, wanted.id)
    now = present(earlier, tx.at).at
    record_agreement(
        tx,
        gateway,
        AgreementEvent(
            practice=wanted.practice,
            agreement=wanted.id,
            seq=sharing.next_seq(earlier),
            counterparty=wanted.counterparty,
            move=move,
            terms=wanted.terms,
            effective_at=now,
            recorded_at=now,
            actor=actor,
            origin=Origin.IMPORT,
        ),
    )


def import_switches(tx: Transaction, gateway: Gateway, wanted: Practice, *, actor: str) -> None:
    """Bring a practice's switches to where a file of the directory says they stand."""
    earlier = sharing.switch_events(tx, wanted.ods)
    last = positions_at(earlier, Moment(at=tx.at, is_now=True))
    for switch, value in wanted.switches.items():
        if switch in last and last[switch].value is value:
            continue
        of_one = [event for event in earlier if event.switch is switch]
        now = present(of_one, tx.at).at
        record_switch(
            tx,
            gateway,
            SwitchEvent(
                practice=wanted.ods,
                switch=switch,
                seq=sharing.next_seq(of_one),
                value=value,
                effective_at=now,
                recorded_at=now,
                actor=actor,
                origin=Origin.IMPORT,
            ),
        )
