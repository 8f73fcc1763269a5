"""A second reading of invariants 12 to 18: what must hold of releases and withdrawals.

What enters: the ledger's entries as they are committed, what came to the provider, and each
acknowledgement as whoever asked for it got it. What leaves: nothing; an AssertionError where one
contradicts another. It knows nothing of rows, leases and states: only when sharing was
permitted, and what of a referral was ever seen outside.
Source: the sharing rules, section 11.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.referral.lifecycle import DeliveryKind
from gateway.referral.withdrawals import Acknowledged, Cause, Standing
from tests.builders.release import Arrival

AGREEMENT, ASSURANCE = "agreement", "assurance"
_SHARING = ("agreement.", "switch.", "consent.", "assurance.")
_PERMITS = {
    "agreement.signed": True,
    "agreement.reinstated": True,
    "agreement.withdrawn": False,
    "consent.recorded": True,
    "consent.superseded": True,
    "consent.withdrawn": False,
}
_SETTLES = (
    "delivery.delivered",
    "delivery.unknown",
    "delivery.expired",
    "delivery.refused",
    "delivery.stopped",
    "delivery.dead_lettered",
    "delivery.lease_lapsed",
)
_JUST_BEFORE = timedelta(microseconds=1)

Entry = Mapping[str, Any]


@dataclass
class Known:
    """What is known of one referral. `recalls`: how often word to stop was queued."""

    person: str
    received_at: datetime
    key: str = ""
    released: int = 0
    recalls: int = 0
    is_held: bool = False
    is_closed: bool = False
    is_cancelled: bool = False


@dataclass
class Change:
    """Sharing permitted or not, of an agreement, a provider or a person, from an instant.

    Of one that forbids: `stops` are the referrals that may never leave again by it, and that its
    acknowledgement must tell of if the provider has them. None: not in effect yet.
    """

    about: str
    name: str
    at: datetime
    permits: bool
    stops: frozenset[str] | None = None
    is_acknowledged: bool = False


@dataclass
class Book:
    """All that is known so far. `taken_in`: the keys that the provider has."""

    taken_in: Mapping[str, str]
    referrals: dict[str, Known] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    epochs: dict[tuple[str, str], int] = field(default_factory=dict)
    open_attempts: set[tuple[str, int]] = field(default_factory=set)
    arrived: Counter[str] = field(default_factory=Counter)

    def permits(self, of: Known, at: datetime) -> bool:
        """Whether sharing it was permitted at an instant."""
        for about in (AGREEMENT, ASSURANCE, of.person):
            said = [c for c in self.changes if c.about == about and c.at <= at]
            if said and not max(said, key=lambda c: c.at).permits:
                return False
        return True

    def pass_time(self, now: datetime) -> None:
        """Let what was planned take effect."""
        for change in sorted(self.changes, key=lambda each: each.at):
            if not change.permits and change.stops is None and change.at <= now:
                self._take_effect(change)

    def _take_effect(self, change: Change) -> None:
        before = change.at - _JUST_BEFORE
        earlier = frozenset().union(*(each.stops or () for each in self.changes))
        covered = {
            name: each
            for name, each in self.referrals.items()
            if name not in earlier
            and each.received_at <= change.at
            and self.permits(each, before)
            and not self.permits(each, change.at)
            and self._is_at_stake(each)
        }
        change.stops = frozenset(covered)

    def _is_at_stake(self, each: Known) -> bool:
        """Whether it may still leave by itself, or is there and its provider was not told."""
        is_over = each.is_closed or each.is_held
        return not each.recalls and (each.key in self.taken_in or not is_over)

    def read(self, entry: Entry) -> None:
        """Take in one entry, in the order of the ledger."""
        kind, at = entry["kind"], instant(entry["t"])
        self.pass_time(at)
        if kind.startswith(_SHARING) and entry["epochs"]:
            self._raise_epochs(entry)
        if kind in _PERMITS or kind == "assurance.changed":
            self._change(entry, kind, at)
        elif kind == "delivery.released":
            self._release(entry, at)
        elif kind in _SETTLES:
            self.open_attempts.discard((entry["delivery"], entry["attempt"]))
        self._note(entry, kind, at)

    def _note(self, entry: Entry, kind: str, at: datetime) -> None:
        name = entry.get("referral")
        if kind == "referral.received":
            self.referrals[str(name)] = Known(person=entry["subject"], received_at=at)
            return
        if name is None:
            return
        known = self.referrals[name]
        if kind == "delivery.queued":
            known.key = entry["delivery"]
        elif kind == "recall.queued":
            known.recalls += 1
            assert known.recalls == 1, "18: its provider is told twice"
        elif kind in ("hold.opened", "hold.resolved"):
            known.is_held = kind == "hold.opened"
        elif kind == "referral.cancelled":
            known.is_cancelled = True
        elif kind == "referral.closed":
            known.is_closed = True

    def _change(self, entry: Entry, kind: str, at: datetime) -> None:
        if kind == "assurance.changed":
            until = entry["assured_until"]
            is_assured = until is not None and until >= at.date().isoformat()
            change = Change(ASSURANCE, entry["recipient"], at, is_assured)
        else:
            is_consent = kind.startswith("consent.")
            about = entry["subject"] if is_consent else AGREEMENT
            name = entry["consent" if is_consent else "agreement"]
            effective = max(instant(entry["effective_at"]), at)
            change = Change(about, name, effective, _PERMITS[kind])
            if kind == "agreement.withdrawn":  # in place of whatever was planned for later
                self.changes = [c for c in self.changes if c.name != name or c.at <= effective]
        self.changes.append(change)
        self.pass_time(at)

    def _raise_epochs(self, entry: Entry) -> None:
        for of, epoch in entry["epochs"].items():
            if epoch is not None:
                whose = (of, str(entry[of]))
                assert epoch > self.epochs.get(whose, 0), "14: an epoch did not increase"
                self.epochs[whose] = epoch

    def _release(self, entry: Entry, at: datetime) -> None:
        known = self.referrals[entry["referral"]]
        known.released += 1
        self.open_attempts.add((entry["delivery"], entry["attempt"]))
        assert self.permits(known, at), "12: released although sharing was taken back"
        assert not known.is_cancelled, "released although its sender took it back"
        stopped = [c for c in self.changes if entry["referral"] in (c.stops or ())]
        assert not stopped, "16: released although a withdrawal had stopped it"
        for of, epoch in entry["epochs"].items():
            newest = self.epochs.get((of, str(entry[of])), 0)
            assert epoch >= newest, "14: released by what was known before a change"

    def arrive(self, arrival: Arrival) -> None:
        """Take in that bytes came to the provider."""
        self.arrived[arrival.key] += 1
        if arrival.kind is DeliveryKind.REFERRAL:
            done = [c for c in self.changes if c.is_acknowledged]
            assert not any(arrival.referral in (c.stops or ()) for c in done), (
                "13: bytes after an acknowledgement"
            )

    def acknowledge(self, told: Acknowledged) -> None:
        """Take in what whoever withdrew was answered."""
        covered = {str(each.referral): each for each in told.covered}
        if told.withdrawal.cause is Cause.SWITCH:
            assert not covered, "17: a freeze touched what is on its way"
            return
        for each in told.covered:
            is_there = each.delivery in self.taken_in
            assert each.standing is not Standing.LEAVING, "13: acknowledged too early"
            assert each.standing is not Standing.STOPPED or not is_there, "13: it did arrive"
            assert each.standing is not Standing.DELIVERED or is_there, "13: it did not arrive"
            is_told = each.recall is not None
            assert is_told is (each.standing is not Standing.STOPPED), "18: not recalled"
        change = self._behind(told)
        if change is None:  # a version of a Consent that takes nothing back
            assert not covered, "16: stopped what nobody took back"
            return
        change.is_acknowledged = True
        for name in change.stops or ():
            if self.referrals[name].key in self.taken_in:
                assert name in covered, "13: one that left is not in the acknowledgement"
                assert covered[name].standing is not Standing.STOPPED, "13: it did arrive"

    def _behind(self, told: Acknowledged) -> Change | None:
        of = told.withdrawal
        found = [
            c
            for c in self.changes
            if not c.permits and c.name == of.about and c.at == of.withdrawn_at
        ]
        return found[0] if found else None

    def finish(self, recalled: Counter[str]) -> None:
        """Hold the end against what must have come by then.

        `recalled`: how many recalls came to the provider, by referral.
        """
        assert not self.open_attempts, "15: a release that nobody settled"
        for change in self.changes:
            assert change.is_acknowledged or not change.stops, "a withdrawal not acknowledged"
            for name in change.stops or ():
                known = self.referrals[name]
                assert known.is_closed, "16: what was stopped is not over"
                if known.key in self.taken_in:
                    assert known.recalls == 1, "18: no recall of what was delivered"
        for name, known in self.referrals.items():
            assert recalled[name] == known.recalls, "18: the recall did not come"


def instant(text: str) -> datetime:
    """Read a time as the ledger writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)
