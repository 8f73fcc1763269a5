"""Each entry as one plain English sentence, for the officers who read the ledger.

What enters: an entry. What leaves: one sentence without any name of a person, because an
entry holds none. Total: a kind without its sentence does not pass the type checker.
"""

from typing import TypeAlias, assert_never

from gateway.ledger.entry import (
    AccessRefused,
    AuditEntry,
    DecisionMade,
    DecisionPreviewed,
    DeliveryEntry,
    DirectoryApplied,
    Entry,
    FlagChanged,
    HoldAssigned,
    HoldOpened,
    HoldOverdue,
    HoldResolved,
    HouseEntry,
    LedgerVerified,
    OptOutLoaded,
    OutageBegan,
    OutageEnded,
    OutcomeEntry,
    PolicyChanged,
    ReferralCancelled,
    ReferralClosed,
    ReferralEntry,
    ReferralReceived,
    ReferralRejected,
    ReturnEntry,
    SharingEntry,
    TokenIssued,
    TokenRefused,
)
from gateway.ledger.kinds import Door, Effect, Stage
from gateway.ledger.sentence_audit import sentence_on_audit
from gateway.ledger.sentence_delivery import sentence_on_delivery
from gateway.ledger.sentence_outcome import sentence_on_outcome
from gateway.ledger.sentence_return import sentence_on_return
from gateway.ledger.sentence_sharing import sentence_on_sharing
from gateway.ledger.sentence_words import say_count, say_list
from gateway.ledger.values import say_instant

_Decision: TypeAlias = DecisionMade | DecisionPreviewed
_Hold: TypeAlias = HoldOpened | HoldAssigned | HoldResolved | HoldOverdue
_Client: TypeAlias = TokenIssued | TokenRefused | AccessRefused


def sentence(entry: Entry) -> str:
    """Say in one sentence what this entry records. Its time and index stand beside it."""
    if isinstance(entry, ReferralEntry):
        return _on_referral(entry)
    if isinstance(entry, DeliveryEntry):
        return sentence_on_delivery(entry)
    if isinstance(entry, SharingEntry):
        return sentence_on_sharing(entry)
    if isinstance(entry, OutcomeEntry):
        return sentence_on_outcome(entry)
    if isinstance(entry, ReturnEntry):
        return sentence_on_return(entry)
    if isinstance(entry, AuditEntry):
        return sentence_on_audit(entry)
    return _on_house(entry)


def _on_referral(entry: ReferralEntry) -> str:
    if isinstance(entry, _Hold):
        return _on_hold(entry)
    if isinstance(entry, _Decision):
        return _on_decision(entry)
    match entry:
        case ReferralReceived():
            door = _door(entry.door)
            return f"Practice {entry.practice} sent a referral through {door}, and it was stored."
        case ReferralRejected():
            door, codes = _door(entry.door), say_list(entry.codes)
            return f"A message from {entry.practice} through {door} was refused: {codes}."
        case ReferralCancelled():
            door = _door(entry.door)
            return (
                f"Practice {entry.practice} took the referral back through {door}: {entry.status}."
            )
        case ReferralClosed():
            return f"The referral was closed: {entry.reason}."
        case FlagChanged():
            return (
                f"A flag about the person changed, read from {entry.flag_source} as of "
                f"{say_instant(entry.as_of)}; which flag it is, is sealed."
            )
        case _:
            assert_never(entry)


def _on_decision(entry: _Decision) -> str:
    whom = f" with {entry.recipient}" if entry.recipient else ""
    effect = _effect(entry.effect)
    why = f"by rule {entry.rule} ({entry.code}) of policy {entry.policy}"
    match entry:
        case DecisionMade():
            return f"{_stage(entry.stage)}, sharing{whom} was {effect} {why}."
        case DecisionPreviewed():
            return (
                f"{entry.actor} asked for a preview as of {say_instant(entry.as_of)}: "
                f"sharing{whom} would have been {effect} {why}."
            )
        case _:
            assert_never(entry)


def _on_hold(entry: _Hold) -> str:
    match entry:
        case HoldOpened():
            due = say_instant(entry.due)
            return (
                f"The referral was put on hold ({entry.code}); {entry.owner} owns it, due by {due}."
            )
        case HoldAssigned():
            due = say_instant(entry.due)
            return f"{entry.actor} gave the hold ({entry.code}) to {entry.owner}, due by {due}."
        case HoldResolved():
            return f"{entry.actor} resolved the hold ({entry.code}): {entry.resolution}."
        case HoldOverdue():
            due = say_instant(entry.due)
            return (
                f"The hold ({entry.code}) was due by {due}, and {entry.owner} has not resolved it."
            )
        case _:
            assert_never(entry)


def _on_house(entry: HouseEntry) -> str:
    if isinstance(entry, _Client):
        return _on_client(entry)
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
        case OutageBegan():
            count = say_count(entry.failures, "attempt", "attempts")
            return (
                f"Destination {entry.endpoint} does not answer: {count} in a row, the last one "
                f"ended in {entry.phase}."
            )
        case OutageEnded():
            since = say_instant(entry.since)
            return f"Destination {entry.endpoint} answers again; it had not since {since}."
        case _:
            assert_never(entry)


def _on_client(entry: _Client) -> str:
    match entry:
        case TokenIssued():
            scopes = say_list(entry.scopes)
            return f"{entry.client} of {entry.ods} was given a token for {scopes}."
        case TokenRefused():
            return f"A request for a token by {entry.actor} was refused: {entry.code}."
        case AccessRefused():
            needed = say_list(entry.scopes)
            return f"{entry.actor} of {entry.ods} was refused what needs {needed}: {entry.code}."
        case _:
            assert_never(entry)


def _door(door: Door) -> str:
    match door:
        case Door.REST:
            return "the REST door"
        case Door.BARS:
            return "the BaRS door"
        case Door.MESH:
            return "a MESH mailbox"
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
        case Stage.READ:
            return "Before reading"
        case Stage.WRITE_BACK:
            return "Before anything goes to the practice"
        case _:
            assert_never(stage)


def _effect(effect: Effect) -> str:
    match effect:
        case Effect.PERMIT:
            return "permitted"
        case Effect.HOLD:
            return "held"
        case Effect.DENY:
            return "denied"
        case _:
            assert_never(effect)
