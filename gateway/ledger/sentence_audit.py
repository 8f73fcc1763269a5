"""Each entry on reading, on erasing and on the ledger itself as one plain English sentence.

What enters: an entry on who looked, what was destroyed, and how the log is kept. What leaves:
one sentence without any name of a person. Total, as `sentence.py` is.
"""

from typing import TypeAlias, assert_never

from gateway.ledger.entry import (
    AuditEntry,
    AuditExported,
    AuditRead,
    ChainVerifyFailed,
    CheckpointCosigned,
    CheckpointPublished,
    CheckpointRefused,
    ClockDrift,
    KeyDestroyed,
    KeyRotated,
    RecordRead,
    RetentionPurged,
    SubjectErased,
)
from gateway.ledger.kinds import Drift, Extent, Interaction
from gateway.ledger.sentence_words import say_count
from gateway.ledger.values import say_instant

_Reading: TypeAlias = RecordRead | AuditRead | AuditExported
_Destroying: TypeAlias = SubjectErased | KeyDestroyed | RetentionPurged
_START = 12  # digits of a hash, enough to tell two keys apart


def sentence_on_audit(entry: AuditEntry) -> str:
    """Say in one sentence what this entry records of readers, of erasure, or of the log."""
    if isinstance(entry, _Reading):
        return _on_reading(entry)
    if isinstance(entry, _Destroying):
        return _on_destroying(entry)
    return _on_log(entry)


def _on_reading(entry: _Reading) -> str:
    match entry:
        case RecordRead():
            count = say_count(entry.size, "record", "records")
            person = "a person not known" if entry.subject is None else "one person"
            how = _interaction(entry.interaction)
            return f"{entry.actor} was shown {count} of {person} at {entry.practice}, {how}."
        case AuditRead():
            count = say_count(entry.size, "ledger entry", "ledger entries")
            whose = _whose(entry.practice, entry.subject)
            return f"{entry.actor} was shown {count}, having asked about {whose}."
        case AuditExported():
            count = say_count(entry.size, "entry", "entries")
            details = "with" if entry.opened else "without"
            return (
                f"{entry.actor} was given {_extent(entry)} of the {entry.year} log, which had "
                f"{count} then, {details} sealed details."
            )
        case _:
            assert_never(entry)


def _on_destroying(entry: _Destroying) -> str:
    match entry:
        case SubjectErased():
            count = say_count(entry.size, "row", "rows")
            return (
                f"What was kept of one person at {entry.practice} was erased for good, {count} "
                f"with their keys, under {entry.authority}."
            )
        case KeyDestroyed():
            return f"The key {entry.key} was destroyed; nothing is locked with it any more."
        case RetentionPurged():
            if entry.year is not None:
                count = say_count(entry.size, "entry", "entries")
                return (
                    f"The {entry.year} log, {count}, was destroyed because its time was over; "
                    "its last signed state is kept."
                )
            return (
                f"Records of the kind {entry.record} from before {say_instant(entry.before)} were "
                f"destroyed because their time was over: {entry.size}."
            )
        case _:
            assert_never(entry)


def _on_log(
    entry: KeyRotated
    | CheckpointPublished
    | CheckpointCosigned
    | CheckpointRefused
    | ChainVerifyFailed
    | ClockDrift,
) -> str:
    match entry:
        case KeyRotated():
            old = "none" if entry.old_key_sha256 is None else entry.old_key_sha256[:_START]
            new = entry.new_key_sha256[:_START]
            return f"The key that signs the ledger changed from {old} to {new}."
        case CheckpointPublished():
            return f"{_state(entry)} was signed with key {entry.key}, and can be fetched."
        case CheckpointCosigned():
            return (
                f"Witness {entry.witness} confirmed that {_state(entry, 'the')} "
                "continues all that it saw before."
            )
        case CheckpointRefused():
            return (
                f"Witness {entry.witness} would not confirm {_state(entry, 'the')}: {entry.code}."
            )
        case ChainVerifyFailed():
            return f"A check of {_state(entry, 'the')} found it broken: {entry.code}."
        case ClockDrift():
            return (
                f"A clock was {entry.milliseconds} milliseconds {_drift(entry.drift)} "
                f"when held against {entry.against}."
            )
        case _:
            assert_never(entry)


def _state(
    entry: CheckpointPublished | CheckpointCosigned | CheckpointRefused | ChainVerifyFailed,
    article: str = "The",
) -> str:
    return f"{article} {entry.year} log at {say_count(entry.size, 'entry', 'entries')}"


def _whose(practice: str | None, subject: str | None) -> str:
    if practice is None:
        return "everybody" if subject is None else "one person"
    return f"practice {practice}" if subject is None else f"one person at practice {practice}"


def _extent(entry: AuditExported) -> str:
    match entry.extent:
        case Extent.LOG:
            return "the whole"
        case Extent.ENTRY:
            return "one entry"
        case Extent.SUBJECT | Extent.PRACTICE:
            return f"every entry about {_whose(entry.practice, entry.subject)}"
        case _:
            assert_never(entry.extent)


def _interaction(interaction: Interaction) -> str:
    match interaction:
        case Interaction.READ:
            return "as they stood"
        case Interaction.VREAD:
            return "in one version"
        case Interaction.HISTORY:
            return "in all versions"
        case Interaction.SEARCH:
            return "through a search"
        case _:
            assert_never(interaction)


def _drift(drift: Drift) -> str:
    match drift:
        case Drift.AHEAD:
            return "ahead"
        case Drift.BEHIND:
            return "behind"
        case _:
            assert_never(drift)
