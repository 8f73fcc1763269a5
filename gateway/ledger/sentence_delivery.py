"""Each entry on a delivery or a recall as one plain English sentence.

What enters: an entry on bringing something to a recipient, or on calling it back. What leaves:
one sentence without any name of a person. Total, as `sentence.py` is.
"""

from typing import TypeAlias, assert_never

from gateway.ledger.entry import (
    DeliveryDeadLettered,
    DeliveryDelivered,
    DeliveryEntry,
    DeliveryExpired,
    DeliveryLeaseLapsed,
    DeliveryQueued,
    DeliveryRefused,
    DeliveryReleased,
    DeliveryReplayed,
    DeliveryStopped,
    DeliveryUnknown,
    RecallAcknowledged,
    RecallOverdue,
    RecallQueued,
    RecallRefused,
    RecallReleased,
    RecallSent,
    RedactionApplied,
)
from gateway.ledger.kinds import RecallAnswer
from gateway.ledger.sentence_words import say_list
from gateway.ledger.values import say_instant

_Planned: TypeAlias = (
    DeliveryQueued | DeliveryReleased | DeliveryDelivered | DeliveryRefused | RedactionApplied
)
_Troubled: TypeAlias = (
    DeliveryUnknown
    | DeliveryDeadLettered
    | DeliveryReplayed
    | DeliveryLeaseLapsed
    | DeliveryStopped
    | DeliveryExpired
)
_Recall: TypeAlias = RecallQueued | RecallReleased | RecallSent
_Reply: TypeAlias = RecallAcknowledged | RecallRefused | RecallOverdue


def sentence_on_delivery(entry: DeliveryEntry) -> str:
    """Say in one sentence what this entry records of a delivery or a recall."""
    if isinstance(entry, _Recall):
        return _on_recall(entry)
    if isinstance(entry, _Reply):
        return _on_reply(entry)
    if isinstance(entry, _Planned):
        return _on_planned(entry)
    return _on_troubled(entry)


def _on_planned(entry: _Planned) -> str:
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
        case RedactionApplied():
            why = say_list(entry.obligations)
            return f"Items were taken out before the referral goes to {entry.recipient}: {why}."
        case _:
            assert_never(entry)


def _on_troubled(entry: _Troubled) -> str:
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
        case DeliveryExpired():
            until = say_instant(entry.lease_until)
            return (
                f"Attempt {entry.attempt} {to} was broken off before anything was sent: "
                f"it had time until {until}."
            )
        case _:
            assert_never(entry)


def _on_recall(entry: _Recall) -> str:
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


def _on_reply(entry: _Reply) -> str:
    match entry:
        case RecallAcknowledged():
            return f"{entry.recipient} answered the recall: it {_answer(entry.answer)}."
        case RecallRefused():
            return (
                f"{entry.recipient} would not take the recall in attempt {entry.attempt}: "
                f"{entry.code}."
            )
        case RecallOverdue():
            due = say_instant(entry.due)
            return f"{entry.recipient} has not answered the recall by {due}; somebody has to call."
        case _:
            assert_never(entry)


def _answer(answer: RecallAnswer) -> str:
    match answer:
        case RecallAnswer.STOPPED:
            return "has stopped"
        case RecallAnswer.RETURNED:
            return "has given back what it had"
        case RecallAnswer.RETAINED:
            return "keeps what it had, on a legal ground of its own"
        case _:
            assert_never(answer)
