"""What the ledger says of reading, of erasing, and of itself.

What enters and leaves, and what may never stand here: `entry.py`. A `query_sha256` is of a
query in which every patient stands by handle, never by NHS number: a hash of a query that
names one is the number (see FORMAT.md). `year` is that of the log that the line is about.
Source: the sharing rules, sections 8 and 9; C2SP tlog-checkpoint and tlog-witness.
"""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from gateway.ledger.kinds import Drift, EntryKind, Extent, Interaction
from gateway.ledger.line import Line, OnHouse
from gateway.ledger.values import (
    Code,
    Count,
    Handle,
    Instant,
    Name,
    Ods,
    Sha256,
    Truth,
    Uuid,
    one_of,
)

WhichExtent = Annotated[Extent, one_of(Extent)]
WhichInteraction = Annotated[Interaction, one_of(Interaction)]
WhichDrift = Annotated[Drift, one_of(Drift)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRead(Line):
    """A client was shown records of one person; `size` is how many. None found: no subject."""

    kind = EntryKind.RECORD_READ
    practice: Ods
    subject: Handle | None
    referral: Uuid | None
    consent: Uuid | None
    interaction: WhichInteraction
    query_sha256: Sha256
    size: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRead(Line):
    """Somebody read the ledger; `practice` and `subject` are what the query was narrowed to."""

    kind = EntryKind.AUDIT_READ
    practice: Ods | None
    subject: Handle | None
    query_sha256: Sha256
    size: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExported(Line):
    """Entries were handed out, with proof against the tree of this size and root.

    `opened`: whether sealed details went with them.
    """

    kind = EntryKind.AUDIT_EXPORTED
    practice: Ods | None
    subject: Handle | None
    year: Count
    extent: WhichExtent
    size: Count
    root: Sha256
    opened: Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectErased(Line):
    """A person's handle, keys and salts were destroyed: what they sealed is gone for good.

    `authority` says under what; `size` is how many rows went.
    """

    kind = EntryKind.SUBJECT_ERASED
    practice: Ods
    subject: Handle
    authority: Code
    size: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated(OnHouse):
    """Checkpoints are signed under another key from here on; the hashes are of public keys."""

    kind = EntryKind.KEY_ROTATED
    old_key_sha256: Sha256 | None
    new_key_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDestroyed(OnHouse):
    """A key-encryption key, by its id, wraps nothing any more."""

    kind = EntryKind.KEY_DESTROYED
    key: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPurged(OnHouse):
    """Records of one kind from before a time were destroyed, their time being over.

    Of a whole log, `year` says which and `root` is that of its last checkpoint, which is kept.
    """

    kind = EntryKind.RETENTION_PURGED
    record: Code
    before: Instant
    size: Count
    year: Count | None
    root: Sha256 | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPublished(OnHouse):
    """A tree head was signed, by the key of this id, and can be fetched."""

    kind = EntryKind.CHECKPOINT_PUBLISHED
    year: Count
    size: Count
    root: Sha256
    key: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointCosigned(OnHouse):
    """A witness confirmed that a tree head continues all that it has seen."""

    kind = EntryKind.CHECKPOINT_COSIGNED
    year: Count
    size: Count
    root: Sha256
    witness: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRefused(OnHouse):
    """A witness would not confirm a tree head."""

    kind = EntryKind.CHECKPOINT_REFUSED
    year: Count
    size: Count
    witness: Name
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainVerifyFailed(OnHouse):
    """A check of a log found it broken; `code` is the first finding."""

    kind = EntryKind.CHAIN_VERIFY_FAILED
    year: Count
    size: Count
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDrift(OnHouse):
    """A clock was found wrong by so much, held against another (`against`)."""

    kind = EntryKind.CLOCK_DRIFT
    against: Code
    drift: WhichDrift
    milliseconds: Count


AuditEntry: TypeAlias = (
    RecordRead
    | AuditRead
    | AuditExported
    | SubjectErased
    | KeyRotated
    | KeyDestroyed
    | RetentionPurged
    | CheckpointPublished
    | CheckpointCosigned
    | CheckpointRefused
    | ChainVerifyFailed
    | ClockDrift
)
