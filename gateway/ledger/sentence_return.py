"""Each entry on letters, reminders and what was learned as one plain English sentence.

What enters: an entry on the way back to a practice. What leaves: one sentence without any name of
a person. Total, as `sentence.py` is.
"""

from collections.abc import Mapping
from typing import assert_never

from gateway.ledger.entry import (
    CodingLearned,
    LetterAnswered,
    LetterQueued,
    ReminderClosed,
    ReminderOpened,
    ReturnEntry,
)
from gateway.ledger.kinds import CodingSource, WritebackRoute
from gateway.ledger.values import say_instant

_AS: Mapping[WritebackRoute, str] = {
    WritebackRoute.UPDATE_RECORD: "as coded entries",
    WritebackRoute.DOCUMENT: "as a document",
    WritebackRoute.LETTER: "as a letter",
}
_BY: Mapping[CodingSource, str] = {
    CodingSource.LOOKUP: "a look-up",
    CodingSource.LEARNED: "an answer",
}


def sentence_on_return(entry: ReturnEntry) -> str:
    """Say in one sentence what this entry records of the way back to a practice."""
    match entry:
        case LetterQueued():
            return (
                f"An outcome was queued to {entry.recipient} {_AS[entry.route]},"
                f" by row {entry.row} of the write guard."
            )
        case LetterAnswered():
            return f"Of the letter to {entry.recipient} it was answered: {entry.code}."
        case ReminderOpened():
            return f"By {say_instant(entry.due)} {entry.owner} is to act: {entry.code}."
        case ReminderClosed():
            return f"What waited ({entry.code}) was seen to: {entry.resolution}."
        case CodingLearned():
            return (
                f"By {_BY[entry.coding_source]} ({entry.code}) practice {entry.practice} takes no"
                f" coded entries from {entry.sender}; that counts until {say_instant(entry.expires)}."
            )
        case _:
            assert_never(entry)
