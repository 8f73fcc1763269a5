"""Write down what a practice says about sharing: an event, and its ledger entry, together.

What enters: an open transaction and an event that was found legal. What leaves: the row and
the entry. Everything that changes an agreement or a switch comes through here: the practice's
own word, a file of many practices, and the directory.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

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
from gateway.referral.directory import Agreement, Practice, Switch
from gateway.referral.sharing import AgreementEvent, AgreementMove, Origin, SwitchEvent
from gateway.store import sharing
from gateway.store.engine import Transaction

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


def record_agreement(tx: Transaction, event: AgreementEvent) -> None:
    """Append an event on an agreement."""
    sharing.add_agreement_event(tx, event)
    tx.record(
        _ENTRIES[event.move](
            actor=event.actor,
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


def record_switch(tx: Transaction, event: SwitchEvent) -> None:
    """Append an event on a switch."""
    sharing.add_switch_event(tx, event)
    tx.record(
        SwitchChanged(
            actor=event.actor,
            practice=event.practice,
            switch=LedgerSwitch(event.switch),
            value=LedgerValue(event.value),
            version=event.seq,
            effective_at=event.effective_at,
            source=Source(event.origin),
        )
    )


def import_agreement(
    tx: Transaction, wanted: Agreement, move: AgreementMove, *, actor: str
) -> None:
    """Bring an agreement to where a file of the directory says it stands."""
    earlier = sharing.events_on(tx, wanted.practice, wanted.id)
    record_agreement(
        tx,
        AgreementEvent(
            practice=wanted.practice,
            agreement=wanted.id,
            seq=sharing.next_seq(earlier),
            counterparty=wanted.counterparty,
            move=move,
            terms=wanted.terms,
            effective_at=tx.at,
            recorded_at=tx.at,
            actor=actor,
            origin=Origin.IMPORT,
        ),
    )


def import_switches(tx: Transaction, wanted: Practice, *, actor: str) -> None:
    """Bring a practice's switches to where a file of the directory says they stand."""
    earlier = sharing.switch_events(tx, wanted.ods)
    last = last_events(earlier)
    for switch, value in wanted.switches.items():
        if switch in last and last[switch].value is value:
            continue
        record_switch(
            tx,
            SwitchEvent(
                practice=wanted.ods,
                switch=switch,
                seq=sharing.next_seq(e for e in earlier if e.switch is switch),
                value=value,
                effective_at=tx.at,
                recorded_at=tx.at,
                actor=actor,
                origin=Origin.IMPORT,
            ),
        )


def last_events(events: Iterable[SwitchEvent]) -> Mapping[Switch, SwitchEvent]:
    """Return the newest event of each switch, in the order in which they take effect."""
    return {e.switch: e for e in sorted(events, key=lambda e: (e.effective_at, e.seq))}
