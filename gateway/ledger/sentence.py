"""Each entry as one plain English sentence, for the officers who read the ledger.

What enters: an entry. What leaves: one sentence without any name of a person, because an
entry holds none. Total: a kind without its sentence does not pass the type checker.
"""

from typing import assert_never

from gateway.ledger.entry import (
    DecisionMade,
    DeliveryDeadLettered,
    DeliveryDelivered,
    DeliveryLeaseLapsed,
    DeliveryQueued,
    DeliveryRefused,
    DeliveryReleased,
    DeliveryReplayed,
    DeliveryStopped,
    DeliveryUnknown,
    DirectoryApplied,
    Entry,
    HoldOpened,
    HoldResolved,
    HouseEntry,
    LedgerVerified,
    OptOutLoaded,
    PolicyChanged,
    RecallQueued,
    RecallReleased,
    RecallSent,
    RedactionApplied,
    ReferralCancelled,
    ReferralClosed,
    ReferralReceived,
    ReferralRejected,
    SharingEntry,
    TokenIssued,
    TokenRefused,
)
from gateway.ledger.kinds import Door, Effect, Stage
from gateway.ledger.sentence_sharing import sentence_on_sharing
from gateway.ledger.values import say_instant


def sentence(entry: Entry) -> str:
    """Say in one sentence what this entry records. Its time and index stand beside it."""
    if isinstance(entry, SharingEntry):
        return sentence_on_sharing(entry)
    if isinstance(entry, HouseEntry):
        return _on_house(entry)
    match entry:
        case ReferralReceived() | ReferralRejected() | ReferralCancelled() | ReferralClosed():
            return _on_referral(entry)
        case RecallQueued() | RecallReleased() | RecallSent():
            return _on_recall(entry)
        case DecisionMade():
            return _on_decision(entry)
        case DeliveryQueued() | DeliveryReleased() | DeliveryDelivered() | DeliveryRefused():
            return _on_planned_delivery(entry)
        case HoldOpened() | HoldResolved():
            return _on_hold(entry)
        case _:
            return _on_troubled_delivery(entry)


def _on_referral(
    entry: ReferralReceived | ReferralRejected | ReferralCancelled | ReferralClosed,
) -> str:
    match entry:
        case ReferralReceived():
            door = _door(entry.door)
            return f"Practice {entry.practice} sent a referral through {door}, and it was stored."
        case ReferralRejected():
            door, codes = _door(entry.door), _listed(entry.codes)
            return f"A message from {entry.practice} through {door} was refused: {codes}."
        case ReferralCancelled():
            door = _door(entry.door)
            return (
                f"Practice {entry.practice} took the referral back through {door}: {entry.status}."
            )
        case ReferralClosed():
            return f"The referral was closed: {entry.reason}."
        case _:
            assert_never(entry)


def _on_decision(entry: DecisionMade) -> str:
    match entry.effect:
        case Effect.PERMIT:
            effect = "permitted"
        case Effect.HOLD:
            effect = "held"
        case Effect.DENY:
            effect = "denied"
        case _:
            assert_never(entry.effect)
    whom = f" with {entry.recipient}" if entry.recipient else ""
    why = f"by rule {entry.rule} ({entry.code}) of policy {entry.policy}"
    return f"{_stage(entry.stage)}, sharing{whom} was {effect} {why}."


def _on_planned_delivery(
    entry: DeliveryQueued | DeliveryReleased | DeliveryDelivered | DeliveryRefused,
) -> str:
    match entry:
        case DeliveryQueued():
            due = say_instant(entry.next_at)
            return f"A delivery to {entry.recipient} was queued, first due at {due}."
        case DeliveryReleased():
            until = say_instant(entry.lease_until)
            return (
                f"The referral was released to {entry.recipient} "
                f"for attempt {entry.attempt}, until {until}."
            )
        case DeliveryDelivered():
            return (
                f"{entry.recipient} took the referral in attempt {entry.attempt}, "
                f"with HTTP status {entry.status}."
            )
        case DeliveryRefused():
            whose = entry.recipient if entry.decision is None else "a decision of the gateway"
            return f"The delivery to {entry.recipient} was refused by {whose}: {entry.code}."
        case _:
            assert_never(entry)


