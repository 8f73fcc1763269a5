"""What the ledger says of the gateway itself: its files, rules, log, destinations and clients.

What enters and leaves, and what may never stand here: `entry.py`.
"""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from gateway.ledger.entries_delivery import WhichPhase
from gateway.ledger.kinds import EntryKind
from gateway.ledger.line import Line, OnHouse
from gateway.ledger.values import Code, Count, Instant, Name, Ods, Scopes, Sha256, Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryApplied(OnHouse):
    """A directory file was applied, with this many changes."""

    kind = EntryKind.DIRECTORY_APPLIED
    file_sha256: Sha256
    added: Count
    changed: Count
    ended: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged(OnHouse):
    """Decisions follow another rule table from here on; `old_sha256` is None for the first."""

    kind = EntryKind.POLICY_CHANGED
    old_sha256: Sha256 | None
    new_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerVerified(OnHouse):
    """Somebody checked the whole log at this size; `ok` says what came of it."""

    kind = EntryKind.LEDGER_VERIFIED
    size: Count
    root: Sha256
    ok: Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutLoaded(OnHouse):
    """Answers about `size` people by the national opt-out service were kept, as of `as_of`.

    Nothing of the list stands here, and no hash of it: a list of one would give its number away.
    """

    kind = EntryKind.OPTOUT_LOADED
    size: Count
    as_of: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageBegan(OnHouse):
    """A destination gave no answer so many times in a row; `phase` is where the last one ended."""

    kind = EntryKind.OUTAGE_BEGAN
    endpoint: Name
    phase: WhichPhase
    failures: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageEnded(OnHouse):
    """A destination that gave no answer since then answers again."""

    kind = EntryKind.OUTAGE_ENDED
    endpoint: Name
    since: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssued(Line):
    """A client proved who it is. `practice` is its organisation where that is a practice."""

    kind = EntryKind.TOKEN_ISSUED
    subject: ClassVar[None] = None
    practice: Ods | None
    client: Name
    ods: Ods
    scopes: Scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused(Line):
    """A request for a token was refused.

    The client that the caller claimed to be stands nowhere: a claim is free text. `actor`
    is a client that the directory knows, or a role such as `unknown`.
    """

    kind = EntryKind.TOKEN_REFUSED
    subject: ClassVar[None] = None
    practice: Ods | None
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRefused(Line):
    """A client that had proved who it is asked for what it may not do; `scopes` are those needed.

    `code` says why. `practice` is its organisation where that is a practice.
    """

    kind = EntryKind.ACCESS_REFUSED
    subject: ClassVar[None] = None
    practice: Ods | None
    ods: Ods
    code: Code
    scopes: Scopes


HouseEntry: TypeAlias = (
    DirectoryApplied
    | PolicyChanged
    | LedgerVerified
    | OptOutLoaded
    | OutageBegan
    | OutageEnded
    | TokenIssued
    | TokenRefused
    | AccessRefused
)
