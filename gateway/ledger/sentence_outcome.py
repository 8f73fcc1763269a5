"""Each entry on reports, outcomes, law and emergencies as one plain English sentence.

What enters: an entry on what comes back, or on a way past the usual rules. What leaves: one
sentence without any name of a person. Total, as `sentence.py` is.
"""

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from gateway.ledger.entry import (
    BreakglassUsed,
    LegalAuthorised,
    OutcomeEntry,
    OutcomeReceived,
    OutcomeRefused,
    ReportSightAgreed,
    ReportSightObjected,
    ReportSightOffered,
    ReportSightReleased,
    ReportSightSeen,
    WritebackDone,
    WritebackFallback,
    WritebackRefused,
)
from gateway.ledger.kinds import OutcomeKind, WritebackRoute
from gateway.ledger.sentence_words import say_list

_Sight: TypeAlias = (
    ReportSightOffered
    | ReportSightSeen
    | ReportSightAgreed
    | ReportSightObjected
    | ReportSightReleased
)
_Writeback: TypeAlias = WritebackDone | WritebackRefused | WritebackFallback


def sentence_on_outcome(entry: OutcomeEntry) -> str:
    """Say in one sentence what this entry records of what comes back, or of a way past rules."""
    if isinstance(entry, _Sight):
        return _on_sight(entry)
    if isinstance(entry, _Writeback):
        return _on_writeback(entry)
    match entry:
        case OutcomeReceived():
            return f"{entry.recipient} says that {_BECAME[entry.outcome]}."
        case OutcomeRefused():
            return f"What {entry.recipient} said of the referral was not taken: {entry.code}."
        case LegalAuthorised():
            whose = f" by practice {entry.practice}" if entry.practice else ""
            who = say_list(entry.approvers)
            return f"Sharing{whose} on the legal basis {entry.instrument} was approved by {who}."
        case BreakglassUsed():
            return (
                f"{entry.actor} went past a refusal in an emergency, for direct care "
                f"({entry.code}); the reason given is sealed."
            )
        case _:
            assert_never(entry)


def _on_writeback(entry: _Writeback) -> str:
    how = _route(entry.route)
    match entry:
        case WritebackDone():
            return (
                f"The system of practice {entry.practice} took the outcome {how}; whether it is "
                "filed in the record, only the practice can say."
            )
        case WritebackRefused():
            return f"The outcome could not go to practice {entry.practice} {how}: {entry.code}."
        case WritebackFallback():
            return (
                f"The outcome goes to practice {entry.practice} {how} instead, "
                f"because another way was refused: {entry.code}."
            )
        case _:
            assert_never(entry)


def _on_sight(entry: _Sight) -> str:
    report = f"report for {entry.recipient}"
    match entry:
        case ReportSightOffered():
            return f"The person was offered to see the {report} before it goes there."
        case ReportSightSeen():
            return f"The person has seen the {report}."
        case ReportSightAgreed():
            return f"The person agreed that the {report} goes there."
        case ReportSightObjected():
            return f"The person objected to the {report}, which goes no further."
        case ReportSightReleased():
            return f"The {report} was sent on its way."
        case _:
            assert_never(entry)


_BECAME: Mapping[OutcomeKind, str] = {
    OutcomeKind.ACCEPTED: "it takes the referral on",
    OutcomeKind.BOOKED: "it has booked the person",
    OutcomeKind.MORE_INFORMATION: "it wants to know more before it goes on",
    OutcomeKind.COULD_NOT_CONTACT: "it could not reach the person",
    OutcomeKind.DID_NOT_ATTEND: "the person did not attend",
    OutcomeKind.REJECTED: "it does not take the referral",
    OutcomeKind.REPORT: "it has a report",
    OutcomeKind.CLOSED: "it is done with the referral",
}


def _route(route: WritebackRoute) -> str:
    match route:
        case WritebackRoute.UPDATE_RECORD:
            return "as an update of the record"
        case WritebackRoute.DOCUMENT:
            return "as a document"
        case WritebackRoute.LETTER:
            return "as a letter"
        case _:
            assert_never(route)