def _on_troubled_delivery(
    entry: DeliveryUnknown
    | DeliveryDeadLettered
    | DeliveryReplayed
    | DeliveryLeaseLapsed
    | DeliveryStopped
    | RedactionApplied,
) -> str:
    to = f"to {entry.recipient}"
    match entry:
        case DeliveryUnknown():
            again = say_instant(entry.next_at)
            return (
                f"Attempt {entry.attempt} {to} did not succeed or its outcome is not known "
                f"({entry.phase}); the next is due at {again}."
            )
        case DeliveryDeadLettered():
            return f"The delivery {to} was given up after attempt {entry.attempt}: {entry.reason}."
        case DeliveryReplayed():
            again = say_instant(entry.next_at)
            return f"{entry.actor} ordered the delivery {to} again, due at {again}: {entry.reason}."
        case DeliveryLeaseLapsed():
            until = say_instant(entry.lease_until)
            return (
                f"The worker with attempt {entry.attempt} {to} did not come back by {until}; "
                "another took over."
            )
        case DeliveryStopped():
            return f"The delivery {to} was stopped after {entry.attempt} attempts: {entry.reason}."
        case RedactionApplied():
            why = _listed(entry.obligations)
            return f"Items were taken out before the referral goes to {entry.recipient}: {why}."
        case _:
            assert_never(entry)


def _on_recall(entry: RecallQueued | RecallReleased | RecallSent) -> str:
    match entry:
        case RecallQueued():
            due = say_instant(entry.next_at)
            return f"{entry.recipient} is to be told to stop ({entry.cause}), first at {due}."
        case RecallReleased():
            until = say_instant(entry.lease_until)
            return (
                f"The recall was released to {entry.recipient} for attempt {entry.attempt}, "
                f"until {until}."
            )
        case RecallSent():
            return (
                f"{entry.recipient} has the recall since attempt {entry.attempt}, "
                f"with HTTP status {entry.status}."
            )
        case _:
            assert_never(entry)


def _on_hold(entry: HoldOpened | HoldResolved) -> str:
    match entry:
        case HoldOpened():
            due = say_instant(entry.due)
            return (
                f"The referral was put on hold ({entry.code}); {entry.owner} owns it, due by {due}."
            )
        case HoldResolved():
            return f"{entry.actor} resolved the hold ({entry.code}): {entry.resolution}."
        case _:
            assert_never(entry)


def _on_house(entry: HouseEntry) -> str:
    match entry:
        case DirectoryApplied():
            counts = f"{entry.added} added, {entry.changed} changed, {entry.ended} ended"
            return f"{entry.actor} applied a directory file: {counts}."
        case PolicyChanged():
            old = "none" if entry.old_sha256 is None else entry.old_sha256[:12]
            return f"The rule table changed from {old} to {entry.new_sha256[:12]}."
        case LedgerVerified():
            outcome = "found nothing wrong" if entry.ok else "found damage"
            return f"{entry.actor} checked the ledger at {entry.size} entries and {outcome}."
        case OptOutLoaded():
            as_of = say_instant(entry.as_of)
            return (
                f"National opt-outs as of {as_of} were loaded: answers about {entry.size} people."
            )
        case TokenIssued():
            scopes = _listed(entry.scopes)
            return f"{entry.client} of {entry.ods} was given a token for {scopes}."
        case TokenRefused():
            return f"A request for a token by {entry.actor} was refused: {entry.code}."
        case _:
            assert_never(entry)


def _door(door: Door) -> str:
    match door:
        case Door.REST:
            return "the REST door"
        case Door.BARS:
            return "the BaRS door"
        case _:
            assert_never(door)


def _stage(stage: Stage) -> str:
    match stage:
        case Stage.ACCEPT:
            return "On arrival"
        case Stage.RELEASE:
            return "Before release"
        case Stage.REPLAY:
            return "Before replay"
        case _:
            assert_never(stage)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "nothing"
