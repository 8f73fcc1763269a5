"""Each entry on who may share what, or no longer, as one plain English sentence.

What enters: an entry on who may share what. What leaves: one sentence without any name of a
person. Total, as `sentence.py` is. The kinds of one agreement or one notice end in what was
done to it (`agreement.signed`), so that word is said as it stands.
"""

from typing import assert_never

from gateway.ledger.entry import (
    AgreementEntry,
    AgreementRefused,
    AssuranceChanged,
    ConsentEnteredInError,
    ConsentEntry,
    ConsentRecorded,
    ConsentSuperseded,
    ConsentWithdrawn,
    IcbNoticeReinstated,
    NoticeEntry,
    SharingEntry,
    SwitchChanged,
    WithdrawalAcknowledged,
)
from gateway.ledger.kinds import AgreementChange, EntryKind, Source, WithdrawalCause
from gateway.ledger.sentence_words import say_count
from gateway.ledger.values import say_instant


def sentence_on_sharing(entry: SharingEntry) -> str:
    """Say in one sentence what this entry records of who may share what."""
    if isinstance(entry, ConsentEntry):
        return _on_consent(entry)
    if isinstance(entry, AgreementEntry):
        return _on_agreement(entry)
    if isinstance(entry, NoticeEntry):
        return _on_notice(entry)
    match entry:
        case SwitchChanged():
            return _on_switch(entry)
        case AssuranceChanged():
            return _on_assurance(entry)
        case WithdrawalAcknowledged():
            return _on_withdrawal(entry)
        case _:
            assert_never(entry)


def _on_consent(entry: ConsentEntry) -> str:
    since = f"with effect from {say_instant(entry.effective_at)}"
    match entry:
        case ConsentRecorded():
            return f"A consent was recorded as version {entry.version}, {since}."
        case ConsentSuperseded():
            return f"Version {entry.version} of the consent took the place of the last, {since}."
        case ConsentWithdrawn():
            return f"The consent was withdrawn in version {entry.version}, {since}."
        case ConsentEnteredInError():
            return f"The consent was called an error in version {entry.version}, {since}."
        case _:
            assert_never(entry)


def _on_agreement(entry: AgreementEntry) -> str:
    agreement = (
        f"The {entry.agreement_kind} agreement {entry.agreement} "
        f"of {entry.practice} with {entry.recipient}"
    )
    if isinstance(entry, AgreementRefused):
        what = _change(entry.change)
        why = f"by rule {entry.rule} ({entry.code}) of policy {entry.policy}"
        return f"{agreement} was refused {what} {why}."
    since, whose = say_instant(entry.effective_at), _source(entry.source)
    return f"{agreement} was {_done(entry.kind)} {whose}, with effect from {since}."


def _on_switch(entry: SwitchChanged) -> str:
    since, whose = say_instant(entry.effective_at), _source(entry.source)
    return (
        f"Switch {entry.switch} of practice {entry.practice} was set to {entry.value} {whose}, "
        f"with effect from {since}."
    )


def _on_assurance(entry: AssuranceChanged) -> str:
    until = "not known to be assured"
    if entry.assured_until is not None:
        until = f"assured until {entry.assured_until.isoformat()}"
    return (
        f"What is known of the assurance of {entry.recipient} was changed {_source(entry.source)}:"
        f" it is {until}."
    )


def _on_withdrawal(entry: WithdrawalAcknowledged) -> str:
    return (
        f"Nothing covered by the withdrawal {_withdrawn(entry)} at "
        f"{say_instant(entry.withdrawn_at)} leaves from here on: "
        f"{say_count(entry.stopped, 'delivery', 'deliveries')} stopped, {entry.delivered} "
        f"delivered before, {entry.unknown} with no answer."
    )


def _on_notice(entry: NoticeEntry) -> str:
    to = entry.recipient or "its ICB"
    notice = f"{entry.notice_kind} notice of practice {entry.practice} to {to}"
    if isinstance(entry, IcbNoticeReinstated):
        return f"What the {notice} told of was reinstated."
    return f"The {notice} was {_done(entry.kind)}."


def _done(kind: EntryKind) -> str:
    """Take from a kind what was done: its last word."""
    return kind.value.rpartition(".")[2]


def _change(change: AgreementChange) -> str:
    match change:
        case AgreementChange.NEW:
            return "as a new one"
        case AgreementChange.WIDENED:
            return "as a wider one"
        case AgreementChange.RENEWAL:
            return "its renewal"
        case _:
            assert_never(change)


def _withdrawn(entry: WithdrawalAcknowledged) -> str:
    match entry.cause:
        case WithdrawalCause.CONSENT:
            return f"of consent {entry.about}"
        case WithdrawalCause.AGREEMENT:
            return f"of agreement {entry.about}"
        case WithdrawalCause.SWITCH:
            return f"by switch {entry.about}"
        case WithdrawalCause.ASSURANCE:
            return f"of the assurance of {entry.about}"
        case _:
            assert_never(entry.cause)


def _source(source: Source) -> str:
    match source:
        case Source.PRACTICE:
            return "by the practice"
        case Source.IMPORT:
            return "from a file"
        case Source.OPERATOR:
            return "by an operator"
        case _:
            assert_never(source)
