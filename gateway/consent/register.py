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
4. else, where nobody can tell which is later, both count: so it is where the two times are of
   two clocks, and no further apart than clocks are.
All other Consents count side by side, and `directives` says what they amount to together. A
held one that refuses speaks of all that its earlier versions were about, too.
Source: the sharing rules, sections 2 and 6.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.consent.directives import is_refusal
from gateway.consent.elements import is_understood
from gateway.consent.moments import CLOCK_SKEW, first_instant, is_after, is_past
from gateway.referral.identifiers import ConsentId, Handle, OdsCode, normal_system
from gateway.referral.json import JsonObject, objects, string
from gateway.referral.model import Identifier

IN_ERROR = "entered-in-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldConsent:
    """One version of a Consent of the register.

    `tree` stands by itself: whom it names, it names by identifiers. `names` are the business
    identifiers of this version and of those before it. `earlier` are the versions before it,
    the oldest first; they stand by themselves as `tree` does.
    """

    id: ConsentId
    version: int
    tree: JsonObject = field(repr=False)
    effective_at: datetime
    recorded_at: datetime
    names: frozenset[Identifier] = field(default=frozenset(), repr=False)
    earlier: tuple[JsonObject, ...] = field(default=(), repr=False)


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

    A held one that refuses is followed by what it refuses of its earlier versions.

    Args:
        sent: the Consents of the message.
        held: of each Consent of the person, the version that the moment of the decision sees.
        received_at: when the message was received.
    """
    counts = _that_count(sent, held, received_at)
    mine = [c for c in sent if not any(_gives_way(c, h, received_at) for h in held)]
    return [*mine, *(tree for each in counts for tree in (each.tree, *_refused(each)))]


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


def _refused(held: HeldConsent) -> list[JsonObject]:
    """Refuse what each earlier version was about, where the newest refuses.

    Else a withdrawal that names somebody else would withdraw nothing. What an earlier version
    was about, and is not understood, may be everything.
    """
    if not is_refusal(held.tree):
        return []
    status = string(held.tree, "status")
    refusing: JsonObject = {"status": "rejected" if status == "active" else status}
    about_all = {k: v for k, v in held.tree.items() if k not in ("category", "provision")}
    before = ({**each, **refusing} for each in held.earlier)
    return [each if is_understood(each) else {**about_all, **refusing} for each in before]


def _gives_way(sent: JsonObject, held: HeldConsent, received_at: datetime) -> bool:
    """Whether the held one counts in the place of the one that was sent."""
    return _is_same(sent, held) and (
        held.recorded_at > received_at
        or (_both_understood(sent, held) and _is_later(sent, held, received_at) is False)
    )


def _is_newer(sent: JsonObject, held: HeldConsent, received_at: datetime) -> bool:
    """Whether the one that was sent counts in the place of the held one."""
    return (
        _is_same(sent, held)
        and held.recorded_at <= received_at
        and _both_understood(sent, held)
        and _is_later(sent, held, received_at) is True
    )


def _is_same(sent: JsonObject, held: HeldConsent) -> bool:
    return not names_of(sent).isdisjoint(held.names | names_of(held.tree))


def _both_understood(sent: JsonObject, held: HeldConsent) -> bool:
    return is_understood(sent) and is_understood(held.tree)


def _is_later(sent: JsonObject, held: HeldConsent, received_at: datetime) -> bool | None:
    """Whether the one that was sent is later; unknown where nobody can tell.

    A time to come says nothing of when the Consent was given. One within the skew of clocks
    says that it was given before the message was received, by a clock that is ahead; and a
    recording is of our clock. Such a time is compared with no more than the skew's exactness.
    """
    written = string(sent, "dateTime")
    said = first_instant(written)
    if said is None or not is_past(written, received_at):
        return None
    own_date = _own_date(held)
    since = held.recorded_at if string(held.tree, "status") == IN_ERROR else held.effective_at
    is_of_two_clocks = own_date is None or said > received_at
    if is_of_two_clocks and abs(min(said, received_at) - since) <= CLOCK_SKEW:
        return None
    return is_after(written, own_date or since.isoformat())


def _own_date(held: HeldConsent) -> str | None:
    """Return the dateTime of a held version; None where it is as old as its recording.

    So is one that has no date or keeps that of the version before it, and an error.
    """
    written = string(held.tree, "dateTime")
    is_error = string(held.tree, "status") == IN_ERROR
    return written if not is_error and first_instant(written) == held.effective_at else None
