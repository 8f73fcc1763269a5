"""The consent register's part in a decision: which Consents count, those sent and those held.

What enters: the Consents of a message, the versions that the register holds for the same
person, and when the message was received. What leaves: the Consents to be read. Must never:
let a Consent that was sent hide what the practice recorded since, or drop one of two that
may be different.

A held Consent that has a business identifier (system and value) in common with one that was
sent is the same Consent. Of the two
1. the held one counts where it was recorded after the message was received;
2. else both count where either is not understood: nothing of it is passed over;
3. else the later one counts, and the held one where they are of the same time;
4. else, where nobody can tell which is later, both count.
All other Consents count side by side, and `directives` says what they amount to together.
Source: the sharing rules, sections 2 and 6.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.consent.elements import is_understood
from gateway.consent.moments import first_instant, is_after
from gateway.referral.identifiers import ConsentId, Handle, OdsCode, normal_system
from gateway.referral.json import JsonObject, objects, string
from gateway.referral.model import Identifier

IN_ERROR = "entered-in-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldConsent:
    """One version of a Consent of the register.

    `tree` stands by itself: whom it names, it names by identifiers. `names` are the business
    identifiers of this version and of those before it.
    """

    id: ConsentId
    version: int
    tree: JsonObject = field(repr=False)
    effective_at: datetime
    recorded_at: datetime
    names: frozenset[Identifier] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A Consent of the register: whose, and how its newest version stands."""

    id: ConsentId
    practice: OdsCode
    subject: Handle
    version: int
    status: str
    created_at: datetime
    updated_at: datetime


def combine(
    sent: Sequence[JsonObject], held: Sequence[HeldConsent], received_at: datetime
) -> Sequence[JsonObject]:
    """List the Consents that count: of those sent, and of those held.

    Args:
        sent: the Consents of the message.
        held: of each Consent of the person, the version that the moment of the decision sees.
        received_at: when the message was received.
    """
    counts = _that_count(sent, held, received_at)
    mine = [c for c in sent if not any(_gives_way(c, h, received_at) for h in held)]
    return [*mine, *(each.tree for each in counts)]


def versions_used(
    sent: Sequence[JsonObject], held: Sequence[HeldConsent], received_at: datetime
) -> tuple[str, ...]:
    """Name the versions of the register that `combine` lets count, as `id/version`, in order."""
    return tuple(sorted(f"{h.id}/{h.version}" for h in _that_count(sent, held, received_at)))


def effective_from(
    date_time: str | None, status: str, *, recorded_at: datetime, earlier: Iterable[datetime]
) -> datetime:
    """Tell from when a new version counts.

    1. One that says the Consent was entered in error counts from where the first one did: the
       Consent never counted.
    2. Its dateTime, where that is no later than the recording, and later than that from which
       the last version counts.
    3. Else the time of the recording: so nobody reaches back before what was said last.

    Args:
        date_time: Consent.dateTime as written; a day counts from its beginning in UTC.
        status: Consent.status.
        recorded_at: when the register learned of it.
        earlier: from when each version before it counts, the oldest first.
    """
    before = list(earlier)
    if status == IN_ERROR and before:
        return min(before[0], recorded_at)
    said = first_instant(date_time)
    if said is None or said > recorded_at or (before and said <= before[-1]):
        return recorded_at
    return said


def names_of(consent: JsonObject) -> frozenset[Identifier]:
    """Return the business identifiers of a Consent: those with a system and a value."""
    found = (
        (normal_system(string(i, "system") or ""), string(i, "value"))
        for i in objects(consent, "identifier")
    )
    return frozenset(Identifier(system, value) for system, value in found if system and value)


def _that_count(
    sent: Sequence[JsonObject], held: Sequence[HeldConsent], received_at: datetime
) -> list[HeldConsent]:
    return [h for h in held if not any(_is_newer(c, h, received_at) for c in sent)]


def _gives_way(sent: JsonObject, held: HeldConsent, received_at: datetime) -> bool:
    """Whether the held one counts in the place of the one that was sent."""
    return _is_same(sent, held) and (
        held.recorded_at > received_at
        or (_both_understood(sent, held) and _is_later(sent, held) is False)
    )


def _is_newer(sent: JsonObject, held: HeldConsent, received_at: datetime) -> bool:
    """Whether the one that was sent counts in the place of the held one."""
    return (
        _is_same(sent, held)
        and held.recorded_at <= received_at
        and _both_understood(sent, held)
        and _is_later(sent, held) is True
    )


def _is_same(sent: JsonObject, held: HeldConsent) -> bool:
    return not names_of(sent).isdisjoint(held.names | names_of(held.tree))


def _both_understood(sent: JsonObject, held: HeldConsent) -> bool:
    return is_understood(sent) and is_understood(held.tree)


def _is_later(sent: JsonObject, held: HeldConsent) -> bool | None:
    """Whether the one that was sent is later; unknown where the two times overlap."""
    return is_after(string(sent, "dateTime"), _date_of(held))


def _date_of(held: HeldConsent) -> str:
    """Return the time of a held version: its dateTime, unless that stood still.

    A version that keeps the dateTime of the one before it is as old as its recording.
    """
    written = string(held.tree, "dateTime")
    if string(held.tree, "status") == IN_ERROR:
        return held.recorded_at.isoformat()
    if written is not None and first_instant(written) == held.effective_at:
        return written
    return held.effective_at.isoformat()
